"""A snapshot's fleet: every region and target in it, each with what is wrong with it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from clusterops.errors import TerminalError
from clusterops.model.fleet import Fleet, FleetFile, Region
from clusterops.model.problem import Problem
from clusterops.model.revision import FileEntry, Snapshot
from clusterops.source.fleet.charts import ChartChecker
from clusterops.source.fleet.content import entry_problem, not_encrypted
from clusterops.source.fleet.deletions import DeletionFile, parse_deletion, unspent
from clusterops.source.fleet.fleet_file import ParsedFleetFile, missing_fleet_file, parse_fleet_file
from clusterops.source.fleet.layout import FLEET_FILE, REGION_SHARED, SHARED, Files, Layout, read_layout
from clusterops.source.fleet.memory import Memory, Reading
from clusterops.source.fleet.recipe import SECRETS, VALUES
from clusterops.source.fleet.region import Ground, cloud_problem, parse_region, region_path, unclaimed
from clusterops.source.fleet.target import Built, Parts, build_target, clashes


def read_fleet(snapshot: Snapshot) -> Fleet:
    """The fleet of one commit. Never raises for what people wrote; TransientError when blobs cannot be read."""
    return FleetReader().read(snapshot)


class FleetReader:
    """Remembers what it parsed by blob id: reading a fleet again costs what changed, and one pass over the paths.

    For one thread at a time.
    """

    def __init__(self) -> None:
        self._memory = Memory()

    def read(self, snapshot: Snapshot) -> Fleet:
        """O(files). A target whose files and ground are those of the last call is the same object."""
        self._memory.begin()
        fleet = _Pass(Reading(snapshot, self._memory)).fleet()
        self._memory.end()
        return fleet


class _Pass:
    """One reading, from the file at the root down to the targets."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._layout = Layout()
        self._parsed = ParsedFleetFile(file=FleetFile(name=""))

    def fleet(self) -> Fleet:
        self._parsed = self._read_fleet_file()
        document = self._parsed.document
        if document is None:
            return Fleet(file=self._parsed.file, problems=self._parsed.problems)
        self._layout = read_layout(self._reading.files)
        self._reading.prefetch(self._relevant())
        grounds = {name: self._ground(name) for name in self._layout.region_names}
        charts = ChartChecker(self._reading)
        targets = {built.target.name: charts.checked(built) for built in self._targets(grounds)}
        deletions = [self._deletion(path) for path in sorted(self._layout.deletions)]
        keys = tuple(each.key for each in deletions if each.key is not None)
        return Fleet(
            file=self._parsed.file,
            regions={name: ground.region for name, ground in grounds.items()},
            targets=dict(sorted({**targets, **clashes(targets)}.items())),
            deletions=keys,
            problems=(
                *self._parsed.problems,
                *(problem for each in deletions for problem in each.problems),
                *charts.fleet_problems(self._parsed.file, document),
                *self._unusable(self._layout.blocked, "fleet"),
            ),
            warnings=(*_warnings(self._layout, grounds), *unspent(keys, targets)),
            unclaimed=tuple(self._unclaimed(ground.region for ground in grounds.values())),
        )

    def _unclaimed(self, regions: Iterable[Region]) -> Iterator[Problem]:
        claimed = self._parsed.file.management_clusters
        for region in regions:
            if region.management not in claimed:
                problem = unclaimed(region, self._reading.text(region_path(region.name)), claimed)
                yield from () if problem is None else (problem,)

    def _read_fleet_file(self) -> ParsedFleetFile:
        entry = self._reading.files.get(FLEET_FILE)
        nothing = FleetFile(name="")
        if entry is None:
            return ParsedFleetFile(file=nothing, problems=(missing_fleet_file(),))
        if (
            problem := entry_problem(FLEET_FILE, entry, self._reading.content(FLEET_FILE), subject="fleet")
        ) is not None:
            return ParsedFleetFile(file=nothing, problems=(problem,))
        text = self._reading.text(FLEET_FILE) or b""
        return self._reading.memory.get(("fleet", entry.id), lambda: parse_fleet_file(text))

    def _relevant(self) -> Iterator[tuple[str, FileEntry]]:
        layout = self._layout
        for homes in (layout.clusters, layout.regions, layout.region_shared, layout.shared, layout.clouds):
            for files in homes.values():
                yield from files.items()
        yield from layout.deletions.items()

    def _deletion(self, path: str) -> DeletionFile:
        entry = self._layout.deletions[path]
        problem = entry_problem(path, entry, self._reading.content(path), subject="deletion")
        if problem is not None:
            return DeletionFile(problems=(problem,))
        return self._reading.memory.get(("deletion", path, entry.id), lambda: self._parse_deletion(path))

    def _parse_deletion(self, path: str) -> DeletionFile:
        try:
            return parse_deletion(path, self._reading.text(path) or b"")
        except TerminalError as error:
            return DeletionFile(problems=(Problem.of(error),))

    def _ground(self, name: str) -> Ground:
        files = self._layout.regions.get(name, {})
        region = self._region(name, files)
        cloud = f"clouds/{region[0].cloud}"
        of_cloud = (self._id(f"{cloud}/{VALUES}"), self._id(f"{cloud}/{SECRETS}"))
        key = (name, self._id(FLEET_FILE), *of_cloud, *_identity(files))
        return self._reading.memory.get(("ground", key), lambda: self._make_ground(region, files, cloud, key))

    def _region(self, name: str, files: Files) -> tuple[Region, tuple[Problem, ...]]:
        return self._reading.memory.get(
            ("region", name, self._id(FLEET_FILE), *_identity(files)), lambda: self._parse_region(name, files)
        )

    def _parse_region(self, name: str, files: Files) -> tuple[Region, tuple[Problem, ...]]:
        try:
            text = self._reading.text(region_path(name))
        except TerminalError as error:
            return Region(name=name, cloud="", namespace=name), (Problem.of(error),)
        region, document, problems = parse_region(name, text, files)
        if document is None or not self._parsed.clouds_known:
            return region, problems
        unknown = cloud_problem(region, document, self._parsed.file.clouds)
        return region, problems if unknown is None else (*problems, unknown)

    def _make_ground(
        self, found: tuple[Region, tuple[Problem, ...]], files: Files, cloud: str, key: tuple[str, ...]
    ) -> Ground:
        region, problems = found
        layers = (*self._reading.layers(cloud), *self._reading.layers(f"regions/{region.name}"))
        of_cloud = self._layout.clouds.get(region.cloud, {})
        beside = {path: entry for path, entry in of_cloud.items() if path.endswith((f"/{VALUES}", f"/{SECRETS}"))}
        opened = {layer.path for layer in layers}
        inherited = [
            *self._unusable(files, f"region {region.name}", opened),
            *self._unusable(beside, f"cloud {region.cloud}", opened),
        ]
        wrong = (*problems, *inherited, *(problem for layer in layers for problem in layer.problems))
        return Ground(region=region, layers=layers, problems=wrong, key=key)

    def _unusable(self, files: Files, subject: str, opened: Collection[str] = ()) -> list[Problem]:
        """``opened`` are values layers, which are decrypted."""
        judged = (
            self._plain_secrets(path, subject)
            or entry_problem(path, entry, self._reading.content(path), subject=subject, opened=path in opened)
            for path, entry in files.items()
        )
        return [problem for problem in judged if problem is not None]

    def _plain_secrets(self, path: str, subject: str) -> Problem | None:
        """A secrets.yaml of values beside a values.yaml that nobody encrypted."""
        content = self._reading.content(path) if path.endswith(f"/{SECRETS}") else None
        if content is None or content.sops_line or content.manifest or content.lfs or content.unreadable:
            return None
        return not_encrypted(path, subject=subject) if _is_beside_values(path) else None

    def _id(self, path: str) -> str:
        entry = self._reading.files.get(path)
        return "" if entry is None else f"{entry.id} {entry.kind}"

    def _targets(self, grounds: dict[str, Ground]) -> Iterator[Built]:
        for name, files in self._layout.shared.items():
            yield self._target(f"{SHARED}/{name}", f"shared/{name}", files, None, is_cluster=False)
        for name, files in self._layout.region_shared.items():
            directory = f"regions/{name}/{SHARED}"
            yield self._target(f"{name}/{REGION_SHARED}", directory, files, grounds[name], is_cluster=False)
        for name, files in self._layout.clusters.items():
            ground = grounds[name.partition("/")[0]]
            yield self._target(name, f"clusters/{name}", files, ground, is_cluster=True)

    def _target(self, name: str, directory: str, files: Files, ground: Ground | None, *, is_cluster: bool) -> Built:
        key = ("target", name, self._id(FLEET_FILE) if ground is None else ground.key, _identity(files))
        return self._reading.memory.get(
            key, lambda: build_target(self._parts(name, directory, files, ground, is_cluster=is_cluster))
        )

    def _parts(self, name: str, directory: str, files: Files, ground: Ground | None, *, is_cluster: bool) -> Parts:
        contents = ((path, self._reading.content(path)) for path in files)
        return Parts(
            name=name,
            directory=directory,
            files=files,
            contents={path: content for path, content in contents if content is not None},
            own=self._reading.layers(directory),
            ground=ground,
            fleet=self._parsed.file,
            is_cluster=is_cluster,
        )


def _is_beside_values(path: str) -> bool:
    """Of a cloud or a region itself, not of a folder in it."""
    return path.count("/") == 2


def _identity(files: Files) -> tuple[str, ...]:
    return tuple(part for path, entry in files.items() for part in (path, entry.id, entry.kind))


def _warnings(layout: Layout, grounds: dict[str, Ground]) -> Iterator[Problem]:
    """What reaches no target, so that nobody waits for it to be applied."""
    for path in sorted(layout.strays):
        hint = "a cluster is a directory: clusters/REGION/NAME/values.yaml"
        yield Problem(code="file-unused", subject="", message="belongs to no target", hint=hint, path=path)
    used = {*layout.region_shared, *(name.partition("/")[0] for name in layout.clusters)}
    yield from (problem for name, ground in grounds.items() if name not in used for problem in ground.problems)
