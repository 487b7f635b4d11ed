"""Settings from the command line, the environment and an optional file, all problems reported together."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, get_type_hints

from clusterops.errors import TerminalError
from clusterops.model.document import Document, load_document
from clusterops.model.problem import Problem, SeveralProblems
from clusterops.model.secret import SecretText
from clusterops.settings import (
    ClusterSettings,
    DaemonSettings,
    DriftSettings,
    ForgeSettings,
    NetworkSettings,
    RenderSettings,
    RepositorySettings,
    Settings,
)

PREFIX: Final = "CLUSTEROPS_"
_OPTIONS: Final = {
    "repository.url": "--repository",
    "daemon.listen_host": "--listen",
    "daemon.listen_port": "--listen",
}
"""Of settings whose option has another name."""
_SHAPE: Final = "`clusterops run --help` lists every setting; in a file: `cluster: {timeout_s: 30s}`"
SECTIONS: Final[Mapping[str, type]] = {
    "repository": RepositorySettings,
    "cluster": ClusterSettings,
    "render": RenderSettings,
    "network": NetworkSettings,
    "daemon": DaemonSettings,
    "drift": DriftSettings,
    "forge": ForgeSettings,
}


class SettingsError(SeveralProblems):
    """``settings-invalid``; ``problems`` are all that is wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """One value and where a person would correct it: an option or a variable by ``name``, or a place in the file."""

    value: Any
    name: str = ""
    path: str = ""
    line: int = 0
    column: int = 0

    def problem(self, setting: str, message: str, hint: str) -> Problem:
        return Problem(
            code="settings-invalid",
            subject=": ".join(part for part in (self.name, setting) if part),
            message=message,
            hint=hint,
            path=self.path,
            line=self.line,
            column=self.column,
        )


def cache_dir(environ: Mapping[str, str] | None = None) -> Path:
    """``$CLUSTEROPS_CACHE_DIR``, else ``$XDG_CACHE_HOME/clusterops``, else ``~/.cache/clusterops``."""
    env = os.environ if environ is None else environ
    if own := env.get(f"{PREFIX}CACHE_DIR"):
        return Path(own)
    return Path(env.get("XDG_CACHE_HOME") or Path(env.get("HOME", "/")) / ".cache") / "clusterops"


def wants_traceback() -> bool:
    """``$CLUSTEROPS_TRACEBACK``: for whoever looks for a defect of ours."""
    return bool(os.environ.get(f"{PREFIX}TRACEBACK"))


def read_settings(
    *,
    file: Path | None = None,
    overrides: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
) -> Settings:
    """Overrides (``repository.url``) beat the environment (``CLUSTEROPS_REPOSITORY_URL``), which beats the file.

    Raises SettingsError with every problem.
    """
    env = dict(os.environ if environ is None else environ)
    given = _from_file(file) | _from_environment(env)
    given |= {
        name: Given(value=value, name=_OPTIONS.get(name, f"--{name.rpartition('.')[2].replace('_', '-')}"))
        for name, value in (overrides or {}).items()
        if value is not None
    }
    problems: list[Problem] = [_unknown(name, item) for name, item in given.items() if not _known(name)]
    cache = cache_dir(env)
    defaults: dict[str, dict[str, Any]] = {
        "repository": {"url": ""},
        "cluster": {},
        "render": {"cache_dir": cache, "processes": max(1, os.cpu_count() or 1), **_age_keys(env)},
        "network": _proxies(env),
        "daemon": {"identity": f"{socket.gethostname()}-{os.getpid()}"},
        "drift": {},
        "forge": {},
    }
    built = {section: _build(section, kind, defaults[section], given, problems) for section, kind in SECTIONS.items()}
    if problems:
        raise SettingsError(problems)
    return Settings(cache_dir=cache, **built)


def setting_names() -> tuple[tuple[str, str], ...]:
    """(name, default as text) of every setting, for help."""
    return tuple(
        (f"{section}.{field.name}", "" if "factory" in repr(field.default) else str(field.default))
        for section, kind in SECTIONS.items()
        for field in fields(kind)
    )


def _known(name: str) -> bool:
    section, _, key = name.partition(".")
    return section in SECTIONS and key in {field.name for field in fields(SECTIONS[section])}


