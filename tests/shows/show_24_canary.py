"""Show 24: secrets that a request brings in, changes and breaks are told nowhere.

usage: python -m tests.shows.show_24_canary      (about two minutes; from the project's root)

A real Gitea and a real API server; the daemon logs all that it can. Secrets come through SOPS values, a Secret
manifest, files and bootstrap tokens of kubeadm, and the tokens that the daemon itself has. They are planned, explained,
refused by helm, by a schema and by the API server, applied, edited by hand and reported as drift. Then everything
that the daemon wrote or posted is searched for them, in plain and in base64 at any offset.
"""

from __future__ import annotations

import base64
import json
import secrets
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from tests.gitea.fleet import PLAN, GiteaFleet
from tests.gitea.proxy import ForgeProxy, proxied
from tests.gitea.server import AUTHOR, BOT
from tests.gitea.show import gitea_show
from tests.sealed import AgeKey, sealed
from tests.stage import ROOT, until
from tests.system.plain_fleet import http

REGION: Final = "canary"
OURS: Final = "/apis/clusterops.io/v1alpha1"
QUOTED: Final = (("plain", "files", "content"), ("decrypted", "users", "passwd"))
CALM_S: Final = 5.0
SECRET: Final = "webhook-" + secrets.token_hex(8)


@dataclass(frozen=True, slots=True)
class Birds:
    """One generation of secrets."""

    generation: str

    def __getitem__(self, place: str) -> str:
        return f"canary-{place}-{self.generation}-song"


PLACES: Final = ("sops", "manifest", "data", "content", "password", "bootstrap")
FIRST, SECOND, BROKEN, BY_HAND = Birds("first"), Birds("second"), Birds("broken"), Birds("byhand")


