"""Rows whose mistake is in the files of the fleet repository: no cluster is needed to see it."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from tests.shows.bad_inputs import ALPHA, Row
from tests.stage import ROOT

FLEET = b"apiVersion: clusterops.io/v1alpha1\nkind: FleetFile\nname: demo\nmode: apply\n"
CLOUDS = b"clouds: {dev: {chart: {path: charts/cluster-dev}}}\n"
CHART = b"apiVersion: v2\nname: own\nversion: 0.1.0\n"
OWN = b"version: v1.34.1\nclusterops: {chart: {path: charts/own}}\n"
NOTES = b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: alpha}\n"
FOLDER = "clusters/north/alpha"
MAKE = b"""\
apiVersion: v1
kind: Make
metadata: {name: x, annotations: {config.kubernetes.io/function: 'exec: {path: ./make}'}}
"""
ENCRYPTED = b"""\
apiVersion: v1
kind: Secret
metadata: {name: x}
stringData: {a: 'ENC[AES256_GCM,data:SVBNdHc2,type:str]'}
"""
PATCHED = b"""\
resources: [objects.yaml]
patches: [{patch: '{apiVersion: v1, kind: Secret, metadata: {name: x}}'}]
"""


def _chart(template: bytes) -> dict[str, bytes | None]:
    return {"charts/own/Chart.yaml": CHART, "charts/own/templates/notes.yaml": template, ALPHA: OWN}


def _link(path: Path) -> None:
    os.symlink("/etc/hostname", path)


def _module(path: Path) -> None:
    """In place of the directory, as `git submodule add` leaves it."""
    git = ["git", "-C", str(path.parent)]
    shutil.rmtree(path)
    subprocess.run(["git", "init", "-q", str(path)], check=True)
    commit = ["-c", "user.name=a", "-c", "user.email=a@b.invalid", "commit", "-q", "--allow-empty", "-m", "x"]
    subprocess.run(["git", "-C", str(path), *commit], check=True)
    subprocess.run([*git, "rm", "-rq", "--cached", path.name], check=True)
    subprocess.run([*git, "-c", "advice.addEmbeddedRepo=false", "add", path.name], check=True)


def _values(text: bytes) -> dict[str, bytes]:
    return {ALPHA: text}


def _overlay(text: bytes) -> dict[str, bytes | None]:
    return {ALPHA: None, f"{FOLDER}/kustomization.yaml": text}


YAML = (
    Row(
        title="YAML broken in values",
        command="validate",
        exit=1,
        files=_values(b"version: v1.34.1\npools: {general: {repl\n"),
    ),
    Row(
        title="YAML broken in fleet.yaml",
        command="plan",
        exit=1,
        files={"fleet.yaml": FLEET + b"clouds: {dev: ]\n"},
    ),
    Row(
        title="a tab",
        command="validate",
        exit=1,
        files=_values(b"version: v1.34.1\npools:\n\tgeneral: {}\n"),
    ),
    Row(
        title="a key twice",
        command="validate",
        exit=1,
        files=_values(b"version: v1.34.1\npools: {}\nversion: v1.33.0\n"),
    ),
    Row(
        title="two documents",
        command="validate",
        exit=1,
        files=_values(b"version: v1.34.1\n---\nversion: v1.33.0\n"),
    ),
    Row(title="not UTF-8", command="validate", exit=1, files=_values(b"version: v1.34.1\n# \xff\n")),
)
SCHEMA = (
    Row(
        title="an unknown key in fleet.yaml",
        command="validate",
        exit=1,
        files={"fleet.yaml": FLEET + CLOUDS + b"rolout: {}\n"},
    ),
    Row(
        title="fleet.yaml of another tool",
        command="validate",
        exit=1,
        files={"fleet.yaml": b"defaultNamespace: x\nhelm: {}\n"},
    ),
    Row(
        title="a wrong mode",
        command="validate",
        exit=1,
        files={"fleet.yaml": FLEET.replace(b"apply", b"aply") + CLOUDS},
    ),
    Row(
        title="an unknown cloud",
        command="validate",
        exit=1,
        files={"regions/north/region.yaml": b"cloud: dve\ncredentials: {}\n"},
    ),
    Row(
        title="a region without region.yaml",
        command="validate",
        exit=1,
        files={"clusters/west/gamma/values.yaml": b"version: v1.34.1\n"},
    ),
    Row(
        title="an unknown key in values",
        command="validate",
        exit=1,
        files=_values(b"version: v1.34.1\npools:\n  general: {replica: 2}\n"),
    ),
    Row(
        title="a wrong type",
        command="validate",
        exit=1,
        files=_values(b"version: v1.34.1\npools:\n  general:\n    replicas: five\n"),
    ),
    Row(
        title="a bad address range",
        command="validate",
        exit=1,
        files=_values(b'version: v1.34.1\nnetwork:\n  pods: ["10.244.0.0/61"]\n'),
    ),
    Row(title="no version", command="validate", exit=1, files=_values(b"pools: {}\n")),
    Row(
        title="an unknown key of ours",
        command="validate",
        exit=1,
        files=_values(b"version: v1.34.1\nclusterops: {chrat: {}}\n"),
    ),
    Row(
        title="several mistakes at once",
        command="validate",
        exit=1,
        files={
            ALPHA: b"version: one\npools:\n  general: {replicas: five, size: [x]}\n",
            "clusters/south/beta/values.yaml": b"version: v1.34.1\nnetwork: {pods: x}\n",
        },
    ),
    Row(
        title="an empty directory",
        command="validate",
        exit=1,
        files={ALPHA: None, f"{FOLDER}/README.md": b"x\n"},
    ),
)
CHARTS = (
    Row(
        title="a missing chart",
        command="validate",
        exit=1,
        files=_values(b"version: v1.34.1\nclusterops: {chart: {path: charts/cluster-dve}}\n"),
    ),
    Row(
        title="a chart by reference",
        command="validate",
        exit=1,
        files=_values(
            b"version: v1.34.1\nclusterops:\n"
            b"  chart: {repository: oci://registry.example.org/charts, name: x, version: 1.0.0}\n"
        ),
    ),
    Row(
        title="a chart that fails",
        command="validate",
        exit=1,
        files=_chart(NOTES + b'data: {a: {{ required "give it a size" .Values.size }}}\n'),
    ),
    Row(
        title="a chart that does not parse",
        command="validate",
        exit=1,
        files=_chart(NOTES + b"data: {a: {{ .Values.size }\n"),
    ),
    Row(
        title="a chart that prints no YAML",
        command="validate",
        exit=1,
        files=_chart(NOTES + b"data: {a: {{ .Values.version }}: b}\n"),
    ),
    Row(
        title="a chart that prints no object",
        command="validate",
        exit=1,
        files=_chart(b"kind: ConfigMap\n"),
    ),
    Row(
        title="a chart with lookup",
        command="render north/alpha",
        exit=0,
        files=_chart(NOTES + b'data: {a: {{ lookup "v1" "Node" "" "" | len | quote }}}\n'),
    ),
    Row(
        title="a chart of chance",
        command="validate",
        exit=1,
        files=_chart(NOTES + b"data: {a: {{ randAlphaNum 9 }}}\n"),
    ),
    Row(
        title="a dependency that is not there",
        command="validate",
        exit=1,
        files={
            **_chart(NOTES),
            "charts/own/Chart.yaml": CHART
            + b"dependencies: [{name: base, version: 0.1.0, repository: 'file://../base'}]\n",
        },
    ),
)
KUSTOMIZE = (
    Row(
        title="a remote base",
        command="validate",
        exit=1,
        files=_overlay(b"resources: [https://github.com/example/base?ref=v1]\n"),
    ),
    Row(title="a missing file", command="validate", exit=1, files=_overlay(b"resources: [objects.yaml]\n")),
    Row(
        title="an exec plugin",
        command="validate",
        exit=1,
        files={
            **_overlay(b"generators: [make.yaml]\n"),
            f"{FOLDER}/make.yaml": MAKE,
        },
    ),
    Row(
        title="a patch without its object",
        command="validate",
        exit=1,
        files={
            **_overlay(PATCHED),
            f"{FOLDER}/objects.yaml": NOTES,
        },
    ),
    Row(
        title="an unknown field of a kustomization",
        command="validate",
        exit=1,
        files=_overlay(b"resorces: [objects.yaml]\n"),
    ),
    Row(
        title="out of the repository",
        command="validate",
        exit=1,
        files=_overlay(b"resources: [../../../../elsewhere]\n"),
    ),
)
OTHERS = (
    Row(
        title="a missing variable",
        command="validate",
        exit=1,
        files={ALPHA: None, f"{FOLDER}/cluster.yaml": NOTES + b"data: {a: ${SIZE}, b: ${ZONE}, c: ${D:=x}}\n"},
    ),
    Row(
        title="a template that is cut off",
        command="validate",
        exit=1,
        files={ALPHA: None, f"{FOLDER}/cluster.yaml": NOTES + b"data: {a: ${SIZE}, b: ${ZONE\n"},
    ),
    Row(
        title="a SOPS file without its key",
        command="validate",
        exit=1,
        secret="canary",
        files=_values((ROOT / "tests/unit/render/sops_files/foreign.yaml").read_bytes()),
    ),
    Row(
        title="an encrypted Secret",
        command="validate",
        exit=1,
        secret="SVBNdHc2",
        files={
            ALPHA: None,
            f"{FOLDER}/secret.yaml": ENCRYPTED,
        },
    ),
    Row(
        title="a Secret with a typo",
        command="validate",
        exit=1,
        secret="hunter2",
        files={
            ALPHA: None,
            f"{FOLDER}/secret.yaml": b"apiVersion: v1\nkind: Secret\nmetadata: {nam: x}\nstringData: {a: hunter2}\n",
        },
    ),
    Row(
        title="an object twice",
        command="validate",
        exit=1,
        files={ALPHA: None, f"{FOLDER}/a.yaml": NOTES, f"{FOLDER}/b.yaml": NOTES},
    ),
    Row(
        title="a symbolic link",
        command="validate",
        exit=1,
        files={ALPHA: None, f"{FOLDER}/objects.yaml": _link},
    ),
    Row(
        title="an LFS pointer",
        command="validate",
        exit=1,
        files={
            ALPHA: None,
            f"{FOLDER}/objects.yaml": b"version https://git-lfs.github.com/spec/v1\noid sha256:"
            + b"0" * 64
            + b"\nsize 12\n",
        },
    ),
    Row(title="a submodule", command="validate", exit=1, files={FOLDER: _module}),
    Row(title="values beside manifests", command="validate", exit=1, files={f"{FOLDER}/extra.yaml": NOTES}),
    Row(title="an unknown target", command="plan north/alhpa", exit=1),
    Row(title="an unknown target of render", command="render alhpa", exit=1),
    Row(title="a question without an answer", command="explain alpha pools.genral.replicas", exit=1),
    Row(title="no fleet at all", command="validate --repo HOME", exit=1),
    Row(title="an unknown revision", command="validate --revision nope", exit=1),
    Row(title="init into a full folder", command="init REPO", exit=1),
    Row(title="init of an unknown cloud", command="init HOME/new --cloud openstck", exit=1),
)
USAGE = (
    Row(title="an unknown command", command="nonsense", exit=64, hint=False),
    Row(title="an unknown option", command="plan --al", exit=64, hint=False),
    Row(title="a missing argument", command="reconcile", exit=64, hint=False),
    Row(title="an unknown output", command="status -o yaml", exit=64, hint=False),
    Row(title="apply of nothing", command="apply", exit=64, hint=False),
    Row(title="no command", command="", exit=64, hint=False),
    Row(title="no subcommand", command="sandbox", exit=64, hint=False),
)
SETTINGS = (
    Row(
        title="wrong settings",
        command="plan",
        exit=1,
        environment={"CLUSTEROPS_CLUSTER_MAX_IN_FLIGHT": "many", "CLUSTEROPS_DAEMON_BACKOFF_MAX_S": "soon"},
    ),
    Row(
        title="an unknown setting",
        command="status --config HOME/settings.yaml",
        exit=1,
        files={"../settings.yaml": b"cluster: {timeout: 3}\nrepo: {}\n"},
    ),
    Row(title="no settings file", command="status --config HOME/none.yaml", exit=1),
    Row(title="no repository named", command="run", exit=1),
    Row(title="an address that is none", command="run --repository ftp://x.invalid/y", exit=1),
    Row(title="a wrong port", command="run --repository . --listen here", exit=1),
    Row(
        title="helm is not where it should be",
        command="validate",
        exit=1,
        environment={"CLUSTEROPS_RENDER_HELM": "/nowhere/helm"},
    ),
)
FILE_ROWS = (*YAML, *SCHEMA, *CHARTS, *KUSTOMIZE, *OTHERS, *USAGE, *SETTINGS)
