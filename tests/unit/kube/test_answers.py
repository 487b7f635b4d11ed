"""What answers mean, beyond what the real server in tests/doors can be made to say."""

from __future__ import annotations

import json
from typing import Any

import pytest

from clusterops.errors import ClusterOpsError, RefusedError, TerminalError, TransientError
from clusterops.http import Answer
from clusterops.kube.answers import error_of, may_pass, retry_after_s
from clusterops.kube.resources import Resource
from clusterops.kube.wire import Request, apply_request

DEPLOYMENTS = Resource(
    group="cluster.x-k8s.io", version="v1beta2", kind="MachineDeployment", plural="machinedeployments", namespaced=True
)
SECRETS = Resource(group="", version="v1", kind="Secret", plural="secrets", namespaced=True)


def request(resource: Resource = DEPLOYMENTS) -> Request:
    body = {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": {"namespace": "fleet", "name": "web"},
    }
    return apply_request(
        resource, body, uid="", resource_version="", force=False, dry_run=False, field_manager="clusterops"
    )


def answer(code: int, message: str, reason: str = "", **details: Any) -> Answer:
    status = {"kind": "Status", "code": code, "reason": reason, "message": message, "details": details}
    return Answer(status=code, headers={}, body=json.dumps(status).encode())


def meant(code: int, message: str, reason: str = "", **details: Any) -> ClusterOpsError:
    return error_of(request(), answer(code, message, reason, **details))


def test_owners_of_several_fields_are_grouped_and_other_words_kept() -> None:
    causes = [
        {"reason": "FieldManagerConflict", "field": ".spec.replicas", "message": 'conflict with "cluster-autoscaler"'},
        {
            "reason": "FieldManagerConflict",
            "field": ".spec.paused",
            "message": 'conflict with "kubectl-edit" using cluster.x-k8s.io/v1beta2 at 2026-11-21T10:00:00Z',
        },
    ]
    error = meant(409, "Apply failed with 2 conflicts", "Conflict", causes=causes)
    assert str(error) == (
        "MachineDeployment fleet/web: apply refused: spec.replicas is owned by cluster-autoscaler; "
        "spec.paused is owned by kubectl-edit (field-owner-conflict)"
    )


@pytest.mark.parametrize(
    "message",
    [
        'Internal error occurred: failed calling webhook "validation.machinedeployment.cluster.x-k8s.io": timeout',
        "conversion webhook for cluster.x-k8s.io/v1beta1, Kind=MachineDeployment failed: Post: connection refused",
        "failed to convert new object (fleet/web; cluster.x-k8s.io/v1beta1, Kind=MachineDeployment) to proper version: "
        "conversion webhook for cluster.x-k8s.io/v1beta1, Kind=MachineDeployment failed: Post: connection refused",
    ],
)
def test_a_webhook_that_does_not_answer_is_an_outage_of_the_provider(message: str) -> None:
    error = meant(500, message)
    assert (type(error), error.code) == (TransientError, "webhook-unavailable")


@pytest.mark.parametrize("code", [400, 403, 422])
def test_a_policy_that_says_no_is_terminal_in_its_own_words(code: int) -> None:
    error = meant(code, 'admission webhook "policy.example.org" denied the request: no public endpoints', "Forbidden")
    assert (type(error), error.code) == (TerminalError, "admission-denied")
    assert error.message == "apply refused by webhook policy.example.org: no public endpoints"


def test_many_bad_fields_are_counted_and_repeats_dropped() -> None:
    causes = [{"field": f"spec.f{number // 2}", "message": "Required value"} for number in range(14)]
    error = meant(422, "is invalid", "Invalid", causes=causes)
    assert error.message.count("Required value") == 4
    assert error.message.endswith("(and 3 more)")


def test_a_rejected_secret_shows_the_field_and_never_the_value() -> None:
    causes = [{"field": "data.password", "message": 'Invalid value: "hunter2": must be shorter'}]
    error = error_of(request(SECRETS), answer(422, "is invalid", "Invalid", causes=causes))
    assert "data.password" in error.message
    assert "hunter2" not in str(error)


def test_text_that_is_no_status_is_shown_shortened() -> None:
    error = error_of(request(), Answer(status=502, headers={}, body=b"<html>" + b"x" * 5000))
    assert (type(error), error.code) == (TransientError, "api-unavailable")
    assert len(error.message) < 300


def test_a_terminating_namespace_waits_for_a_person() -> None:
    causes = [{"reason": "NamespaceTerminating", "field": "metadata.namespace"}]
    error = meant(403, "unable to create new content", "Forbidden", causes=causes)
    assert (type(error), error.code) == (RefusedError, "namespace-terminating")


@pytest.mark.parametrize(
    ("code", "again"),
    [(429, True), (500, True), (503, True), (504, True), (501, False), (409, False), (422, False), (403, False)],
)
def test_only_overload_and_outage_are_worth_another_try(code: int, again: bool) -> None:
    bad = answer(code, "words")
    assert may_pass(bad, error_of(request(), bad)) is again


@pytest.mark.parametrize(("header", "seconds"), [("7", 7.0), ("", 0.0), ("Wed, 21 Oct 2026 07:28:00 GMT", 0.0)])
def test_retry_after_is_read_in_seconds(header: str, seconds: float) -> None:
    assert retry_after_s(Answer(status=429, headers={"retry-after": header}, body=b"")) == seconds


def test_a_rejected_value_is_quoted_where_it_is_a_plain_word_and_hidden_where_it_may_be_a_machines_file() -> None:
    file = 'v1beta2.File{Path:"/etc/a", Content:"CANARY", ContentFrom:v1beta2.FileSource{}}'
    causes = [
        {"field": "spec.files[0]", "message": f"Invalid value: {file}: only one of content and contentFrom"},
        {"field": "spec.version", "message": 'Invalid value: "v1": must be a semantic version'},
    ]
    told = str(meant(422, "is invalid", "Invalid", causes=causes))
    assert "CANARY" not in told
    assert 'spec.version: Invalid value: "v1": must be a semantic version' in told
