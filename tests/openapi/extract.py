"""Makes github.json and gitea.json beside this file: of each forge's own description, the operations that we use.

``python -m tests.openapi.extract`` needs npm and Go; the tests need neither. Words and examples that no test reads are
left out, ``nullable`` is told as JSON Schema tells it.
"""

from __future__ import annotations

import json
import re
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

HERE: Final = Path(__file__).parent
OCTOKIT: Final = "@octokit/openapi@23.0.2"
GITEA: Final = "code.gitea.io/gitea@v1.26.4"
_WORDS: Final = {"description", "example", "examples", "externalDocs", "title", "default", "deprecated", "readOnly"}

GITHUB_OPERATIONS: Final = (
    "GET /user",
    "GET /repos/{owner}/{repo}/pulls",
    "POST /repos/{owner}/{repo}/pulls",
    "GET /repos/{owner}/{repo}/commits/{commit_sha}/pulls",
    "GET /repos/{owner}/{repo}/commits/{ref}/status",
    "POST /repos/{owner}/{repo}/statuses/{sha}",
    "GET /repos/{owner}/{repo}/issues/{issue_number}/comments",
    "POST /repos/{owner}/{repo}/issues/{issue_number}/comments",
    "PATCH /repos/{owner}/{repo}/issues/comments/{comment_id}",
    "DELETE /repos/{owner}/{repo}/issues/comments/{comment_id}",
    "GET /repos/{owner}/{repo}/collaborators/{username}/permission",
    "GET /app",
    "GET /repos/{owner}/{repo}/installation",
    "POST /app/installations/{installation_id}/access_tokens",
)
GITEA_OPERATIONS: Final = (
    "GET /user",
    "GET /repos/{owner}/{repo}/pulls",
    "POST /repos/{owner}/{repo}/pulls",
    "GET /repos/{owner}/{repo}/commits/{sha}/pull",
    "GET /repos/{owner}/{repo}/commits/{ref}/status",
    "POST /repos/{owner}/{repo}/statuses/{sha}",
    "GET /repos/{owner}/{repo}/issues/{index}/comments",
    "POST /repos/{owner}/{repo}/issues/{index}/comments",
    "PATCH /repos/{owner}/{repo}/issues/comments/{id}",
    "DELETE /repos/{owner}/{repo}/issues/comments/{id}",
    "GET /repos/{owner}/{repo}/collaborators/{collaborator}/permission",
)


def main() -> None:
    write("github", github(octokit_description("api.github.com"), OCTOKIT))
    write("gitea", gitea(gitea_description(), GITEA))


