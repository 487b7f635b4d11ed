"""Changes to several files as one value, before any of them is written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from clusterops.edit.values import Written, set_value
from clusterops.errors import TerminalError
from clusterops.model.document import Pointer


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """One value that changes; ``before`` is MISSING where the file did not set it, ``line`` is 1-based."""

    path: str
    line: int
    setting: str
    """``pools.general.replicas``, or ``MachineDeployment/web:/spec/replicas`` in a file of plain objects."""
    before: Any
    after: Any
    target: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Edits:
    """``files`` are contents by path from the root of the fleet, None for one that goes; ``before`` what each was."""

    files: Mapping[str, bytes | None] = field(default_factory=dict)
    before: Mapping[str, bytes | None] = field(default_factory=dict)
    edits: tuple[Edit, ...] = ()


@dataclass(slots=True, kw_only=True)
class Draft:
    """``read`` gives a file's content, None where there is none."""

    read: Callable[[str], bytes | None]
    _files: dict[str, bytes | None] = field(default_factory=dict)
    _edits: list[Edit] = field(default_factory=list)

    @property
    def edits(self) -> Edits:
        before = {path: self.read(path) for path in self._files}
        return Edits(files=dict(self._files), before=before, edits=tuple(self._edits))

    def text(self, path: str) -> str:
        """As it stands now; "" for a file that is not there. Raises TerminalError ``edit-not-possible``."""
        content = self._files[path] if path in self._files else self.read(path)
        try:
            return (content or b"").decode()
        except UnicodeDecodeError as error:
            raise TerminalError(
                "edit-not-possible", "", "is no UTF-8 text", hint="save the file as UTF-8", path=path
            ) from error

    def set(
        self, path: str, pointer: Pointer, value: Any, *, target: str, setting: str = "", document: int = 0
    ) -> None:
        """Changes one value; nothing where it is that already. Raises what ``set_value`` raises."""
        written = set_value(self.text(path), pointer, value, path=path, document=document)
        self.take(path, written, setting=setting or ".".join(map(str, pointer)), target=target)

    def take(self, path: str, written: Written, *, setting: str, target: str) -> None:
        """A value that was changed already; nothing where the file is that already."""
        if written.text == self.text(path):
            return
        self._files[path] = written.text.encode()
        self._edits.append(
            Edit(
                path=path,
                line=written.line,
                setting=setting,
                before=written.before,
                after=written.after,
                target=target,
            )
        )

    def create(self, path: str, text: str) -> None:
        """The whole file; nothing where it is that already."""
        if self.read(path) != text.encode():
            self._files[path] = text.encode()

    def remove(self, path: str) -> None:
        if self.read(path) is not None:
            self._files[path] = None
