"""A forge's own description of its API, in the form that extract.py writes; and what in a call departs from it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import jsonschema

from clusterops.forge.wire import Call


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """``name`` is ``GET /repos/{owner}/{repo}/pulls``."""

    name: str
    parameters: tuple[Mapping[str, Any], ...]
    body: Mapping[str, Any] | None
    answers: Mapping[str, Mapping[str, Any] | None]
    examples: tuple[Any, ...]


Pointer = tuple[str | int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    required: bool
    may_be_null: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    operations: Mapping[str, Operation]
    schemas: Mapping[str, Any]

    def operation(self, call: Call) -> tuple[Operation, dict[str, str]]:
        """With the values of the path's parameters. Raises LookupError; the path with the most words wins."""
        found = [
            (name.count("{"), name, match.groupdict())
            for name in self.operations
            if (match := re.fullmatch(_pattern(name), f"{call.method} {call.path}"))
        ]
        if not found:
            raise LookupError(f"{call.method} {call.path} is no operation of {sorted(self.operations)}")
        _, name, values = min(found, key=lambda each: each[:2])
        return self.operations[name], {key: unquote(value) for key, value in values.items()}

    def faults(self, call: Call) -> list[str]:
        """What the forge does not describe: of the path, the query, or the body."""
        operation, values = self.operation(call)
        return [*self._path(operation, values), *self._query(operation, call.query), *self._body(operation, call.body)]

    def answer_faults(self, operation: Operation, body: Any) -> list[str]:
        [schema] = [each for each in operation.answers.values() if each is not None]
        return [*self._schema_faults(schema, body)]

    def unknown(self, operation: Operation, body: Any) -> list[str]:
        """Keys of an answer that nobody describes: one that a test makes up shows nothing."""
        [schema] = [each for each in operation.answers.values() if each is not None]
        return [*self._unknown(schema, body, "")]

    def field(self, operation: Operation, pointer: Pointer) -> Field:
        """What is said of one field of the answer. Raises LookupError where nothing is."""
        nodes = [*self._shapes(next(each for each in operation.answers.values() if each is not None))]
        required = True
        for step in pointer:
            if isinstance(step, int):
                nodes = [each for node in nodes if "items" in node for each in self._shapes(node["items"])]
                continue
            holding = [node for node in nodes if step in node.get("properties", {})]
            required = all(step in node.get("required", ()) for node in holding)
            nodes = [each for node in holding for each in self._shapes(node["properties"][step])]
        if not nodes:
            raise LookupError(f"{pointer} of {operation.name} is not described")
        kinds = {kind for node in nodes for kind in (_listed(node.get("type")))}
        return Field(required=required, may_be_null="null" in kinds)

    def _shapes(self, schema: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
        """The alternatives, references followed."""
        if "$ref" in schema:
            yield from self._shapes(self.schemas[schema["$ref"].rpartition("/")[2]])
            return
        yield schema
        for word in ("anyOf", "oneOf", "allOf"):
            for each in schema.get(word, ()):
                yield from self._shapes(each)

    def _path(self, operation: Operation, values: Mapping[str, str]) -> Iterator[str]:
        for each in operation.parameters:
            if each["in"] == "path":
                yield from self._schema_faults(each["schema"], _coerced(each["schema"], values[each["name"]]))

    def _query(self, operation: Operation, query: Mapping[str, str]) -> Iterator[str]:
        known = {each["name"]: each for each in operation.parameters if each["in"] == "query"}
        yield from (f"query {name} is not described" for name in query.keys() - known.keys())
        for name, each in known.items():
            if name in query:
                yield from self._schema_faults(each["schema"], _coerced(each["schema"], query[name]))
            elif each["required"]:
                yield f"query {name} is missing"

    def _body(self, operation: Operation, body: Any) -> Iterator[str]:
        if operation.body is None or body is None:
            if (operation.body is None) != (body is None):
                yield "a body, and none is described" if operation.body is None else "no body"
            return
        yield from self._schema_faults(operation.body, body)
        yield from self._unknown(operation.body, body, "")

    def _schema_faults(self, schema: Mapping[str, Any], value: Any) -> Iterator[str]:
        whole = {**schema, "schemas": self.schemas}
        for error in jsonschema.Draft202012Validator(whole).iter_errors(value):
            yield f"{error.json_path}: {error.message[:200]}"

    def _unknown(self, schema: Mapping[str, Any], value: Any, place: str) -> Iterator[str]:
        while "$ref" in schema:
            schema = self.schemas[schema["$ref"].rpartition("/")[2]]
        if isinstance(value, list) and "items" in schema:
            for each in value:
                yield from self._unknown(schema["items"], each, f"{place}[]")
        if isinstance(value, Mapping) and "properties" in schema:
            for key, each in value.items():
                if key not in schema["properties"]:
                    yield f"{place}/{key} is not described"
                else:
                    yield from self._unknown(schema["properties"][key], each, f"{place}/{key}")


def _listed(kinds: Any) -> list[str]:
    return kinds if isinstance(kinds, list) else [kinds] if kinds else []


def _pattern(name: str) -> str:
    return re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", re.escape(name))


def _coerced(schema: Mapping[str, Any], text: str) -> Any:
    if schema.get("type") == "integer" and text.isdigit():
        return int(text)
    return {"true": True, "false": False}.get(text, text) if schema.get("type") == "boolean" else text


@cache
def described(name: str) -> Description:
    """``github`` or ``gitea``."""
    return of(json.loads((Path(__file__).parent / f"{name}.json").read_text(encoding="utf-8")))


def of(raw: Mapping[str, Any]) -> Description:
    operations = {
        name: Operation(
            name=name,
            parameters=tuple(each["parameters"]),
            body=each["body"],
            answers=each["answers"],
            examples=tuple(each["examples"]),
        )
        for name, each in raw["operations"].items()
    }
    return Description(operations=operations, schemas=raw["schemas"])
