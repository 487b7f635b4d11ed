"""What every command says the same way."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer

from clusterops.cli.screen import Exit, Output, explained, say_problem, say_table
from clusterops.errors import ClusterOpsError, RefusedError, TerminalError, TransientError
from clusterops.model.problem import Problem

VALUES = "clusters/eu/web/values.yaml"


def ending(error: Exception, output: Output = Output.TEXT, root: Path | None = None) -> int:
    with pytest.raises(typer.Exit) as caught, explained(output=output, root=root):
        raise error
    return caught.value.exit_code


@pytest.fixture
def fleet(tmp_path: Path) -> Path:
    path = tmp_path / VALUES
    path.parent.mkdir(parents=True)
    (tmp_path / "fleet.yaml").write_text("name: x\n")
    path.write_text("version: v1\nreplicas: five\n")
    return tmp_path


@pytest.mark.parametrize(
    ("family", "code"), [(TransientError, Exit.ERROR), (TerminalError, Exit.ERROR), (RefusedError, Exit.REFUSED)]
)
@pytest.mark.parametrize("output", list(Output))
def test_a_refusal_ends_with_3_any_other_error_with_1(
    family: type[ClusterOpsError], code: Exit, output: Output
) -> None:
    assert ending(family("some-code", "subject", "message"), output) == code


def test_an_error_is_one_line_then_the_source_then_the_next_step(
    fleet: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    error = TerminalError("value-type", "replicas", "is text", hint="write 5", path=VALUES, line=2, column=11)
    ending(error, root=fleet / "clusters")
    assert capsys.readouterr().err.splitlines() == [
        f"{VALUES}:2:11: replicas: is text (value-type)",
        "    2 | replicas: five",
        "      |           ^^^^",
        "  write 5",
    ]


def test_an_error_in_json_is_one_document_with_the_known_fields(capsys: pytest.CaptureFixture[str]) -> None:
    ending(TerminalError("value-type", "replicas", "is text", path=VALUES, line=2), Output.JSON)
    shown = capsys.readouterr()
    assert shown.err == ""
    assert json.loads(shown.out)["error"] == {
        "code": "value-type",
        "subject": "replicas",
        "message": "is text",
        "path": VALUES,
        "line": 2,
        "text": f"{VALUES}:2: replicas: is text (value-type)",
    }


def test_a_defect_shows_no_traceback_and_asks_to_be_reported(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CLUSTEROPS_TRACEBACK", raising=False)
    assert ending(KeyError("x")) == Exit.ERROR
    shown = capsys.readouterr().err
    assert "Traceback" not in shown
    assert "(internal-error)\n  a defect of ClusterOps" in shown


def test_a_defect_shows_its_traceback_to_whoever_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLUSTEROPS_TRACEBACK", "1")
    with pytest.raises(KeyError), explained():
        raise KeyError("x")


@pytest.mark.parametrize(
    "text",
    [
        "kind: Secret\nstringData: {a: hunter2, b: [}\n",
        "name: x\npassword: hunter2\n",
        "name: x\n'api-token': hunter2\n",
        "name: x\na: ENC[AES256_GCM,data:hunter2]\n",
    ],
)
def test_a_line_that_may_hold_a_secret_is_not_quoted(
    fleet: Path, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    (fleet / VALUES).write_text(text)
    say_problem(Problem(code="c", subject="s", message="m", path=VALUES, line=2, column=1), root=fleet)
    assert "hunter2" not in capsys.readouterr().err


def test_a_table_in_a_pipe_is_aligned_text_without_colour(capsys: pytest.CaptureFixture[str]) -> None:
    say_table(["NAME", "PHASE"], [["north/alpha", "Settled"], ["x", "-"]])
    assert capsys.readouterr().out == "NAME          PHASE\nnorth/alpha   Settled\nx             -\n"
