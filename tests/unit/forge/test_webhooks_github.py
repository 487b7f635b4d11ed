"""GitHub's webhooks are read as it describes them: its OpenAPI description and real deliveries, cut to what we read.

github_webhooks.json is made by webhooks_extract.py.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from clusterops.forge import read_delivery
from clusterops.model.fleet import ForgeKind
from clusterops.model.request import Called, Delivery
from clusterops.model.secret import SecretText
from tests.unit.web.webhook_calls import SECRET, encoded, github

EXTRACT = json.loads((Path(__file__).parent / "github_webhooks.json").read_text(encoding="utf-8"))
OPERATIONS: Mapping[str, Mapping[str, Any]] = EXTRACT["operations"]
EXAMPLES = [(event, example) for event, found in EXTRACT["examples"].items() for example in found]
OUR_ACTIONS = {
    "pull_request": {"opened", "synchronize", "reopened", "edited", "closed", "ready_for_review", "converted_to_draft"},
    "issue_comment": {"created", "edited"},
}


def read(event: str, body: Mapping[str, Any], repository: str) -> Delivery:
    sent = encoded(body)
    return read_delivery(
        ForgeKind.GITHUB,
        github(sent, event=event, id="72d3162e"),
        sent,
        [SecretText(SECRET)],
        repository=repository,
        now_s=0.0,
    )


def smallest(schema: Mapping[str, Any]) -> Any:
    """What has all that is required and nothing else."""
    if "enum" in schema:
        return schema["enum"][0]
    kinds = {"string": "refs/heads/main", "integer": 7}
    if schema["type"] != "object":
        return kinds[schema["type"]]
    return {name: smallest(schema["properties"][name]) for name in schema.get("required", ())}


def meant(event: str, body: Mapping[str, Any]) -> Delivery:
    """In the words of the documentation."""
    action = body.get("action", "")
    if event == "push":
        kind, branch = body["ref"].split("/", 2)[1:]
        return Delivery(kind=Called.PUSH, branch=branch) if kind == "heads" else Delivery(kind=Called.OTHER)
    if event == "pull_request" and action in OUR_ACTIONS[event]:
        return Delivery(kind=Called.REQUEST, number=body["number"])
    if event == "issue_comment" and action in OUR_ACTIONS[event] and "pull_request" in body["issue"]:
        return Delivery(kind=Called.COMMENT, number=body["issue"]["number"])
    return Delivery(kind=Called.QUEUE if event == "merge_group" else Called.OTHER)


def test_the_extract_says_where_it_is_from() -> None:
    names = [(source["name"], source["license"]) for source in EXTRACT["sources"]]
    assert names == [("@octokit/openapi-webhooks", "MIT"), ("@octokit/webhooks-examples", "MIT")]


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_body_with_only_what_is_required_is_read(operation: str) -> None:
    body, event = smallest(OPERATIONS[operation]), operation.partition("/")[0]
    repository = body.get("repository", {}).get("full_name", "")
    assert read(event, body, repository) == _with_id(meant(event, body))


@pytest.mark.parametrize(("event", "actions"), OUR_ACTIONS.items())
def test_every_action_that_wakes_us_is_one_of_github(event: str, actions: set[str]) -> None:
    assert {f"{event}/{action}" for action in actions} <= set(OPERATIONS)


@pytest.mark.parametrize(("event", "example"), EXAMPLES, ids=[event for event, _ in EXAMPLES])
def test_a_real_delivery_is_as_described_and_read_as_meant(event: str, example: Mapping[str, Any]) -> None:
    action = example.get("action")
    jsonschema.validate(example, OPERATIONS[f"{event}/{action}" if action else event])
    repository = example.get("repository", {}).get("full_name", "")
    assert read(event, example, repository.upper()) == _with_id(meant(event, example))


def test_there_are_real_deliveries_of_each_kind_but_a_comment_on_a_request() -> None:
    assert {meant(event, example).kind for event, example in EXAMPLES} == set(Called) - {Called.COMMENT}
    described = OPERATIONS["issue_comment/created"]["properties"]["issue"]
    jsonschema.validate({"number": 4, "pull_request": {"url": ""}}, described)


def _with_id(delivery: Delivery) -> Delivery:
    return Delivery(kind=delivery.kind, id="72d3162e", branch=delivery.branch, number=delivery.number)
