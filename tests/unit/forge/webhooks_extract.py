"""Makes github_webhooks.json: of GitHub's own description what we read of a webhook, and real examples cut to that.

npm pack @octokit/openapi-webhooks @octokit/webhooks-examples, unpack both, then:
python -m tests.unit.forge.webhooks_extract OPENAPI_WEBHOOKS_DIR EXAMPLES_DIR
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

EXTRACT: Final = Path(__file__).parent / "github_webhooks.json"
EVENTS: Final = frozenset({"push", "pull_request", "issue_comment", "merge_group", "ping", "status"})
READ: Final[Mapping[str, Any]] = {
    "ref": {},
    "action": {},
    "number": {},
    "issue": {"number": {}, "pull_request": {"url": {}}},
    "repository": {"full_name": {}},
}
"""What read_delivery reads, and by which real examples tell an issue from a request."""
KEPT: Final = ("type", "enum", "nullable", "pattern")


def reduced(schema: Mapping[str, Any], wanted: Mapping[str, Any], schemas: Mapping[str, Any]) -> dict[str, Any]:
    """Without references and what is not wanted; ``allOf`` is put together, of ``oneOf`` the first stands for all."""
    parts = list(_parts(schema, schemas))
    kept = {key: part[key] for part in reversed(parts) for key in KEPT if key in part}
    properties: dict[str, Any] = {}
    for name, below in wanted.items():
        found = [part["properties"][name] for part in parts if name in part.get("properties", {})]
        if found:
            properties[name] = reduced({"allOf": found}, below, schemas)
    required = {name for part in parts for name in part.get("required", ())} & properties.keys()
    return kept | ({"properties": properties, "required": sorted(required)} if properties else {})


def _parts(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> Any:
    if "$ref" in schema:
        yield from _parts(schemas[schema["$ref"].rpartition("/")[2]], schemas)
        return
    yield schema
    for part in (*schema.get("allOf", ()), *schema.get("oneOf", ())[:1]):
        yield from _parts(part, schemas)


def cut(value: Any, wanted: Mapping[str, Any]) -> Any:
    if not wanted or not isinstance(value, dict):
        return value
    return {name: cut(value[name], below) for name, below in wanted.items() if name in value}


def extract(openapi: Path, examples: Path) -> dict[str, Any]:
    description = json.loads((openapi / "generated/api.github.com.json").read_text(encoding="utf-8"))
    schemas = description["components"]["schemas"]
    operations = {}
    for item in description["webhooks"].values():
        event, _, action = item["post"]["operationId"].replace("-", "_").partition("/")
        if event in EVENTS:
            body = item["post"]["requestBody"]["content"]["application/json"]["schema"]
            operations[f"{event}/{action}".rstrip("/")] = reduced(body, READ, schemas)
    found = json.loads((examples / "api.github.com/index.json").read_text(encoding="utf-8"))
    return {
        "sources": [_source(openapi), _source(examples)],
        "operations": {name: operations[name] for name in sorted(operations)},
        "examples": {
            each["name"]: _once([cut(example, READ) for example in each["examples"]])
            for each in sorted(found, key=lambda each: str(each["name"]))
            if each["name"] in EVENTS
        },
    }


def _lined(value: Mapping[str, Any]) -> str:
    """One line for each operation and each event's examples, so that a diff can be read."""
    rows = ("sources", json.dumps(value["sources"])), *((key, _rows(value[key])) for key in ("operations", "examples"))
    return "{" + ",\n".join(f"{json.dumps(key)}: {row}" for key, row in rows) + "}"


def _rows(value: Mapping[str, Any]) -> str:
    return "{" + ",\n".join(f"{json.dumps(key)}: {json.dumps(row)}" for key, row in value.items()) + "}"


def _once(values: list[Any]) -> list[Any]:
    return [value for index, value in enumerate(values) if value not in values[:index]]


def _source(directory: Path) -> dict[str, str]:
    package = json.loads((directory / "package.json").read_text(encoding="utf-8"))
    return {key: package[key] for key in ("name", "version", "license")}


if __name__ == "__main__":
    made = extract(Path(sys.argv[1]), Path(sys.argv[2]))
    EXTRACT.write_text(_lined(made) + "\n", encoding="utf-8")