def _proxies(env: Mapping[str, str]) -> dict[str, Any]:
    def first(name: str) -> str:
        return env.get(name.lower()) or env.get(name) or ""

    no_proxy = tuple(part.strip() for part in first("NO_PROXY").split(",") if part.strip())
    return {"https_proxy": first("HTTPS_PROXY"), "http_proxy": first("HTTP_PROXY"), "no_proxy": no_proxy}


def _age_keys(env: Mapping[str, str]) -> dict[str, Any]:
    """Where sops itself looks, for whoever has it set up at a desk.

    **Source:** getsops/sops v3.13.3 age/keysource.go: SOPS_AGE_KEY, SOPS_AGE_KEY_FILE, then a file of the user's.
    """
    own = Path(env.get("XDG_CONFIG_HOME") or Path(env.get("HOME", "/")) / ".config") / "sops" / "age" / "keys.txt"
    named = env.get("SOPS_AGE_KEY_FILE")
    file = Path(named).expanduser() if named else own if own.is_file() else None
    return {"age_key": SecretText(env.get("SOPS_AGE_KEY", "")), "age_key_file": file}


def _from_environment(env: Mapping[str, str]) -> dict[str, Given]:
    names = {f"{PREFIX}{name.replace('.', '_').upper()}": name for name, _ in setting_names()}
    return {names[key]: Given(value=value, name=key) for key, value in env.items() if key in names and value}


def _from_file(file: Path | None) -> dict[str, Given]:
    if file is None:
        return {}
    try:
        document = load_document(file.read_bytes(), str(file))
    except OSError as error:
        raise TerminalError(
            "settings-invalid",
            str(file),
            error.strerror or "cannot be read",
            hint="name a settings file with --config, or none: every setting has a default or a variable",
        ) from error
    return dict(_flattened(document))


def _flattened(document: Document) -> Iterator[tuple[str, Given]]:
    if not isinstance(document.value, dict):
        raise TerminalError(
            "settings-invalid", "settings", "is not a mapping", hint=_SHAPE, path=document.path, line=1, column=1
        )
    for section, body in document.value.items():
        inside = isinstance(body, dict) and section in SECTIONS
        for key in body if inside else ("",):
            mark = document.key_mark((section, key) if key else (section,))
            value = body[key] if key else body
            place = Given(value=value, path=document.path, line=mark.line, column=mark.column)
            yield f"{section}.{key}".rstrip("."), place


def _unknown(name: str, item: Given) -> Problem:
    known = [each for each, _ in setting_names()]
    close = get_close_matches(name, known if "." in name else list(SECTIONS), n=1)
    return item.problem(name, "there is no such setting", f"did you mean `{close[0]}`?" if close else _SHAPE)


def _build(
    section: str, kind: type, defaults: Mapping[str, Any], given: Mapping[str, Given], problems: list[Problem]
) -> Any:
    assert is_dataclass(kind)
    hints = get_type_hints(kind)
    values = dict(defaults)
    for field in fields(kind):
        item = given.get(f"{section}.{field.name}")
        if item is None:
            continue
        try:
            values[field.name] = _converted(hints[field.name], item.value)
        except ValueError as error:
            problems.append(item.problem(f"{section}.{field.name}", str(error), _SHAPE))
    return kind(**values)


def _converted(hint: Any, value: Any) -> Any:
    text = str(value).strip()
    converter = _CONVERTERS.get(hint)
    if converter is None:
        raise ValueError("cannot be set")
    if hint == tuple[str, ...] and isinstance(value, list):
        return tuple(str(item) for item in value)
    return converter(text)


def _seconds(text: str) -> float:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h)?", text)
    if not match:
        raise ValueError(f"{text!r} is neither a number nor a duration such as 30s or 5m")
    return float(match[1]) * {"ms": 0.001, None: 1, "s": 1, "m": 60, "h": 3600}[match[2]]


def _flag(text: str) -> bool:
    if text.lower() in {"true", "yes", "1", "on"}:
        return True
    if text.lower() in {"false", "no", "0", "off"}:
        return False
    raise ValueError(f"{text!r} is neither true nor false")


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise ValueError(f"{text!r} is not a whole number") from error


_CONVERTERS: Final[Mapping[Any, Callable[[str], Any]]] = {
    str: str,
    int: _whole,
    float: _seconds,
    bool: _flag,
    Path | None: lambda text: Path(text).expanduser() if text else None,
    Path: lambda text: Path(text).expanduser(),
    SecretText: SecretText,
    tuple[str, ...]: lambda text: tuple(part.strip() for part in text.split(",") if part.strip()),
}
