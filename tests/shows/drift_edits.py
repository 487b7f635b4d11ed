"""What people do to live objects with kubectl, past git, and when the API server had answered them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from clusterops.model.bodies import value_at
from clusterops.sandbox import Sandbox
from tests.shows.drift_watch import Place
from tests.stage import Api, until

_EDITOR: Final = """\
import json, os, sys
path, pointer, value = sys.argv[1], os.environ["POINTER"], json.loads(os.environ["VALUE"])
with open(path) as file:
    body = json.loads("".join(line for line in file if not line.startswith("#")))
at = body
*way, last = [part.replace("~1", "/").replace("~0", "~") for part in pointer[1:].split("/")]
for part in way:
    at = at[int(part)] if isinstance(at, list) else at.setdefault(part, {})
if isinstance(at, list):
    at[int(last)] = value
else:
    at[last] = value
with open(path, "w") as file:
    json.dump(body, file)
"""


@dataclass(slots=True)
class Person:
    """Somebody with kubectl; where none is found, with the request that it makes."""

    sandbox: Sandbox
    home: Path
    kubectl: str | None = field(default_factory=lambda: shutil.which("kubectl"))
    _audit_at: int = 0

    def __post_init__(self) -> None:
        self.home.mkdir(parents=True, exist_ok=True)
        (self.home / "editor.py").write_text(_EDITOR, encoding="utf-8")

    def edit(self, place: Place, pointer: str, value: Any) -> float:
        """`kubectl edit`; when its write was answered, in seconds of the wall clock."""
        since = self._audit_end()
        self.set(place, pointer, value)
        return self._answered(place, since)

    def set(self, place: Place, pointer: str, value: Any) -> None:
        """`kubectl edit`."""
        if self.kubectl:
            environment = {"POINTER": pointer, "VALUE": json.dumps(value)}
            self.run("edit", place.resource, place.name, "-n", place.namespace, "-o", "json", **environment)
        else:
            self.patch(place, pointer, value, manager="kubectl-edit")

    def patch(self, place: Place, pointer: str, value: Any, *, manager: str) -> None:
        """A merge patch under any name; the item of a list that the pointer leads into is sent in its whole list."""
        api = Api(self.sandbox)
        body = merge_patch(api.get(place.path), pointer, value)
        api.send("PATCH", f"{place.path}?fieldManager={manager}", body, "application/merge-patch+json")

    def run(self, *arguments: str, stdin: str = "", **environment: str) -> str:
        assert self.kubectl
        done = subprocess.run(
            [self.kubectl, "--kubeconfig", str(self.sandbox.kubeconfig), *arguments],
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(self.home),
                "KUBE_EDITOR": f"{sys.executable} -IS {self.home / 'editor.py'}",
                **environment,
            },
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert not done.returncode, f"kubectl {' '.join(arguments)}: {done.stderr}"
        return done.stdout

    def _answered(self, place: Place, since: int) -> float:
        """By the API server's audit log, which has microseconds."""

        def probe() -> float:
            return next((each for each in self._writes(place, since)), 0.0)

        return until(f"the write to {place.name} in the audit log", probe, every_s=0.002)

    def _writes(self, place: Place, since: int) -> Iterator[float]:
        assert self.sandbox.audit_log is not None
        with self.sandbox.audit_log.open("rb") as log:
            log.seek(since)
            for line in log:
                if not line.endswith(b"\n") or place.name.encode() not in line:
                    continue
                event = json.loads(line)
                mine = event["userAgent"].startswith(("kubectl", "Python-urllib"))
                if mine and event["verb"] in {"patch", "update"} and event["requestURI"].startswith(place.path):
                    yield datetime.fromisoformat(event["stageTimestamp"]).timestamp()

    def _audit_end(self) -> int:
        assert self.sandbox.audit_log is not None
        return self.sandbox.audit_log.stat().st_size


def merge_patch(body: Mapping[str, Any], pointer: str, value: Any) -> dict[str, Any]:
    """RFC 7386 for one value, with whole lists where the pointer goes through one."""
    parts = [part.replace("~1", "/").replace("~0", "~") for part in pointer[1:].split("/")]
    for length in range(1, len(parts) + 1):
        above = pointer_of(parts[:length])
        if isinstance(found := value_at(body, above), list) and length < len(parts):
            changed = json.loads(json.dumps(found))
            set_at(changed, parts[length:], value)
            return _nested(parts[:length], changed)
    return _nested(parts, value)


def pointer_of(parts: list[str]) -> str:
    return "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in parts)


def set_at(body: Any, parts: list[str], value: Any) -> None:
    """In place; maps on the way are made."""
    *way, last = parts
    for part in way:
        body = body[int(part)] if isinstance(body, list) else body.setdefault(part, {})
    if isinstance(body, list):
        body[int(last)] = value
    else:
        body[last] = value


def _nested(parts: list[str], value: Any) -> dict[str, Any]:
    found = value
    for part in reversed(parts):
        found = {part: found}
    return dict(found)
