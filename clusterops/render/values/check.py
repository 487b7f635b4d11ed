"""A chart's schema against the merged values, every mistake at the place that a person wrote it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from typing import Any, Final

import jsonschema
from jsonschema.exceptions import SchemaError
from jsonschema.protocols import Validator

from clusterops.errors import TerminalError
from clusterops.model.document import Pointer
from clusterops.model.problem import Problem, SeveralProblems
from clusterops.model.secret import MASK
from clusterops.render.values.formats import EXAMPLES, WANTED, cidr_hint, format_checker
from clusterops.render.values.layers import Layers, path_text

_TYPES: Final = {
    "integer": "a whole number",
    "number": "a number",
    "string": "text",
    "boolean": "true or false",
    "array": "a list",
    "object": "a map",
    "null": "null",
}
_RANGES: Final = {
    "minimum": "is less than {}",
    "maximum": "is more than {}",
    "exclusiveMinimum": "is not more than {}",
    "exclusiveMaximum": "is not less than {}",
    "minLength": "is shorter than {} characters",
    "maxLength": "is longer than {} characters",
    "minItems": "has fewer than {} items",
    "maxItems": "has more than {} items",
}
_LONGEST_SHOWN: Final = 60
_RawError = Any
"""jsonschema's ValidationError, whose fields are typed as possibly unset."""


