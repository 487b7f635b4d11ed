"""What is installed into a sandbox, with everything that pointed at a Service pointing at loopback. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from clusterops.sandbox.addresses import LOOPBACK

Objects = list[dict[str, Any]]
_WEBHOOKS = frozenset({"MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"})


def served_definitions(objects: Sequence[Mapping[str, Any]], port: int, ca_bundle: str) -> Objects:
    """Namespaces and CRDs, converted by the webhook server of a manager on loopback. ``ca_bundle`` is base64."""
    return [_definition(item, port, ca_bundle) for item in objects if item["kind"] not in _WEBHOOKS]


def bare_definitions(objects: Sequence[Mapping[str, Any]]) -> Objects:
    """CRDs alone, for an API server without controllers: no conversion, as nobody would answer for it."""
    return [
        {**_without_annotations(item), "spec": {**item["spec"], "conversion": {"strategy": "None"}}}
        for item in objects
        if item["kind"] == "CustomResourceDefinition"
    ]


def served_webhooks(objects: Sequence[Mapping[str, Any]], port: int, ca_bundle: str) -> Objects:
    """Webhook configurations that call the webhook server of a manager on loopback."""
    return [
        {
            **_without_annotations(item),
            "webhooks": [
                {**hook, "clientConfig": _client_config(hook["clientConfig"], port, ca_bundle)}
                for hook in item["webhooks"]
            ],
        }
        for item in objects
        if item["kind"] in _WEBHOOKS
    ]


def _definition(item: Mapping[str, Any], port: int, ca_bundle: str) -> dict[str, Any]:
    bare = _without_annotations(item)
    conversion = bare.get("spec", {}).get("conversion", {})
    if conversion.get("strategy") != "Webhook":
        return bare
    webhook = conversion["webhook"]
    client = _client_config(webhook["clientConfig"], port, ca_bundle)
    return {
        **bare,
        "spec": {**bare["spec"], "conversion": {**conversion, "webhook": {**webhook, "clientConfig": client}}},
    }


def _client_config(config: Mapping[str, Any], port: int, ca_bundle: str) -> dict[str, Any]:
    return {"url": f"https://{LOOPBACK}:{port}{config['service'].get('path', '/')}", "caBundle": ca_bundle}


def _without_annotations(item: Mapping[str, Any]) -> dict[str, Any]:
    # They ask cert-manager, which is not here, to inject the bundle that is already in place.
    kept = {
        key: value
        for key, value in item["metadata"].get("annotations", {}).items()
        if not key.startswith("cert-manager.io/")
    }
    metadata = {key: value for key, value in item["metadata"].items() if key != "annotations"}
    return {**item, "metadata": {**metadata, **({"annotations": kept} if kept else {})}}