def octokit_description(name: str) -> dict[str, Any]:
    """``api.github.com`` or ``ghes-3.19``; from the package registry that npm is set up with."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["npm", "pack", "--silent", OCTOKIT], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        [packed] = Path(folder).glob("*.tgz")
        with tarfile.open(packed) as archive:
            member = archive.extractfile(f"package/generated/{name}.json")
            assert member is not None
            # Examples hold what looks like a token, which scanners of repositories cry over.
            text = re.sub(r"\bgh([a-z])_\w{16,}", r"gh\1_example", member.read().decode())
            found: dict[str, Any] = json.loads(text)
            return found


def gitea_description() -> dict[str, Any]:
    told = subprocess.run(["go", "mod", "download", "-json", GITEA], check=True, capture_output=True, text=True).stdout
    template = Path(json.loads(told)["Dir"]) / "templates" / "swagger" / "v1_json.tmpl"
    found: dict[str, Any] = json.loads(re.sub(r"\{\{.*?\}\}", "", template.read_text(encoding="utf-8")))
    return found


def github(description: Mapping[str, Any], source: str) -> dict[str, Any]:
    """OpenAPI 3.0."""
    operations = {name: _operation(name, description) for name in GITHUB_OPERATIONS}
    return _whole(f"npm {source}, api.github.com", operations, description["components"]["schemas"])


def _operation(name: str, description: Mapping[str, Any]) -> dict[str, Any]:
    method, _, path = name.partition(" ")
    raw = description["paths"][path][method.lower()]
    answers = {code: _json_of(_at(description, answer)) for code, answer in raw["responses"].items() if code[0] == "2"}
    return {
        "parameters": [_parameter(_at(description, each)) for each in raw.get("parameters", ())],
        "body": _bare(_json_of(raw.get("requestBody") or {}).get("schema")),
        "answers": {code: _bare(answer.get("schema")) for code, answer in answers.items()},
        "examples": [
            _at(description, example)["value"]
            for answer in answers.values()
            for example in answer.get("examples", {}).values()
        ],
    }


def _json_of(message: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = message.get("content", {}).get("application/json", {})
    return found


def gitea(description: Mapping[str, Any], source: str) -> dict[str, Any]:
    """Swagger 2.0; it has no examples."""
    operations = {}
    for name in GITEA_OPERATIONS:
        method, _, path = name.partition(" ")
        raw = description["paths"][path][method.lower()]
        given = [_at(description, each) for each in raw.get("parameters", ())]
        answers = {code: _at(description, each) for code, each in raw["responses"].items() if code[0] == "2"}
        operations[name] = {
            "parameters": [
                {**_parameter(each), "schema": _bare({key: each[key] for key in ("type", "enum") if key in each})}
                for each in given
                if each["in"] != "body"
            ],
            "body": next((_bare(each["schema"]) for each in given if each["in"] == "body"), None),
            "answers": {code: _bare(answer.get("schema")) for code, answer in answers.items()},
            "examples": [],
        }
    return _whole(f"go {source}, templates/swagger/v1_json.tmpl", operations, description["definitions"])


def _whole(source: str, operations: Mapping[str, Any], schemas: Mapping[str, Any]) -> dict[str, Any]:
    used: dict[str, Any] = {}
    waiting = [{name: {**each, "examples": []} for name, each in operations.items()}]
    while waiting:
        for name in _references(waiting.pop()):
            if name not in used:
                used[name] = _bare(schemas[name])
                waiting.append(used[name])
    return {"source": source, "licence": "MIT, see LICENCES.md", "operations": operations, "schemas": used}


def _at(description: Mapping[str, Any], node: Mapping[str, Any]) -> Mapping[str, Any]:
    if "$ref" not in node:
        return node
    found: Any = description
    for step in node["$ref"].removeprefix("#/").split("/"):
        found = found[step]
    return _at(description, found)


def _parameter(raw: Mapping[str, Any]) -> dict[str, Any]:
    schema = _bare(raw.get("schema", {}))
    return {"name": raw["name"], "in": raw["in"], "required": raw.get("required", False), "schema": schema}


def _bare(node: Any) -> Any:
    """A schema without words, its references pointing into ``schemas``."""
    if isinstance(node, list):
        return [_bare(each) for each in node]
    if not isinstance(node, Mapping):
        return node
    bare: dict[str, Any] = {}
    for key, value in node.items():
        if key == "$ref":
            bare[key] = f"#/schemas/{value.rpartition('/')[2]}"
        elif key == "properties":
            bare[key] = {name: _bare(each) for name, each in value.items()}
        elif key not in _WORDS | {"nullable", "discriminator"} and not key.startswith("x-"):
            bare[key] = _bare(value)
    return _or_null(bare) if node.get("nullable") is True else bare


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
    if not isinstance(schema.get("type"), str):
        return {"anyOf": [schema, {"type": "null"}]}
    enum = {"enum": [*schema["enum"], None]} if "enum" in schema else {}
    return {**schema, "type": [schema["type"], "null"], **enum}


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, Mapping):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"].rpartition("/")[2]
        for each in node.values():
            yield from _references(each)
    elif isinstance(node, list):
        for each in node:
            yield from _references(each)


def write(name: str, found: Mapping[str, Any]) -> None:
    """An operation or a schema a line, so that another version shows what changed."""
    lines = ["{", f' "source": {json.dumps(found["source"])},', f' "licence": {json.dumps(found["licence"])},']
    for part, end in (("operations", ","), ("schemas", "")):
        entries = ",\n".join(
            f"  {json.dumps(key)}: {json.dumps(value, separators=(',', ':'), sort_keys=True)}"
            for key, value in sorted(found[part].items())
        )
        lines.append(f' "{part}": {{\n{entries}\n }}{end}')
    (HERE / f"{name}.json").write_text("\n".join([*lines, "}", ""]), encoding="utf-8")


if __name__ == "__main__":
    main()
