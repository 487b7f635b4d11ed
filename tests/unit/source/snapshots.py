"""Snapshots without git, for what only looks at files."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from clusterops.model.revision import EntryKind, FileEntry, Revision, Snapshot

REVISION = Revision(
    repository="memory", branch="main", commit="a" * 40, committed_at=datetime(2026, 11, 21, tzinfo=UTC)
)

FLEET = """\
apiVersion: clusterops.io/v1alpha1
kind: FleetFile
name: platform
mode: apply
clouds:
  openstack: {chart: {path: charts/cluster-openstack}}
"""
REGION = "cloud: openstack\ncredentials: {secret: eu-cloud-config, cloud: platform}\n"
GOOD: Mapping[str, str] = {
    "fleet.yaml": FLEET,
    "charts/cluster-openstack/Chart.yaml": "name: cluster-openstack\nversion: 0.1.0\n",
    "clouds/openstack/values.yaml": "sizes: {small: m1.small}\n",
    "regions/eu/region.yaml": REGION,
    "regions/eu/values.yaml": "images: {v1.34.1: ubuntu}\n",
    "clusters/eu/web/values.yaml": "version: v1.34.1\npools:\n  general: {replicas: 3}\n",
}


class CountingReader:
    """Counts the blobs that were asked for."""

    def __init__(self, blobs: Mapping[str, bytes]) -> None:
        self._blobs = blobs
        self.reads = 0

    def read(self, entries: Sequence[tuple[str, str]]) -> list[bytes]:
        self.reads += len(entries)
        return [self._blobs[id_] for _, id_ in entries]


def snapshot_of(files: Mapping[str, str], *, kinds: Mapping[str, EntryKind] | None = None) -> Snapshot:
    blobs = {hashlib.sha1(text.encode()).hexdigest(): text.encode() for text in files.values()}
    entries = {
        path: FileEntry(hashlib.sha1(text.encode()).hexdigest(), (kinds or {}).get(path, EntryKind.FILE))
        for path, text in files.items()
    }
    return Snapshot(revision=REVISION, files=entries, reader=CountingReader(blobs))


def changed(changes: Mapping[str, str | None]) -> dict[str, str]:
    """GOOD with these files set, or removed where None."""
    return {path: text for path, text in {**GOOD, **changes}.items() if text is not None}
