"""The watch decoder and follower: nothing depends on how the stream was cut."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clusterops.errors import TransientError
from clusterops.kube.resources import Resource
from clusterops.kube.watch import Follower, LineSplitter, Relist
from clusterops.model.live import LiveObject

THINGS = Resource(group="", version="v1", kind="ConfigMap", plural="configmaps", namespaced=True)
NAMES = st.sampled_from(["a", "b", "c", "d"])


def thing(name: str, version: int, uid: str = "u", text: str = "") -> dict[str, Any]:
    metadata = {"namespace": "n", "name": name, "uid": f"{uid}-{name}", "resourceVersion": str(version)}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"text": text}}


def event_line(kind: str, body: dict[str, Any]) -> bytes:
    return json.dumps({"type": kind, "object": body}, ensure_ascii=False).encode() + b"\n"


@st.composite
def streams(draw: st.DrawFn) -> bytes:
    """Lines of a watch, some long, with text beyond ASCII and escaped line ends in it."""
    lines = draw(
        st.lists(
            st.tuples(st.sampled_from(["ADDED", "MODIFIED", "DELETED", "BOOKMARK"]), NAMES, st.text(max_size=40)),
            max_size=8,
        )
    )
    return b"".join(
        event_line(kind, thing(name, number + 1, text=text * (500 if number == 3 else 1)))
        for number, (kind, name, text) in enumerate(lines)
    )


def cut(stream: bytes, places: list[int]) -> list[bytes]:
    ends = sorted({place % (len(stream) + 1) for place in places} | {0, len(stream)})
    return [stream[start:end] for start, end in itertools.pairwise(ends)]


def decoded(chunks: list[bytes]) -> list[tuple[str, str, str]]:
    splitter, follower = LineSplitter(), Follower(THINGS)
    seen = []
    for chunk in chunks:
        for line in splitter.feed(chunk):
            event = follower.received(line)
            if event is not None and event.object is not None:
                seen.append((event.kind, event.object.key.name, event.object.resource_version))
            else:
                seen.append(("BOOKMARK", "", follower.resource_version))
    return seen


@given(streams(), st.lists(st.integers(min_value=0), max_size=20))
def test_a_stream_cut_anywhere_decodes_to_the_same_events(stream: bytes, places: list[int]) -> None:
    assert decoded(cut(stream, places)) == decoded([stream])


@given(streams())
def test_a_stream_that_comes_byte_by_byte_decodes_to_the_same_events(stream: bytes) -> None:
    short = stream[:4000]
    assert decoded([short[at : at + 1] for at in range(len(short))]) == decoded([short])


def test_a_line_that_is_not_finished_is_no_event() -> None:
    whole = event_line("ADDED", thing("a", 1))
    assert list(LineSplitter().feed(whole[:-1])) == []


def test_a_line_of_many_megabytes_takes_linear_time() -> None:
    line = event_line("ADDED", thing("a", 1, text="x" * 8_000_000))
    splitter = LineSplitter()
    lines = [found for at in range(0, len(line), 1000) for found in splitter.feed(line[at : at + 1000])]
    assert lines == [line.strip()]


Step = tuple[str, list[tuple[str, int]]]
STATES = st.lists(st.dictionaries(NAMES, st.tuples(st.integers(0, 2), st.integers(1, 9)), max_size=4), max_size=6)


@given(STATES)
def test_replaying_the_events_of_any_lists_gives_the_last_list(states: list[dict[str, tuple[int, int]]]) -> None:
    """A consumer that only follows events ends with what the server holds, and no DELETED is unpaired."""
    follower = Follower(THINGS)
    mirror: dict[str, tuple[str, str]] = {}
    for state in states:
        now = [LiveObject.of(thing(name, version, uid=f"u{uid}")) for name, (uid, version) in state.items()]
        events = list(follower.listed(now, "7"))
        assert [event.kind for event in events].count("SYNCED") == 1
        assert events[-1].kind == "SYNCED"
        for event in events[:-1]:
            assert event.object is not None
            name = event.object.key.name
            if event.kind == "DELETED":
                assert mirror.pop(name)
            else:
                assert (name in mirror) == (event.kind == "MODIFIED")
                mirror[name] = (event.object.uid, event.object.resource_version)
        assert mirror == {live.key.name: (live.uid, live.resource_version) for live in now}


def test_a_list_that_finds_nothing_new_only_says_that_it_is_complete() -> None:
    follower = Follower(THINGS)
    live = [LiveObject.of(thing("a", 1))]
    assert [event.kind for event in follower.listed(live, "1")] == ["ADDED", "SYNCED"]
    assert [event.kind for event in follower.listed(live, "9")] == ["SYNCED"]


def test_an_object_made_anew_under_its_name_is_deleted_and_added() -> None:
    follower = Follower(THINGS)
    list(follower.listed([LiveObject.of(thing("a", 1, uid="old"))], "1"))
    events = list(follower.listed([LiveObject.of(thing("a", 5, uid="new"))], "5"))
    assert [(event.kind, event.object.uid if event.object else "") for event in events] == [
        ("DELETED", "old-a"),
        ("ADDED", "new-a"),
        ("SYNCED", ""),
    ]


def test_a_bookmark_moves_the_place_to_go_on_from() -> None:
    follower = Follower(THINGS)
    list(follower.listed([], "1"))
    bookmark = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"resourceVersion": "42"}}
    assert follower.received(event_line("BOOKMARK", bookmark)) is None
    assert follower.resource_version == "42"


def test_an_expired_version_asks_for_a_new_list() -> None:
    follower = Follower(THINGS, resource_version="3")
    with pytest.raises(Relist):
        follower.received(event_line("ERROR", {"kind": "Status", "code": 410, "reason": "Expired"}))
    assert follower.resource_version == ""


@pytest.mark.parametrize("line", [b"{", b"[]", b'{"type":"ADDED"}', b'{"type":"WHAT","object":{}}', b'"x"'])
def test_what_is_no_watch_event_is_an_error_and_not_a_crash(line: bytes) -> None:
    with pytest.raises(TransientError, match="watch-broken"):
        Follower(THINGS).received(line)
