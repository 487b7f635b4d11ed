"""Real drift, made by hand now and then: each has to be seen, and its author named."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from tests.fleet_objects import body
from tests.shows.drift_edits import Person
from tests.shows.drift_told import Told
from tests.shows.drift_watch import Place
from tests.shows.impact_clusters import BOOT
from tests.stage import Api

ATTEMPTS: Final = 5
_NOTE: Final = "/metadata/labels/note"


@dataclass(slots=True, kw_only=True)
class Control:
    """What is done to which object, and what has to be said of it. ``seconds`` is how long that took, 0 if never."""

    name: str
    target: str
    place: Place
    what: str
    act: Callable[[Person, Place], None]
    pointer: str = ""
    managers: tuple[str, ...] = ("",)
    author: str = "person"
    began: float = 0.0
    seconds: float = 0.0
    wrong: str = ""

    def explains(self, one: Told) -> bool:
        """Whether a row is about what was done here, rightly named or not."""
        begun = bool(self.began) and one.place == self.place
        return begun and (one.pointer.startswith(self.pointer) or not one.pointer)

    def heard(self, one: Told, at: float) -> None:
        """An edit of two writes may be seen between them: one right row is enough."""
        right = one.what == self.what and one.manager in self.managers and one.author == self.author
        if right and (not self.seconds or self.wrong):
            self.seconds, self.wrong = at - self.began, ""
        elif not self.seconds:
            self.seconds, self.wrong = at - self.began, f"{one}"


def controls() -> list[Control]:
    """In the order of their time; of clusters that are there from the start."""

    def of(kind: str, target: str, suffix: str = "") -> dict[str, Any]:
        region, _, name = target.partition("/")
        return {"target": target, "place": Place(kind=kind, namespace=region, name=name + suffix)}

    edited = ("kubectl-edit",)
    return [
        Control(
            name="kubectl edit of a label",
            **of("Cluster", "plain/plain-0"),
            what="changed",
            pointer=_NOTE,
            managers=edited,
            act=lambda person, place: person.set(place, _NOTE, "by-hand"),
        ),
        Control(
            name="kubectl patch of a strategy, healed",
            **of("MachineDeployment", "chart/chart-0", "-general"),
            what="changed",
            pointer="/spec/rollout",
            managers=("kubectl-patch",),
            act=lambda person, place: person.patch(
                place, "/spec/rollout/strategy/rollingUpdate/maxSurge", 2, manager="kubectl-patch"
            ),
        ),
        Control(
            name="kubectl scale",
            **of("MachineDeployment", "older/older-1", "-general"),
            what="changed",
            pointer="/spec/replicas",
            managers=("kubectl-scale", "kubectl"),
            act=_scale,
        ),
        Control(
            name="kubectl delete, reported",
            **of("MachineHealthCheck", "plain/plain-1", "-general"),
            what="deleted",
            author="unknown",
            act=_delete,
        ),
        Control(
            name="kubectl delete, healed",
            **of("MachineHealthCheck", "chart/chart-1", "-general"),
            what="deleted",
            author="unknown",
            act=_delete,
        ),
        Control(
            name="kubectl edit of a topology's count",
            **of("Cluster", "class/class-1"),
            what="changed",
            pointer="/spec/topology/workers/machineDeployments",
            managers=edited,
            act=lambda person, place: person.set(place, "/spec/topology/workers/machineDeployments/0/replicas", 4),
        ),
        Control(
            name="kubectl apply of the same value",
            **of("Cluster", "older/older-0"),
            what="ownership-lost",
            pointer=_NOTE,
            managers=("kubectl",),
            act=_take,
        ),
        Control(
            name="an unknown program",
            **of("KubeadmControlPlane", "older/older-0", "-planes"),
            what="changed",
            pointer="/spec/kubeadmConfigSpec/clusterConfiguration",
            managers=("terraform",),
            author="unknown",
            act=lambda person, place: person.patch(
                place,
                "/spec/kubeadmConfigSpec/clusterConfiguration/apiServer/extraArgs/0/value",
                "7",
                manager="terraform",
            ),
        ),
        Control(
            name="an extra object",
            target="plain/plain-2",
            place=Place(kind="KubeadmConfigTemplate", namespace="plain", name="left-over"),
            what="extra",
            managers=("", "kubectl-create"),
            author="person",
            act=_extra,
        ),
        Control(
            name="kubectl edit of a label, healed",
            **of("KubeadmControlPlane", "chart/chart-2", "-control-plane"),
            what="changed",
            pointer="/metadata/labels/app.kubernetes.io~1managed-by",
            managers=edited,
            act=lambda person, place: person.set(place, "/metadata/labels/app.kubernetes.io~1managed-by", "me"),
        ),
    ]


def _scale(person: Person, place: Place) -> None:
    if person.kubectl:
        person.run("scale", place.resource, place.name, "-n", place.namespace, "--replicas", "4")
    else:
        person.patch(place, "/spec/replicas", 4, manager="kubectl-scale")


def _delete(person: Person, place: Place) -> None:
    Api(person.sandbox).send("DELETE", place.path)


def _take(person: Person, place: Place) -> None:
    """Forced: the value stays, and is kubectl's from now on as well as ours no more."""
    api = Api(person.sandbox)
    live = api.get(place.path)
    taken = {
        "apiVersion": live["apiVersion"],
        "kind": live["kind"],
        "metadata": {"name": place.name, "namespace": place.namespace, "labels": {"note": "taken"}},
    }
    back = {**taken, "metadata": {**taken["metadata"], "labels": {"note": live["metadata"]["labels"]["note"]}}}
    for each in (taken, back):
        path = f"{place.path}?fieldManager=kubectl&force=true"
        api.send("PATCH", path, each, "application/apply-patch+yaml")


def _extra(person: Person, place: Place) -> None:
    joining = {"template": {"spec": {"joinConfiguration": {"nodeRegistration": {"criSocket": "unix:///c.sock"}}}}}
    one = body(f"{BOOT}/v1beta2", place.kind, place.name, place.namespace, spec=joining)
    one["metadata"].pop("annotations")
    one["metadata"]["labels"] = {"cluster.x-k8s.io/cluster-name": "plain-2"}
    path = place.path.rpartition("/")[0]
    Api(person.sandbox).send("POST", f"{path}?fieldManager=kubectl-create", one)


def plan_of(minutes: float, found: list[Control]) -> list[tuple[float, Control]]:
    """When each begins, in seconds from the start: evenly, once the first clusters have come up."""
    first, last = minutes * 60 * 0.35, minutes * 60 * 0.9
    step = (last - first) / max(len(found) - 1, 1)
    return [(first + number * step, one) for number, one in enumerate(found)]


def said(one: Control) -> str:
    words = {"place": f"{one.place.kind} {one.place.namespace}/{one.place.name}", "pointer": one.pointer}
    return json.dumps({"control": one.name, **words, "seen after": round(one.seconds, 3), "wrong": one.wrong})


def begin(one: Control, person: Person) -> None:
    """People try again when a busy API server has let them wait for too long."""
    for tries in range(ATTEMPTS):
        one.began = time.time()
        try:
            one.act(person, one.place)
        except (AssertionError, OSError):
            if tries == ATTEMPTS - 1:
                raise
            time.sleep(5)
        else:
            return
