"""What a supervisor says about its sandbox, in one file that is always whole."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from clusterops.errors import TerminalError
from clusterops.process import ProcessId, is_alive

Phase = Literal["starting", "ready", "failed", "stopped"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessState:
    """A process by name; ``exit_code`` None means that it had not ended when this was written."""

    name: str
    identity: ProcessId
    exit_code: int | None = None

    @property
    def alive(self) -> bool:
        return self.exit_code is None and is_alive(self.identity)


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """``answered`` counts the holder's commands that were carried out; ``failure`` is (code, subject, message)."""

    phase: Phase
    supervisor: ProcessId
    server: str = ""
    processes: tuple[ProcessState, ...] = ()
    failure: tuple[str, str, str] | None = None
    answered: int = 0

    def error(self) -> TerminalError:
        code, subject, message = self.failure or ("sandbox-failed", "sandbox", "it did not say why")
        return TerminalError(code, subject, message)


def read_state(path: Path) -> State | None:
    """The last state that was written; None when there is none, or it is not readable as one."""
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        return _decode(raw)
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None


def write_state(path: Path, state: State) -> None:
    """Replace the file at once, so that no reader sees half of it."""
    new = path.with_suffix(".new")
    new.write_text(json.dumps(_encode(state), indent=2), encoding="utf-8")
    os.replace(new, path)


def _encode(state: State) -> dict[str, Any]:
    return {
        "phase": state.phase,
        "server": state.server,
        "answered": state.answered,
        "failure": list(state.failure) if state.failure else None,
        "supervisor": _encode_id(state.supervisor),
        "processes": [
            {"name": process.name, "exitCode": process.exit_code, **_encode_id(process.identity)}
            for process in state.processes
        ],
    }


def _decode(raw: dict[str, Any]) -> State:
    failure = raw["failure"]
    return State(
        phase=raw["phase"],
        server=raw["server"],
        answered=raw["answered"],
        failure=(failure[0], failure[1], failure[2]) if failure else None,
        supervisor=_decode_id(raw["supervisor"]),
        processes=tuple(
            ProcessState(name=item["name"], exit_code=item["exitCode"], identity=_decode_id(item))
            for item in raw["processes"]
        ),
    )


def _encode_id(identity: ProcessId) -> dict[str, int]:
    return {"pid": identity.pid, "startedTicks": identity.started_ticks}


def _decode_id(raw: dict[str, int]) -> ProcessId:
    return ProcessId(pid=raw["pid"], started_ticks=raw["startedTicks"])
