"""One object on its way from git to the API server."""

from __future__ import annotations

from dataclasses import dataclass

from clusterops.model.bodies import with_leaf
from clusterops.model.key import ObjectKey
from clusterops.model.manifest import Manifest
from clusterops.model.plan import HandedOver, Left, Reclaimed, Taken
from clusterops.model.problem import Problem
from clusterops.model.sketch import NOTHING, Sketch


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """``manifest`` is sent, ``written`` is what git says; a rotated one follows the generation ``instead_of``.

    ``adopts`` are the field managers that it is taken over from; ``follows`` the templates, as git calls them, whose
    new generation its references move to. ``applied`` is what will be remembered of it, with the
    fields that are left to others for now, ``owed`` those of them that are drift; ``refused`` why it is
    not written at all. ``asks`` is what can be sent while the twins that it ``reclaims`` are there. One that
    ``stands`` is as git had it when it was last applied, and is not written either.
    """

    manifest: Manifest
    written: Manifest
    instead_of: ObjectKey | None = None
    takes: tuple[Taken, ...] = ()
    left: tuple[Left, ...] = ()
    hands_over: tuple[HandedOver, ...] = ()
    adopts: tuple[str, ...] = ()
    reclaims: tuple[Reclaimed, ...] = ()
    asks: Manifest | None = None
    applied: Sketch | None = None
    owed: Sketch = NOTHING
    refused: Problem | None = None
    stands: bool = False
    follows: tuple[ObjectKey, ...] = ()

    @property
    def rehearsed(self) -> Manifest:
        """What the apply comes to: a count that is handed over first will not be without an owner."""
        return self._counted(self.manifest)

    @property
    def asked(self) -> Manifest:
        """What a dry run sends: an item waits until its twin is gone."""
        return self._counted(self.asks or self.manifest)

    def _counted(self, manifest: Manifest) -> Manifest:
        body = manifest.body
        for one in self.hands_over:
            body = with_leaf(body, one.pointer, one.value)
        return Manifest.of(body) if self.hands_over else manifest

    @classmethod
    def as_written(cls, manifest: Manifest) -> Wanted:
        return cls(manifest=manifest, written=manifest)
