"""helm's and kustomize's own words without the noise, and the place that they name."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from clusterops.render.workspace import OWN

_HELM_NOISE: Final = re.compile(
    r"Use --debug flag to render out invalid YAML|^level=\S+ .*$|^WARNING: .*$", re.MULTILINE
)
_HELM_PLACE: Final = re.compile(r"\(?\b(?P<path>[\w.-]+/[\w./@-]+\.[\w]+):(?P<line>\d+)(?::(?P<column>\d+))?\)?")
_HELM_STEPS: Final = re.compile(
    r"(?:execution error at|parse error at|template:|executing \"[^\"]*\"|error calling (?:include|tpl|template):"
    r"|\(?[\w.-]+/[\w./@-]+\.\w+:\d+(?::\d+)?\)?|at <(?:include|tpl|template) [^>]*>)[\s:]*"
)
_HELM_FILE: Final = re.compile(r"(?:YAML parse error on|error on) (?P<path>\S+?): (?P<rest>.*)", re.DOTALL)
_KUSTOMIZE_STEPS: Final = re.compile(
    r"accumulating (?:resources|components): |accumulation err='|accumulateDirectory: |MalformedYAMLError: "
    r"|accumulating (?:resources|components) from '(?P<step>[^']*)': |accumulateFile \"[^\"]*\": "
)
_KUSTOMIZE_RECURSED: Final = re.compile(
    r".*(?:recursed accumulation of path|couldn't make target for path) '(?P<path>[^']*)': ", re.DOTALL
)
_KUSTOMIZE_FILE: Final = re.compile(r" in File: (?P<path>\S+)")
_YAML_LINE: Final = re.compile(r"\byaml: line (?P<line>\d+): |\bline (?P<line2>\d+): ")


@dataclass(frozen=True, slots=True, kw_only=True)
class Complaint:
    """``path`` is relative to the repository, "" when the tool named none."""

    message: str
    hint: str = ""
    path: str = ""
    line: int = 0
    column: int = 0


def helm_complaint(stderr: bytes, sources: Mapping[str, str]) -> Complaint:
    """``sources`` maps ``<chart name>/templates/x.yaml`` to the file's path in the repository."""
    text = _HELM_NOISE.sub("", _text(stderr)).strip()
    broken = _HELM_FILE.search(text)
    if broken:
        return _helm_yaml(broken, sources)
    places = list(_HELM_PLACE.finditer(text))
    place = next((each for each in reversed(places) if each["path"] in sources), None)
    message = _one_line(_HELM_STEPS.sub("", text)) or _one_line(text)
    if place is None:
        return Complaint(message=message)
    column = int(place["column"] or 0)
    return Complaint(
        message=message,
        path=sources[place["path"]],
        line=int(place["line"]),
        column=column + 1 if column else 0,  # Go's text/template counts columns from 0
    )


def _helm_yaml(broken: re.Match[str], sources: Mapping[str, str]) -> Complaint:
    path = sources.get(broken["path"], "")
    message = _one_line(broken["rest"]).removeprefix("error converting YAML to JSON: ")
    hint = "the line is one of what the template printed, not of the template"
    return Complaint(message=f"prints no YAML: {message}", path=path, hint=hint if "line " in message else "")


def kustomize_complaint(stderr: bytes, *, root: str, directory: str) -> Complaint:
    """``directory`` is the folder that was built, relative to ``root``."""
    lines = _text(stderr).replace(f"{root}/", "").replace(root, ".").splitlines()
    text = "\n".join(line for line in lines if not line.startswith("# Warning:")).removeprefix("Error: ")
    recursed = _KUSTOMIZE_RECURSED.match(text)
    if recursed:
        text, directory = text[recursed.end() :], recursed["path"]
    text = text.partition("': must build at directory")[0]
    steps = [match["step"] for match in _KUSTOMIZE_STEPS.finditer(text) if match["step"]]
    named = _KUSTOMIZE_FILE.search(text)
    message = _one_line(_KUSTOMIZE_FILE.sub("", _KUSTOMIZE_STEPS.sub("", text)))
    line = _YAML_LINE.search(message)
    number = int(line["line"] or line["line2"]) if line and named else 0
    return Complaint(
        message=_YAML_LINE.sub("", message) if number else message,
        path=_joined(directory, steps, named["path"] if named else ""),
        line=number,
    )


def _joined(directory: str, steps: list[str], named: str) -> str:
    """kustomize names a step relative to the folder of the one before; "" for our own files."""
    at = directory
    for step in [*steps, named]:
        if step and posixpath.basename(at) != posixpath.basename(step):
            at = posixpath.normpath(posixpath.join(at, step))
    return "" if at.startswith((OWN, "..", "/")) else at


def _text(stderr: bytes) -> str:
    return stderr.decode(errors="replace").strip().removeprefix("Error: ")


def _one_line(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip(" :")