@dataclass(slots=True, kw_only=True)
class Show:
    fleet: GiteaFleet
    key: AgeKey
    proxy: ForgeProxy
    wrong: list[str] = field(default_factory=list)
    heads: dict[str, str] = field(default_factory=dict)
    numbers: dict[str, int] = field(default_factory=dict)

    def run(self) -> bool:
        first = self.fleet.create(ground(self.fleet) | self._brought(FIRST))
        self.heads["main"] = first
        self.fleet.daemon.start()
        self._until_applied(first)
        self.fleet.repository.hook(f"{self.fleet.daemon.base_url}/webhooks/gitea", SECRET, "push", "pull_request")
        self._planned_and_explained()
        self._refused()
        self._applied()
        self._edited_by_hand()
        self._restarted()
        self._searched()
        print("\nall as it has to be" if not self.wrong else "\nNOT as it has to be:\n  " + "\n  ".join(self.wrong))
        return not self.wrong

    def _planned_and_explained(self) -> None:
        self._propose("change", self._brought(SECOND))
        for target in ("canary/chart", "nest/plain"):
            command, before = f"clusterops explain {target}", len(self._answers())
            self._say("change", command)
            self._eventually(f"an answer to {command!r}", partial(self._answered, before))

    def _answered(self, before: int) -> bool:
        return len(self._answers()) > before

    def _answers(self) -> list[str]:
        return self.fleet.comments(self.numbers["change"])

    def _refused(self) -> None:
        """By helm, which quotes what it was given; by the chart's schema; by the API server, once it is merged."""
        values = "clusters/canary/chart/values.yaml"
        quotes = "{{ fail (printf `%s is quoted` (index .Values.kubeadm.PART 0).KEY) }}"
        kubeadm = {name: quotes.replace("PART", part).replace("KEY", key) for name, part, key in QUOTED}
        broken: dict[str, dict[str, bytes | None]] = {
            **{
                f"helm, {name}": {**self._brought(BROKEN), "charts/cluster-dev/templates/fails.yaml": text.encode()}
                for name, text in kubeadm.items()
            },
            "schema": {values: chart_values(BROKEN).replace(b"files: [", f"files: [{BROKEN['content']}, ".encode())},
            "yaml": {values: chart_values(BROKEN) + f"]: {BROKEN['content']}\n".encode()},
            "types": {"clusters/nest/plain/secret.yaml": typeless(BROKEN)},
        }
        for name, files in broken.items():
            self._propose(name, files)

    def _applied(self) -> None:
        merged = self.fleet.repository.merge(self.numbers["change"])
        self.heads["merged"] = merged
        self._until_applied(merged)
        number, _ = self.fleet.propose("refused", {"clusters/nest/plain/secret.yaml": typeless(BROKEN)})
        self.numbers["refused"] = number
        self.heads["refused"] = self.fleet.repository.merge(number)
        self._until_told("refused")
        fixed = self.fleet.repository.commit({"clusters/nest/plain/secret.yaml": secret(SECOND)}, branch="main")
        self.heads["fixed"] = fixed
        self._until_applied(fixed)

    def _until_applied(self, commit: str) -> None:
        """Without controllers the cluster of the chart never settles, so there is no verdict to wait for."""
        self.fleet.daemon.until_event("commit applied", commit=commit[:7])

    def _until_told(self, name: str) -> None:
        """What the API server refused, in a log line and in the FleetTarget."""
        place = f"{OURS}/namespaces/nest/fleettargets/plain"

        def probe() -> str:
            self.fleet.daemon.must_run()
            return str((self.fleet.object(place).get("status") or {}).get("message", ""))

        before = probe()
        self._eventually(f"{name} is told", lambda: probe() != before or "Secret" in probe())
        print(f"  {name}: {probe()}")

    def _edited_by_hand(self) -> None:
        edit = {"stringData": {"plain": BY_HAND["manifest"]}, "data": {"coded": coded(BY_HAND["data"])}}
        self._patch("/api/v1/namespaces/nest/secrets/nest", edit)
        perch = "/apis/bootstrap.cluster.x-k8s.io/v1beta2/namespaces/nest/kubeadmconfigs/perch"
        files = [{"path": "/etc/song", "content": BY_HAND["content"]}]
        self._patch(perch, {"spec": {"files": files}})
        self._eventually("drift of both", lambda: len(self._drifted()) >= 2)
        report = self.fleet.home / "drift.md"
        self._eventually("drift in the report", lambda: report.exists() and "nest" in report.read_text())

    def _restarted(self) -> None:
        self.fleet.daemon.kill()
        self.fleet.daemon.start()
        self.fleet.daemon.until_event("commit taken")
        self._propose("late", self._brought(Birds("late")))
        time.sleep(CALM_S)

    def _searched(self) -> None:
        songs = [birds[place] for birds in (FIRST, SECOND, BROKEN, BY_HAND, Birds("late")) for place in PLACES]
        wanted = {song: spellings(song) for song in songs}
        own = {name: [value.encode()] for name, value in self._own().items()}
        texts = dict(self._texts())
        for where, text in sorted(texts.items()):
            found = [name for name, forms in {**wanted, **own}.items() if any(form in text for form in forms)]
            print(f"  {where:<44} {len(text):>9} bytes  {'FOUND ' + ', '.join(found) if found else 'none'}")
            self._must(not found, f"{where}: {found}")
            self._must(bool(text), f"{where}: nothing was read")
        self._disk([song for song in songs if "-sops-" in song])
        self._control(texts)

    def _control(self, texts: Mapping[str, bytes]) -> None:
        """What is no secret has to be found, or nothing was looked at."""
        self._must(any(b"a-public-word" in text for text in texts.values()), "control: a plain value is in no output")

    def _disk(self, songs: list[str]) -> None:
        """What was decrypted is in no file of the daemon's: its home, its cache, its temporary folder."""
        files = [path for path in self.fleet.daemon.home.rglob("*") if path.is_file()]
        wanted = [form for song in songs for form in spellings(song)]
        found = [str(path) for path in files if any(form in path.read_bytes() for form in wanted)]
        print(f"  {len(files)} files of the daemon: decrypted values in {found or 'none'}")
        self._must(not found, f"on disk: {found}")

    def _texts(self) -> Iterator[tuple[str, bytes]]:
        for log in sorted(self.fleet.daemon.home.glob("daemon-*.log")):
            yield log.name, log.read_bytes()
        for name, number in self.numbers.items():
            yield f"comments of {name}", json.dumps(self.fleet.repository.comments(number)).encode()
        sent = [f"{each.method} {each.path} {json.dumps(each.body)}" for each in self.proxy.asked]
        yield "everything ever sent to the forge", "\n".join(sent).encode()
        posted = [self.fleet.repository.posted(head) for head in self.heads.values()]
        yield "statuses", json.dumps(posted).encode()
        yield "metrics", http(self.fleet.daemon, "/metrics")[1].encode()
        for path in ("/api/v1/events", f"{OURS}/fleettargets", f"{OURS}/fleets"):
            yield path, json.dumps(self.fleet.object(path)).encode()
        yield "refs, notes among them", self.fleet.repository.refs()
        yield "drift report", (self.fleet.home / "drift.md").read_bytes()

    def _own(self) -> dict[str, str]:
        return {"token": self.fleet.server.tokens[BOT], "webhook secret": SECRET, "age key": self.key.text}

    def _brought(self, birds: Birds) -> dict[str, bytes | None]:
        return {
            "clusters/canary/chart/values.yaml": chart_values(birds),
            "clusters/canary/chart/secrets.yaml": sealed(sealed_values(birds), self.key),
            "clusters/nest/plain/secret.yaml": secret(birds),
            "clusters/nest/plain/perch.yaml": perch(birds),
        }

    def _propose(self, name: str, files: Mapping[str, bytes | None]) -> None:
        number, head = self.fleet.propose(name.replace(", ", "-"), files)
        self.numbers[name], self.heads[name] = number, head
        told = self.fleet.until_status(head, PLAN)
        self._eventually(f"a comment on {name}", lambda: bool(self.fleet.comments(number)))
        print(f"  request {name}: {told['state']}: {told['text']}")
        refusals = [line for body in self.fleet.comments(number) for line in body.splitlines() if line.startswith("❌")]
        print("\n".join(f"    comment: {line}" for line in refusals))

    def _say(self, name: str, words: str) -> None:
        path = f"{self.fleet.repository.path}/issues/{self.numbers[name]}/comments"
        self.fleet.server.api("POST", path, {"body": words}, account=AUTHOR)

    def _drifted(self) -> list[dict[str, Any]]:
        return [event for event in self.fleet.daemon.events() if "drift" in str(event.get("event"))]

    def _patch(self, path: str, body: Mapping[str, Any]) -> None:
        where = f"{path}?fieldManager=somebody"
        self.fleet.api.send("PATCH", where, body, content_type="application/merge-patch+json")

    def _eventually(self, what: str, probe: Callable[[], bool]) -> None:
        try:
            until(what, probe, within_s=30.0, every_s=0.2)
        except AssertionError:
            self._must(False, f"never: {what}")

    def _must(self, right: bool, what: str) -> None:
        if not right:
            print(f"  WRONG: {what}")
            self.wrong.append(what)


