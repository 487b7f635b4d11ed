"""Both keys of a deletion: the second key's file, and the directory that goes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import yaml

from clusterops.edit.draft import Draft
from clusterops.model.deletion import DeletionKey

FOLDER: Final = "deletions"


def key_path(target: str, known: Iterable[DeletionKey]) -> str:
    """``deletions/search.yaml``; with the region where that name is another target's. A key that is there is reused."""
    by_path = {key.path: key.target for key in known}
    own = sorted(path for path, named in by_path.items() if named == target)
    short = f"{FOLDER}/{target.rpartition('/')[2]}.yaml"
    if own:
        return own[0]
    return short if short not in by_path else f"{FOLDER}/{target.replace('/', '-')}.yaml"


def key_text(key: DeletionKey) -> str:
    """The file as people read it in review."""
    quoted = (
        yaml.safe_dump(key.reason, default_style=None, width=1000, allow_unicode=True).removesuffix("...\n").strip()
    )
    return f"target: {key.target}\nuid: {key.uid}\nreason: {quoted}\nexpires: {key.expires.isoformat()}\n"


def draft_deletion(draft: Draft, key: DeletionKey, paths: Iterable[str] = ()) -> None:
    """The key at ``key.path``, and ``paths`` (the cluster's files) gone.

    The key comes first: without the second step nothing is deleted.
    """
    draft.create(key.path, key_text(key))
    for path in sorted(paths):
        draft.remove(path)
