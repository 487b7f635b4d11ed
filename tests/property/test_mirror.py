"""Lists, watches and our own answers tell of one kind in any order: what is held converges and never goes back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from clusterops.kube.live.mirror import Mirror, Step
from clusterops.kube.live.packing import Packer, signature
from clusterops.kube.resources import Resource
from clusterops.model.live import LiveObject

THINGS = Resource(group="example.org", version="v1", kind="Thing", plural="things", namespaced=True)
NAMES = ("a", "b", "c")
OPS = ("ours", "theirs", "status", "we delete", "they delete", "get", "deliver", "begin", "page", "finish")


def thing(name: str, uid: str, version: int, text: str, status: int = 0) -> LiveObject:
    metadata = {"namespace": "n", "name": name, "uid": uid, "resourceVersion": str(version)}
    body: dict[str, Any] = {"apiVersion": "example.org/v1", "kind": "Thing", "metadata": metadata}
    return LiveObject.of({**body, "spec": {"text": text}, "status": {"seen": status}})


@dataclass
class Server:
    """One kind with its history; the mirror hears of it in the ways a live cache does."""

    mirror: Mirror = field(default_factory=lambda: Mirror(THINGS, Packer(signature)))
    version: int = 0
    now: dict[str, LiveObject] = field(default_factory=dict)
    log: list[tuple[int, str, LiveObject]] = field(default_factory=list)
    heard: int = 0
    """How much of the log the watch has told."""
    history: dict[str, list[tuple[int, str | None]]] = field(default_factory=lambda: {n: [(0, None)] for n in NAMES})
    floor: dict[str, int] = field(default_factory=lambda: dict.fromkeys(NAMES, 0))
    """Since when, in versions, we know of an object at first hand."""
    listing: tuple[int, list[LiveObject]] | None = None
    steps: list[Step | None] = field(default_factory=list)

    def write(self, name: str, *, status: bool = False) -> LiveObject:
        self.version += 1
        known = self.now.get(name)
        uid = known.uid if known else f"u{self.version}"
        text = str(known.body["spec"]["text"]) if known and status else str(self.version)
        live = thing(name, uid, self.version, text, self.version)
        self.log.append((self.version, "MODIFIED" if known else "ADDED", live))
        self.now[name] = live
        self.history[name].append((self.version, str(self.version)))
        return live

    def remove(self, name: str) -> LiveObject:
        self.version += 1
        known = self.now.pop(name)
        last = thing(name, known.uid, self.version, str(known.body["spec"]["text"]))
        self.log.append((self.version, "DELETED", last))
        self.history[name].append((self.version, None))
        return known

    def play(self, op: str, name: str) -> None:
        if op == "ours":
            self.steps.append(self.mirror.learn(self.write(name)))
            self.floor[name] = self.version
        elif op in {"theirs", "status"}:
            self.write(name, status=op == "status")
        elif op == "they delete" and name in self.now:
            self.remove(name)
        elif op == "we delete" and name in self.now:
            gone = self.remove(name)
            held = self.mirror.shelf.get(gone.key)
            unseen = held is None or held.uid != gone.uid
            self.steps.append(self.mirror.gone(gone.key, gone.uid, unseen=unseen))
            # Where another of its name is held, nobody can tell which came first, and its key is doubtful.
            self.floor[name] = self.floor[name] if gone.key in self.mirror.shelf else self.version
        elif op == "get":
            self.get(name)
        elif op == "deliver" and self.listing is None and self.heard < len(self.log):
            _, kind, live = self.log[self.heard]
            self.heard += 1
            self.steps.append(self.mirror.deleted(live) if kind == "DELETED" else self.mirror.take(live))
        elif op == "begin":
            self.listing = (self.version, list(self.now.values()))
            self.mirror.begin()
        elif op == "page" and self.listing is not None and self.listing[1]:
            self.mirror.page([self.listing[1].pop()])
        elif op == "finish":
            self.finish()

    def get(self, name: str) -> None:
        key = thing(name, "", 0, "").key
        held = self.mirror.shelf.get(key)
        if name in self.now:
            self.steps.append(self.mirror.learn(self.now[name]))
        elif held is not None:
            self.steps.append(self.mirror.gone(key, held.uid))
        if name in self.now or held is not None:
            self.floor[name] = self.version

    def finish(self) -> None:
        if self.listing is not None:
            version, left = self.listing
            self.mirror.page(left)
            self.steps.extend(self.mirror.finish(str(version)))
            self.heard = sum(at <= version for at, _, _ in self.log)
            self.listing = None

    def shown(self, name: str) -> str | None:
        packed = self.mirror.shelf.get(thing(name, "", 0, "").key)
        return packed.resource_version if packed else None

    def possible(self, name: str) -> set[str | None]:
        """What the server held at any time since we know of it at first hand."""
        states = self.history[name]
        before = [state for at, state in states if at <= self.floor[name]][-1]
        return {before, *(state for at, state in states if at > self.floor[name])}


@given(st.lists(st.tuples(st.sampled_from(OPS), st.sampled_from(NAMES)), max_size=60))
def test_no_source_that_lags_undoes_what_is_known_and_all_ends_as_the_server_has_it(ops: list[tuple[str, str]]) -> None:
    server = Server()
    for op, name in ops:
        server.play(op, name)
        for each in NAMES:
            assert server.shown(each) in server.possible(each)
    server.finish()
    while server.heard < len(server.log):
        server.play("deliver", "a")
    assert {name: server.shown(name) for name in NAMES} == {
        name: server.now[name].resource_version if name in server.now else None for name in NAMES
    }


@given(st.lists(st.tuples(st.sampled_from(OPS), st.sampled_from(NAMES)), max_size=60))
def test_replaying_the_steps_gives_what_is_held_and_no_status_moves_anything(ops: list[tuple[str, str]]) -> None:
    server = Server()
    for op, name in ops:
        server.play(op, name)
    replayed: dict[str, LiveObject] = {}
    moved: dict[str, str] = {}
    for step in server.steps:
        if step is None:
            continue
        name = step.key.name
        assert (step.kind == "ADDED") == (name not in replayed)
        if step.kind == "DELETED":
            del replayed[name]
            assert step.moved
        else:
            assert step.moved == (moved.get(name) != f"{step.object.uid} {step.object.body['spec']['text']}")
            replayed[name] = step.object
        moved[name] = f"{replayed[name].uid} {replayed[name].body['spec']['text']}" if name in replayed else ""
    assert {name: live.resource_version for name, live in replayed.items()} == {
        name: server.shown(name) for name in NAMES if server.shown(name) is not None
    }