def spellings(song: str) -> list[bytes]:
    """As it is, and as it stands in base64 behind none, one and two other bytes."""
    raw = song.encode()
    shifted = (base64.b64encode(b"\0" * shift + raw)[4 if shift else 0 :] for shift in range(3))
    return [raw, *(each.rstrip(b"=")[:-2] for each in shifted)]


def coded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def secret(birds: Birds) -> bytes:
    return (
        "apiVersion: v1\nkind: Secret\nmetadata: {name: nest, labels: {word: a-public-word}}\n"
        f"stringData: {{plain: {birds['manifest']}}}\ndata: {{coded: {coded(birds['data'])}}}\n"
        "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: word}\n"
        f"data: {{word: a-public-word-{birds.generation}}}\n"
    ).encode()


def typeless(birds: Birds) -> bytes:
    """A Secret that no API server takes: its data is no base64."""
    return (
        f"apiVersion: v1\nkind: Secret\nmetadata: {{name: nest}}\ndata: {{coded: '{birds['data']}!'}}\n"
        f"stringData: {{plain: {birds['manifest']}}}\n"
    ).encode()


def perch(birds: Birds) -> bytes:
    body = {
        "apiVersion": "bootstrap.cluster.x-k8s.io/v1beta2",
        "kind": "KubeadmConfig",
        "metadata": {"name": "perch"},
        "spec": {
            "files": [{"path": "/etc/song", "content": birds["content"]}],
            "users": [{"name": "bird", "passwd": birds["password"]}],
            "joinConfiguration": {"discovery": {"bootstrapToken": {"token": birds["bootstrap"]}}},
        },
    }
    return json.dumps(body).encode()


def chart_values(birds: Birds) -> bytes:
    return (
        "version: v1.34.1\ncontrolPlane: {replicas: 1}\npools: {general: {replicas: 1}}\n"
        f"kubeadm: {{files: [{{path: /etc/song, content: {birds['content']}}}]}}\n"
    ).encode()


def sealed_values(birds: Birds) -> dict[str, Any]:
    return {"kubeadm": {"users": [{"name": "bird", "passwd": birds["sops"]}]}}


def ground(fleet: GiteaFleet) -> dict[str, bytes | None]:
    chart = ROOT / "charts"
    files = {f"charts/{path.relative_to(chart)}": path.read_bytes() for path in chart.rglob("*") if path.is_file()}
    texts = {
        "fleet.yaml": f"apiVersion: clusterops.io/v1alpha1\nkind: FleetFile\nname: {fleet.name}\nmode: apply\n"
        f"clouds: {{dev: {{chart: {{path: charts/cluster-dev}}}}}}\n{fleet.forge}"
        "policy: {budgets: {machinesReplaced: 100%}}\n",
        # One each, as a cluster that never settles would hold the other up.
        "regions/canary/region.yaml": "cloud: dev\ncredentials: {}\n",
        "regions/nest/region.yaml": "cloud: dev\ncredentials: {}\n",
    }
    return {**files, **{path: text.encode() for path, text in texts.items()}}


def main() -> int:
    key = AgeKey()
    environment = {"CLUSTEROPS_FORGE_WEBHOOK_SECRET": SECRET, "CLUSTEROPS_RENDER_AGE_KEY": key.text}
    with gitea_show(REGION, "crds", environment=environment) as fleet, proxied(fleet.server.url) as proxy:
        temporary = fleet.daemon.home / "tmp"
        temporary.mkdir(parents=True)
        fleet.daemon.environment = {
            **fleet.daemon.environment,
            "TMPDIR": str(temporary),
            "CLUSTEROPS_FORGE_URL": proxy.url,
            "CLUSTEROPS_DRIFT_REPORT_FILE": str(fleet.home / "drift.md"),
            "CLUSTEROPS_DRIFT_REPORT_EVERY_S": "1",
        }
        fleet.daemon.arguments = ("--log-level", "debug")
        try:
            return 0 if Show(fleet=fleet, key=key, proxy=proxy).run() else 1
        finally:
            fleet.daemon.kill()


if __name__ == "__main__":
    sys.exit(main())
