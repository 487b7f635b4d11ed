"""Destructive mistakes in a fleet repository: what people, scripts and merges do to one, none of it meant to delete.

Not among them is what is dropped on purpose: within a budget a pool, alone in its commit a ConfigMap or what is shared.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from tests.fuzz.fleet import OVERLAY_REGIONS, PER_REGION, REGIONS, is_chart, name_of, region_of
from tests.fuzz.memory import Files

COUNT = 500
SEED = 20261121

Change = dict[str, bytes]
Maker = Callable[[random.Random, Files], Change]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistake:
    """``files`` is the whole repository afterwards; an ``orphan`` is pushed over the history."""

    kind: str
    files: Files = field(repr=False)
    orphan: bool = False


def mistakes(base: Files, count: int = COUNT, *, seed: int = SEED) -> Iterator[Mistake]:
    """The same ones for a seed. Those that touch many clusters come a few times, the others in equal shares."""
    rng = random.Random(seed)
    kinds = _schedule(count)
    rng.shuffle(kinds)
    for kind in kinds:
        yield Mistake(kind=kind, files=_made(kind, rng, base), orphan=kind in ORPHANS)


def _schedule(count: int) -> list[str]:
    """Wide ones cost a pass over every cluster, those of a region one over twenty."""
    few = [kind for kind in WIDE for _ in range(max(1, count // 500))]
    some = [kind for kind in REGIONAL for _ in range(max(1, count // 200))]
    narrow = [kind for kind in MAKERS if kind not in {*WIDE, *REGIONAL}]
    return [*few, *some, *(narrow[number % len(narrow)] for number in range(count - len(few) - len(some)))]


def _made(kind: str, rng: random.Random, base: Files) -> Files:
    return MAKERS[kind](rng, base)


def _home(number: int) -> str:
    return f"clusters/{region_of(number)}/{name_of(number)}"


def _any(rng: random.Random) -> int:
    return rng.randrange(REGIONS * PER_REGION)


def _plain(rng: random.Random) -> int:
    """A cluster of plain YAML."""
    return rng.choice(
        [n for n in range(REGIONS * PER_REGION) if not is_chart(n) and n // PER_REGION not in OVERLAY_REGIONS]
    )


def _overlay(rng: random.Random) -> int:
    return rng.choice(OVERLAY_REGIONS) * PER_REGION + rng.randrange(PER_REGION)


def _chart(rng: random.Random) -> int:
    return (REGIONS - 1) * PER_REGION + rng.randrange(PER_REGION // 2)


def _region(rng: random.Random) -> str:
    return f"r{rng.randrange(REGIONS)}"


def without(files: Files, *prefixes: str) -> Change:
    return {path: content for path, content in files.items() if not path.startswith(prefixes)}


def moved(files: Files, old: str, new: str) -> Change:
    return {new + path[len(old) :] if path.startswith(old) else path: content for path, content in files.items()}


def edited(files: Files, path: str, change: Callable[[str], str]) -> Change:
    return {**files, path: change(files[path].decode()).encode()}


def _directory(rng: random.Random, files: Files) -> Change:
    return without(files, f"{_home(_any(rng))}/")


def _directories(rng: random.Random, files: Files) -> Change:
    return without(files, *(f"{_home(_any(rng))}/" for _ in range(rng.randint(2, 8))))


def _region_directory(rng: random.Random, files: Files) -> Change:
    return without(files, f"clusters/{_region(rng)}/")


def _everything(rng: random.Random, files: Files) -> Change:
    return without(files, "clusters/")


def _clusters_renamed(rng: random.Random, files: Files) -> Change:
    return moved(files, "clusters/", rng.choice(["cluster/", "Clusters/", "old/clusters/"]))


def _cluster_renamed(rng: random.Random, files: Files) -> Change:
    home = _home(_any(rng))
    return moved(files, f"{home}/", f"{home}-{rng.choice(['old', 'new', '2'])}/")


def _cluster_moved(rng: random.Random, files: Files) -> Change:
    number = _any(rng)
    others = [f"r{each}" for each in range(REGIONS) if f"r{each}" != region_of(number)]
    return moved(files, f"{_home(number)}/", f"clusters/{rng.choice(others)}/{name_of(number)}/")


def _clusters_swapped(rng: random.Random, files: Files) -> Change:
    one, two = rng.sample(range(REGIONS * PER_REGION - PER_REGION // 2 * 2), 2)
    first, second = f"{_home(one)}/", f"{_home(two)}/"
    return moved(moved(moved(files, first, "swap/"), second, first), "swap/", second)


def _region_moved(rng: random.Random, files: Files) -> Change:
    region = _region(rng)
    return moved(moved(files, f"regions/{region}/", "regions/x1/"), f"clusters/{region}/", "clusters/x1/")


def _region_file_lost(rng: random.Random, files: Files) -> Change:
    return without(files, f"regions/{_region(rng)}/region.yaml")


def _region_renamed(rng: random.Random, files: Files) -> Change:
    return moved(files, f"regions/{_region(rng)}/", "regions/renamed/")


def _region_elsewhere(rng: random.Random, files: Files) -> Change:
    return edited(files, f"regions/{_region(rng)}/region.yaml", lambda text: text + "management: other\n")


def _region_namespace(rng: random.Random, files: Files) -> Change:
    return edited(files, f"regions/{_region(rng)}/region.yaml", lambda text: text + "namespace: elsewhere\n")


def _shared_lost(rng: random.Random, files: Files) -> Change:
    region = _region(rng)
    return without(files, rng.choice(["shared/", f"regions/{region}/shared/"]), f"clusters/{region}/")


def _objects_emptied(rng: random.Random, files: Files) -> Change:
    return {**files, f"{_home(_plain(rng))}/objects.yaml": rng.choice([b"", b"---\n", b"# moved\n", b"{}\n"])}


def _objects_cut(rng: random.Random, files: Files) -> Change:
    def cut(text: str) -> str:
        parts = text.split("---\n")
        return "---\n".join(parts[: rng.randrange(1, len(parts) - 1)])

    return edited(files, f"{_home(_plain(rng))}/objects.yaml", cut)


def _objects_torn(rng: random.Random, files: Files) -> Change:
    return edited(files, f"{_home(_plain(rng))}/objects.yaml", lambda text: text[: rng.randrange(len(text) // 2)])


def _object_renamed(rng: random.Random, files: Files) -> Change:
    number = _plain(rng)
    name = name_of(number)
    return edited(files, f"{_home(number)}/objects.yaml", lambda text: text.replace(name, f"{name}x"))


def _kind_mistyped(rng: random.Random, files: Files) -> Change:
    wrong = rng.choice(["Clusters", "cluster", "DevCluster2"])
    return edited(
        files, f"{_home(_plain(rng))}/objects.yaml", lambda text: text.replace("kind: Cluster\n", f"kind: {wrong}\n")
    )


def _namespace_added(rng: random.Random, files: Files) -> Change:
    return edited(
        files,
        f"{_home(_plain(rng))}/objects.yaml",
        lambda text: re.sub(r"metadata: \{name: ([a-z0-9-]+)", r"metadata: {namespace: stray, name: \1", text),
    )


def _conflict(rng: random.Random, files: Files) -> Change:
    path = f"{_home(_plain(rng))}/objects.yaml"
    return edited(files, path, lambda text: f"<<<<<<< HEAD\n{text}=======\n>>>>>>> other\n")


def _pointer(rng: random.Random, files: Files) -> Change:
    text = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 1\n"
    return {**files, f"{_home(_plain(rng))}/objects.yaml": text.encode()}


def _kustomization_emptied(rng: random.Random, files: Files) -> Change:
    empty = rng.choice([b"", b"resources: []\n", b"{}\n", b"kind: Kustomization\n"])
    return {**files, f"{_home(_overlay(rng))}/kustomization.yaml": empty}


def _prefix(rng: random.Random, files: Files) -> Change:
    line = rng.choice(["namePrefix: new-", "nameSuffix: -v2", "namespace: other"])
    return edited(files, f"{_home(_overlay(rng))}/kustomization.yaml", lambda text: f"{line}\n{text}")


def _prefix_of_region(rng: random.Random, files: Files) -> Change:
    kind = "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n"
    region = rng.choice([f"r{each}" for each in range(REGIONS)])
    line = rng.choice(["namePrefix: new-", "nameSuffix: -v2"])
    return {**files, f"regions/{region}/kustomization.yaml": f"{kind}{line}\n".encode()}


def _base_emptied(rng: random.Random, files: Files) -> Change:
    path, content = rng.choice(
        [("base/objects.yaml", b""), ("base/kustomization.yaml", b"resources: []\n"), ("base/kustomization.yaml", b"")]
    )
    return {**files, path: content}


def _base_lost(rng: random.Random, files: Files) -> Change:
    return without(files, "base/")


def _chart_renamed(rng: random.Random, files: Files) -> Change:
    return moved(files, "charts/cluster-dev/", "charts/cluster-next/")


def _chart_name(rng: random.Random, files: Files) -> Change:
    return edited(files, "charts/cluster-dev/Chart.yaml", lambda text: text.replace("name: cluster-dev", "name: next"))


def _chart_emptied(rng: random.Random, files: Files) -> Change:
    return without(files, "charts/cluster-dev/templates/")


def _values_emptied(rng: random.Random, files: Files) -> Change:
    return {**files, f"{_home(_chart(rng))}/values.yaml": rng.choice([b"", b"{}\n", b"version: v1.34.1\npools: {gen"])}


def _fleet_name(rng: random.Random, files: Files) -> Change:
    return edited(files, "fleet.yaml", lambda text: text.replace("name: fuzz", "name: renamed"))


def _fleet_lost(rng: random.Random, files: Files) -> Change:
    return moved(files, "fleet.yaml", rng.choice(["fleet.yml", "fleet.yaml.orig"]))


def _fleet_torn(rng: random.Random, files: Files) -> Change:
    return edited(files, "fleet.yaml", lambda text: text[: rng.randrange(len(text) - 30)])


def _targets_broken(rng: random.Random, files: Files) -> Change:
    line = rng.choice(
        [
            "targets: [{match: 'clusters/*", "targets: clusters\n", "targets: [{match: 3}]\n", "targets: {a: b}\n",
            "clusters: []\n",
        ]
    )  # fmt: skip
    return edited(files, "fleet.yaml", lambda text: text + line)


def _cloud_renamed(rng: random.Random, files: Files) -> Change:
    return edited(files, "fleet.yaml", lambda text: text.replace("dev: {chart", "devel: {chart"))


def _wrong_key(rng: random.Random, files: Files) -> Change:
    number = _any(rng)
    day = datetime.now(UTC) + timedelta(days=rng.choice([-1, 3, 40]))
    uid = f"{rng.getrandbits(32):08x}-0000-4000-8000-000000000000"
    key = f"target: {region_of(number)}/{name_of(number)}\nuid: {uid}\nreason: a slip\nexpires: {day:%Y-%m-%d}\n"
    return {**without(files, f"{_home(number)}/"), "deletions/key.yaml": key.encode()}


def _broken_key(rng: random.Random, files: Files) -> Change:
    number = _any(rng)
    key = rng.choice([b"uid: ''\n", b"target: all\n", b"", b"target: r0/c0000\nuid: any\nreason: x\n"])
    return {**without(files, f"{_home(number)}/"), "deletions/key.yaml": key}


def _orphan(rng: random.Random, files: Files) -> Change:
    kept = rng.choice(["README.md", "fleet.yaml", "regions/"])
    return {path: content for path, content in files.items() if path.startswith(kept)}


def _several(rng: random.Random, files: Files) -> Change:
    """Two to four mistakes of single clusters at once."""
    for _ in range(rng.randint(2, 4)):
        files = rng.choice(_SINGLE)(rng, files)
    return dict(files)


_SINGLE: tuple[Maker, ...] = (_directory, _cluster_moved, _cluster_renamed, _wrong_key)

MAKERS: Mapping[str, Maker] = {
    "a cluster's directory dropped": _directory,
    "several directories dropped": _directories,
    "a region's clusters dropped": _region_directory,
    "all clusters dropped": _everything,
    "clusters/ renamed": _clusters_renamed,
    "a cluster's directory renamed": _cluster_renamed,
    "a cluster moved to another region": _cluster_moved,
    "two clusters swapped": _clusters_swapped,
    "a region moved": _region_moved,
    "region.yaml lost": _region_file_lost,
    "regions/NAME renamed": _region_renamed,
    "a region given to nobody": _region_elsewhere,
    "a region's namespace changed": _region_namespace,
    "shared targets and clusters dropped": _shared_lost,
    "objects emptied": _objects_emptied,
    "objects cut between two": _objects_cut,
    "objects torn anywhere": _objects_torn,
    "every object renamed": _object_renamed,
    "the Cluster's kind mistyped": _kind_mistyped,
    "a namespace added to objects": _namespace_added,
    "conflict markers": _conflict,
    "a pointer instead of the file": _pointer,
    "a kustomization emptied": _kustomization_emptied,
    "a prefix in an overlay": _prefix,
    "a prefix for a region": _prefix_of_region,
    "the base emptied": _base_emptied,
    "the base lost": _base_lost,
    "the chart's folder renamed": _chart_renamed,
    "the chart's name changed": _chart_name,
    "the chart's templates lost": _chart_emptied,
    "values emptied": _values_emptied,
    "fleet.yaml: another name": _fleet_name,
    "fleet.yaml lost": _fleet_lost,
    "fleet.yaml torn": _fleet_torn,
    "fleet.yaml: targets broken": _targets_broken,
    "fleet.yaml: a cloud renamed": _cloud_renamed,
    "a second key that does not fit": _wrong_key,
    "a second key that is none": _broken_key,
    "an orphan pushed over the branch": _orphan,
    "several at once": _several,
}
WIDE = ("all clusters dropped", "clusters/ renamed", "fleet.yaml: another name", "fleet.yaml: a cloud renamed")
REGIONAL = (
    "a region's clusters dropped",
    "a region moved",
    "region.yaml lost",
    "regions/NAME renamed",
    "a region given to nobody",
    "a region's namespace changed",
    "shared targets and clusters dropped",
    "a prefix for a region",
    "the base emptied",
    "the base lost",
)
ORPHANS = frozenset({"an orphan pushed over the branch"})
