"""Which drift is not to be told: rules by object, JSON pointer and field manager."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final

from clusterops.model.key import ObjectKey

ANY: Final = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class IgnoreRule:
    """Fields at or below one of ``pointers``, last written by one of ``managers``; an empty list stands for all.

    ``kind``, ``group``, ``name``, ``namespace`` and managers are names or globs (``*``). A pointer is RFC 6901, where
    ``*`` as a whole token is any one token. ``source`` is how people know the rule: ``fleet.yaml:25``.
    """

    source: str
    kind: str = ANY
    group: str = ANY
    name: str = ANY
    namespace: str = ANY
    pointers: tuple[str, ...] = ()
    managers: tuple[str, ...] = ()

    def concerns(self, key: ObjectKey) -> bool:
        """Whether it says anything of that object."""
        named = ((key.kind, self.kind), (key.group, self.group), (key.name, self.name))
        return all(fnmatchcase(has, wanted) for has, wanted in (*named, (key.namespace or "", self.namespace)))

    def covers(self, pointer: str, manager: str) -> bool:
        """Whether it takes out that field of an object that it concerns; ``manager`` is "" where nobody owns it."""
        placed = not self.pointers or any(is_at_or_below(pointer, one) for one in self.pointers)
        return placed and (not self.managers or any(fnmatchcase(manager, one) for one in self.managers))

    @property
    def words(self) -> str:
        """``MachineDeployment /spec/replicas by cluster-autoscaler``"""
        named = "/".join(one for one in (self.namespace, self.name) if one != ANY)
        what = " ".join(one for one in ("any object" if self.kind == ANY else self.kind, named) if one)
        by = f" by {', '.join(self.managers)}" if self.managers else ""
        return f"{what} {', '.join(self.pointers) or 'any field'}{by}"


def is_at_or_below(pointer: str, pattern: str) -> bool:
    """Whether a pointer is what a pattern means, or lies below it; never what lies above."""
    wanted, found = _tokens(pattern), _tokens(pointer)
    if len(wanted) > len(found):
        return False
    return all(one in {ANY, has} for one, has in zip(wanted, found, strict=False))


def _tokens(pointer: str) -> Sequence[str]:
    """Still escaped: equal texts are equal tokens."""
    return pointer.split("/")[1:]
