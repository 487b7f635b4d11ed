"""One object on its way from git to the API server."""

from __future__ import annotations

from dataclasses import dataclass

from clusterops.model.key import ObjectKey
from clusterops.model.manifest import Manifest
from clusterops.model.plan import HandedOver, Left, Taken


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """``manifest`` is sent, ``written`` is what git says; a rotated one follows the generation ``instead_of``.

    ``adopts`` are the field managers that it is taken over from; ``follows`` the templates, as git calls them, whose
    new generation its references move to.
    """

    manifest: Manifest
    written: Manifest
    instead_of: ObjectKey | None = None
    takes: tuple[Taken, ...] = ()
    left: tuple[Left, ...] = ()
    hands_over: tuple[HandedOver, ...] = ()
    adopts: tuple[str, ...] = ()
    follows: tuple[ObjectKey, ...] = ()

    @classmethod
    def as_written(cls, manifest: Manifest) -> Wanted:
        return cls(manifest=manifest, written=manifest)
