"""From text to the objects that Kubernetes reads in it."""

from __future__ import annotations

from typing import Any

import pytest

from clusterops.errors import TerminalError
from clusterops.model.fleet import Target
from clusterops.render.decode import Decoded, Output, decode_objects, split_hooks
from tests.unit.render.repository import plain, target_of

TARGET = target_of(plain())


def decode(*texts: str, path: str = "", target: Target = TARGET) -> Decoded:
    return decode_objects([Output(text=text.encode(), path=path) for text in texts], target)


def one(text: str) -> Any:
    (manifest,) = decode(text).manifests
    return manifest.body


def test_an_object_gets_namespace_label_and_annotation() -> None:
    assert one("{apiVersion: v1, kind: ConfigMap, metadata: {name: a, labels: {x: z}}}")["metadata"] == {
        "name": "a",
        "namespace": "north",
        "labels": {"x": "z", "clusterops.io/fleet": "demo"},
        "annotations": {"clusterops.io/target": "north/alpha"},
    }


def test_a_namespace_that_is_named_stays() -> None:
    assert one("{apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: b}}")["metadata"]["namespace"] == "b"


@pytest.mark.parametrize(
    ("api_version", "kind"),
    [
        ("v1", "Namespace"),
        ("rbac.authorization.k8s.io/v1", "ClusterRole"),
        ("apiextensions.k8s.io/v1", "CustomResourceDefinition"),
        ("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicy"),
        ("infrastructure.cluster.x-k8s.io/v1beta2", "AWSClusterRoleIdentity"),
        ("runtime.cluster.x-k8s.io/v1beta2", "ExtensionConfig"),
    ],
)
def test_cluster_scoped_kinds_have_no_namespace(api_version: str, kind: str) -> None:
    text = f"{{apiVersion: {api_version}, kind: {kind}, metadata: {{name: a, namespace: b}}}}"
    assert "namespace" not in one(text)["metadata"]


def test_the_scope_of_a_custom_kind_is_read_from_its_definition_beside_it() -> None:
    crd = (
        "{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: things.example.org},"
        " spec: {group: example.org, scope: Cluster, names: {kind: Thing}}}"
    )
    thing = "{apiVersion: example.org/v1, kind: Thing, metadata: {name: a}}"
    assert [each.key.namespace for each in decode(crd, thing).manifests] == [None, None]
    assert decode(thing).manifests[0].key.namespace == "north"


def test_nulls_in_maps_are_dropped_and_those_in_lists_kept() -> None:
    body = one(
        "{apiVersion: v1, kind: A, metadata: {name: a, labels: null}, spec: {x: null, l: [null, {w: ~}], m: {}}}"
    )
    assert body["spec"] == {"l": [None, {}], "m": {}}


def test_lists_are_flattened() -> None:
    text = """
apiVersion: v1
kind: List
items:
- {apiVersion: v1, kind: ConfigMap, metadata: {name: a}}
- apiVersion: v1
  kind: SecretList
  items: [{metadata: {name: b}}]
"""
    assert [each.key.label for each in decode(text).manifests] == ["ConfigMap north/a", "Secret north/b"]


def test_empty_documents_are_skipped() -> None:
    assert decode("---\n# nothing\n---\n---\nnull\n").manifests == ()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("apiVersion: v1\nmetadata: {name: a}\n", "document 1 of the output: has no kind"),
        ("kind: A\nmetadata: {name: a}\n", "has no apiVersion"),
        ("---\nkind: A\n---\n- b\n", "document 2 of the output: holds a list"),
        ("{apiVersion: v1, kind: A, metadata: {}}", "a A with no metadata.name"),
        ("{apiVersion: v1, kind: A, metadata: {generateName: a-}}", "generateName"),
        ("{apiVersion: v1, kind: A, metadata: {name: 5}}", "put it in quotes"),
        ("{apiVersion: v1, kind: A, metadata: {name: a, labels: {b: 1}}}", "A a: metadata.labels.b is 1"),
        ("{apiVersion: v1, kind: A, metadata: {name: a, annotations: {b: yes}}}", "metadata.annotations.b is true"),
        ("just text", "holds 'just text', not an object"),
    ],
)
def test_what_is_no_object_is_said_with_its_document(text: str, words: str) -> None:
    with pytest.raises(TerminalError) as caught:
        decode(text)
    assert caught.value.code == "manifest-invalid"
    assert words in caught.value.message


def test_a_file_of_the_repository_is_named_with_its_line() -> None:
    good = "apiVersion: v1\nkind: A\nmetadata: {name: a}\n"
    with pytest.raises(TerminalError, match=r"^c/x.yaml:5: .*document 2 of the file"):
        decode(f"{good}---\nkind: B\n", path="c/x.yaml")


def test_the_same_object_twice_names_both_places() -> None:
    text = "{apiVersion: v1, kind: A, metadata: {name: a}}"
    with pytest.raises(TerminalError, match=r"A north/a .*document 1 of the output and document 2 .*object-twice"):
        decode(f"{text}\n---\n{text}")


def test_hooks_are_listed_and_never_among_the_objects() -> None:
    hook = "{apiVersion: batch/v1, kind: Job, metadata: {name: h, annotations: {helm.sh/hook: pre-install}}}"
    decoded = decode(f"{hook}\n---\n{{apiVersion: v1, kind: A, metadata: {{name: a}}}}")
    assert [each.key.kind for each in decoded.manifests] == ["A"]
    assert [(each.key.label, each.reason.split(",")[0]) for each in decoded.skipped] == [
        ("Job north/h", "is a Helm hook (pre-install)")
    ]


def test_hooks_are_split_off_before_a_component_sees_them() -> None:
    hook = "{apiVersion: batch/v1, kind: Job, metadata: {generateName: h-, annotations: {helm.sh/hook: test}}}"
    rest, hooks = split_hooks(Output(text=f"{hook}\n---\n{{kind: A}}".encode()), TARGET)
    assert (b"Job" in rest, b"Job" in hooks, b'"A"' in rest) == (False, True, True)


@pytest.mark.parametrize(
    "more", ["sops: {mac: x}", "stringData: {a: 'ENC[AES256_GCM,data:x]'}", "l: [{b: 'x ENC[AES256_GCM,y'}]"]
)
def test_encrypted_objects_are_refused(more: str) -> None:
    with pytest.raises(TerminalError, match=r"Secret north/a|Secret a.*secret-not-decrypted"):
        decode(f"{{apiVersion: v1, kind: Secret, metadata: {{name: a}}, {more}}}")


def test_the_digest_does_not_depend_on_how_it_is_written() -> None:
    a = decode("{kind: A, apiVersion: v1, metadata: {name: a}, x: 0x10, l: [1.0]}").manifests
    b = decode('apiVersion: v1\nkind: "A"\nmetadata:\n  name: a\nl:\n- 1\nx: 16\nz: null\n').manifests
    assert a == b