class ValuesError(SeveralProblems):
    """Everything that is wrong in one target's values; ``problems`` are in the order of files and lines."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Finding:
    """``at_key`` when the key itself is wrong, not its value."""

    code: str
    pointer: Pointer
    message: str
    hint: str = ""
    at_key: bool = False


def check_values(
    layers: Layers, values: Mapping[str, Any], schema_text: bytes, *, schema_path: str, definition: str
) -> None:
    """``values`` are the merged ones that helm will see; ``definition`` is where a missing key has to be added.

    Raises ValuesError, or TerminalError ``chart-schema-invalid``.
    """
    found = {
        (finding.pointer, finding.code): finding
        for error in _validator(schema_text, schema_path).iter_errors(values)
        for finding in _findings(_discreet(error, layers))
    }
    if found:
        problems = (_place(finding, layers, definition) for finding in found.values())
        raise ValuesError(sorted(problems, key=lambda each: (each.path, each.line, each.column, each.subject)))


@lru_cache(maxsize=32)
def _validator(text: bytes, path: str) -> Validator:
    try:
        schema = json.loads(text)
        validator = jsonschema.validators.validator_for(schema, default=jsonschema.Draft202012Validator)
        validator.check_schema(schema)
    except (ValueError, SchemaError) as error:
        message = error.message if isinstance(error, SchemaError) else str(error)
        raise TerminalError(
            "chart-schema-invalid", "", f"is no JSON Schema: {message}", hint="correct the chart", path=path
        ) from error
    return validator(schema, format_checker=format_checker())


def _discreet(error: _RawError, layers: Layers) -> _RawError:
    """The error, and those that led to it, without a value that is private: they quote what they judge."""
    pointer = tuple(error.absolute_path)
    for each in error.context or ():
        _discreet(each, layers)
    if layers.is_secret(pointer):
        error.instance, error.message = MASK, "does not fit"
    elif layers.private.within(error.instance) and not isinstance(error.instance, dict):
        error.instance = [MASK] if isinstance(error.instance, list) else MASK
        error.message = "does not fit"
    elif layers.private.within(error.message):
        error.message = "does not fit"
    return error


def _findings(error: _RawError) -> Iterator[_Finding]:
    pointer = tuple(error.absolute_path)
    if "propertyNames" in error.absolute_schema_path:
        yield _bad_name(error, pointer)
        return
    match error.validator:
        case "additionalProperties" | "unevaluatedProperties":
            yield from _unknown_keys(error, pointer)
        case "required":
            missing = [name for name in error.validator_value if name not in error.instance]
            yield from (_missing(error, pointer, name) for name in missing)
        case "oneOf" | "anyOf" | "not" | "if" | "dependentRequired":
            yield from _combination(error, pointer)
        case _:
            yield _wrong_value(error, pointer)


def _bad_name(error: _RawError, pointer: Pointer) -> _Finding:
    message = f'"{error.instance}" is not a name: small letters, digits and `-`'
    return _Finding(code="value-format", pointer=(*pointer, error.instance), message=message, at_key=True)


def _unknown_keys(error: _RawError, pointer: Pointer) -> Iterator[_Finding]:
    known = list(error.schema.get("properties") or {})
    for key in error.instance:
        if key not in known:
            close = get_close_matches(str(key), known, n=1)
            hint = f"did you mean `{close[0]}`?" if close else f"known here: {', '.join(known) or 'nothing'}"
            yield _Finding(
                code="value-unknown",
                pointer=(*pointer, key),
                message="is not a key of this chart",
                hint=hint,
                at_key=True,
            )


def _missing(error: _RawError, pointer: Pointer, name: str) -> _Finding:
    schema = (error.schema.get("properties") or {}).get(name) or {}
    about = schema.get("description", "")
    return _Finding(
        code="value-missing",
        pointer=(*pointer, name),
        message="is required" + (f": {about[:1].lower()}{about[1:].rstrip('.')}" if about else ""),
        hint=_example(schema, name),
    )


def _combination(error: _RawError, pointer: Pointer) -> Iterator[_Finding]:
    """In the schema's own words (``x-message``, ``x-hint``) where it has them; else the nearest branch's errors."""
    schema = error.schema
    if "x-message" in schema:
        yield _Finding(
            code="value-conflict", pointer=pointer, message=schema["x-message"], hint=schema.get("x-hint", "")
        )
        return
    context = error.context or ()
    best = min(context, key=lambda each: (each.validator == "type", -len(each.absolute_path)), default=None)
    if best is None:
        yield _Finding(code="value-conflict", pointer=pointer, message=error.message)
    elif all(each.validator == "type" and tuple(each.absolute_path) == pointer for each in context):
        wanted = " or ".join(_type_words(each.validator_value) for each in context)
        yield _Finding(code="value-type", pointer=pointer, message=f"{_shown(error.instance)} is not {wanted}")
    else:
        yield from _findings(best)


def _wrong_value(error: _RawError, pointer: Pointer) -> _Finding:
    shown, wanted, schema = _shown(error.instance), error.validator_value, error.schema
    name = str(pointer[-1]) if pointer else ""
    hint = schema.get("x-hint") or _example(schema, name)
    match error.validator:
        case "type":
            code, message = "value-type", f"{shown} is not {_type_words(wanted)}"
        case "format":
            code, message = "value-format", f"{shown} is not {WANTED.get(wanted, wanted)}"
            hint = (cidr_hint(error.instance) if wanted == "cidr" else "") or hint or f"for example {EXAMPLES[wanted]}"
        case "pattern":
            code, message = "value-format", f"{shown} is not {schema.get('x-wanted', f'of the form {wanted}')}"
        case "enum" | "const":
            choices = wanted if isinstance(wanted, list) else [wanted]
            code, message = "value-choice", f"{shown} is not one of {', '.join(str(one) for one in choices)}"
        case str(rule) if rule in _RANGES:
            code, message = "value-range", f"{shown} {_RANGES[rule].format(wanted)}"
        case _:
            code, message = "value-conflict", error.message
    return _Finding(code=code, pointer=pointer, message=message, hint=hint)


def _type_words(wanted: str | list[str]) -> str:
    names = [wanted] if isinstance(wanted, str) else [name for name in wanted if name != "null"]
    return " or ".join(_TYPES.get(name, name) for name in names)


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        return "a map"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"


def _example(schema: Any, name: str) -> str:
    examples = schema.get("examples") if isinstance(schema, Mapping) else None
    if not examples:
        return ""
    key = f"{name}: " if name and not name.isdigit() else ""
    return f"try: `{key}{examples[0] if isinstance(examples[0], str) else json.dumps(examples[0])}`"


def _place(finding: _Finding, layers: Layers, definition: str) -> Problem:
    subject = path_text(finding.pointer)
    layer = next(iter(layers.setting(finding.pointer)), None)
    if layer is None and finding.code != "value-missing":
        layer = _nearest(layers, finding.pointer)
    if layer is None:
        return _missing_place(finding, layers, definition, subject)
    document = layer.document
    mark = document.key_mark(finding.pointer) if finding.at_key else document.mark(finding.pointer)
    return _problem(finding, subject, document.path, mark.line, mark.column)


def _nearest(layers: Layers, pointer: Pointer) -> Any:
    while pointer:
        pointer = pointer[:-1]
        if pointer and (found := layers.setting(pointer)):
            return found[0]
    return None


def _missing_place(finding: _Finding, layers: Layers, definition: str, subject: str) -> Problem:
    parent = finding.pointer[:-1]
    holder = next(iter(layers.setting(parent)), None) if parent else None
    if holder is None:
        return _problem(finding, subject, definition, 0, 0)
    mark = holder.document.key_mark(parent)
    return _problem(finding, subject, holder.path, mark.line, mark.column)


def _problem(finding: _Finding, subject: str, path: str, line: int, column: int) -> Problem:
    return Problem(
        code=finding.code,
        subject=subject,
        message=finding.message,
        hint=finding.hint,
        path=path,
        line=line,
        column=column,
    )
