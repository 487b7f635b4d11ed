"""What a sandbox is to be, and the names of everything in its folder."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Self, get_args

Mode = Literal["minimal", "crds", "full"]

_API_SERVER = ("etcd", "kube-apiserver")
_TOOLS: Mapping[Mode, tuple[str, ...]] = {
    "minimal": _API_SERVER,
    "crds": (*_API_SERVER, "cluster-api-manifests"),
    "full": (*_API_SERVER, "cluster-api-manifests", "cluster-api", "kube-controller-manager"),
}
MODES: tuple[Mode, ...] = get_args(Mode)


def tools_for(mode: Mode) -> tuple[str, ...]:
    """The names of the tools that a sandbox of this mode is made from."""
    return _TOOLS[mode]


@dataclass(frozen=True, slots=True, kw_only=True)
class Companion:
    """A program that runs beside the sandbox from when it is ready, and ends with it."""

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """A sandbox as it is asked for.

    ``mode``: ``minimal`` is an API server, ``crds`` adds the CRDs of Cluster API without conversion or webhooks,
    ``full`` adds its controllers with the in-memory provider. ``directory`` belongs to this sandbox alone and is
    removed with it. ``tools`` maps the names of `tools_for` to paths. ``audit_log`` is where the API server writes
    one JSON line per request that it answered: without bodies unless ``audit_bodies``.
    """

    name: str
    mode: Mode
    directory: Path
    tools: Mapping[str, Path]
    audit_log: Path | None = None
    audit_bodies: bool = False
    companions: tuple[Companion, ...] = ()

    def to_json(self) -> str:
        return json.dumps(
            {
                "name": self.name,
                "mode": self.mode,
                "directory": str(self.directory),
                "tools": {name: str(path) for name, path in sorted(self.tools.items())},
                "auditLog": str(self.audit_log) if self.audit_log else None,
                "auditBodies": self.audit_bodies,
                "companions": [
                    {"name": each.name, "argv": list(each.argv), "env": dict(each.env)} for each in self.companions
                ],
            },
            indent=2,
        )

    @classmethod
    def from_json(cls, text: str) -> Self:
        raw: dict[str, Any] = json.loads(text)
        return cls(
            name=raw["name"],
            mode=raw["mode"],
            directory=Path(raw["directory"]),
            tools={name: Path(path) for name, path in raw["tools"].items()},
            audit_log=Path(raw["auditLog"]) if raw["auditLog"] else None,
            audit_bodies=raw["auditBodies"],
            companions=tuple(
                Companion(name=each["name"], argv=tuple(each["argv"]), env=each["env"]) for each in raw["companions"]
            ),
        )


@dataclass(frozen=True, slots=True)
class Layout:
    """Where things lie in the folder of a sandbox."""

    directory: Path

    @property
    def spec(self) -> Path:
        return self.directory / "spec.json"

    @property
    def state(self) -> Path:
        return self.directory / "state.json"

    @property
    def addresses(self) -> Path:
        return self.directory / "addresses.json"

    @property
    def kubeconfig(self) -> Path:
        return self.directory / "kubeconfig"

    @property
    def ca(self) -> Path:
        return self.directory / "ca.crt"

    @property
    def server_cert(self) -> Path:
        return self.directory / "serving" / "tls.crt"

    @property
    def server_key(self) -> Path:
        return self.directory / "serving" / "tls.key"

    @property
    def admin_cert(self) -> Path:
        return self.directory / "admin.crt"

    @property
    def admin_key(self) -> Path:
        return self.directory / "admin.key"

    @property
    def token_key(self) -> Path:
        return self.directory / "service-account.key"

    @property
    def audit_policy(self) -> Path:
        return self.directory / "audit-policy.json"

    @property
    def etcd_data(self) -> Path:
        return self.directory / "etcd"

    def log(self, process: str) -> Path:
        return self.directory / "logs" / f"{process}.log"
