"""clusterctl's templates. The expectations are those of drone/envsubst's own tests (eval_test.go, parse_test.go)."""

from __future__ import annotations

import pytest

from clusterops.errors import TerminalError
from clusterops.model.fleet import TemplateRecipe
from clusterops.render.recipes import Pantry, fill_templates
from clusterops.render.template import Template
from clusterops.render.values import read_layer
from tests.unit.render.repository import target_of

CASES = [
    # text, variables, result; the first block is eval_test.go
    ("text", {}, "text"),
    ("${var01}", {"var01": "abcdEFGH28ij"}, "abcdEFGH28ij"),
    ("${#var01}", {"var01": "abcdEFGH28ij"}, "12"),
    ("${var01^}", {"var01": "abcdEFGH28ij"}, "AbcdEFGH28ij"),
    ("${var01^^}", {"var01": "abcdEFGH28ij"}, "ABCDEFGH28IJ"),
    ("${var01,}", {"var01": "ABCDEFGH28IJ"}, "aBCDEFGH28IJ"),
    ("${var01,,}", {"var01": "ABCDEFGH28IJ"}, "abcdefgh28ij"),
    ("${empty_var:-default}", {"empty_var": ""}, "default"),
    ("${empty_var=default}", {"empty_var": ""}, "default"),
    ("${empty_var:=default}", {"empty_var": ""}, "default"),
    ("${var01:8}", {"var01": "abcdEFGH28ij"}, "28ij"),
    ("${var01:0:6}", {"var01": "abcdEFGH28ij"}, "abcdEF"),
    ("${var01:-4}", {"var01": ""}, "4"),
    ("${var01#*.}", {"var01": "filename.bash.profile"}, "bash.profile"),
    ("${var01##*.}", {"var01": "filename.bash.profile"}, "profile"),
    ("${var01%.*}", {"var01": "filename.bash.profile"}, "filename.bash"),
    ("${var01%%.*}", {"var01": "filename.bash.profile"}, "filename"),
    ("${stringZ/abc/xyz}", {"stringZ": "abcABC123ABCabc"}, "xyzABC123ABCabc"),
    ("${stringZ//abc/xyz}", {"stringZ": "abcABC123ABCabc"}, "xyzABC123ABCxyz"),
    ("${stringZ//abc/}", {"stringZ": "abcABC123ABCabc"}, "ABC123ABC"),
    ("${stringZ/#abc/XYZ}", {"stringZ": "abcABC123ABCabc"}, "XYZABC123ABCabc"),
    ("${stringZ/%abc/XYZ}", {"stringZ": "abcABC123ABCabc"}, "abcABC123ABCXYZ"),
    ("${var01:-${var02}}", {"var02": "x"}, "x"),
    ("${var01:=${var02:=deep}}", {}, "deep"),
    ("hello ${var01:-${var02:-a}b}c", {}, "hello abc"),
    ("$$VAR $${VAR} $VAR", {"VAR": "x"}, "$VAR ${VAR} $VAR"),
    ("${ VAR } ${VAR } ${ VAR}", {"VAR": "x"}, "x x x"),
    ('${POD_CIDR:=["192.168.0.0/16"]}', {}, '["192.168.0.0/16"]'),
    ("${X:=a:b}", {}, "a:b"),
    # and what clusterctl 1.14.0 made of them
    ("${C:=$${D}} $${E} $F", {"C": "c", "D": "d"}, "c ${E} $F"),
    ("${L:=x\\}y}", {}, "x\\y}"),
    ("${N:?err} ${O:+alt} ${P#*a} ${Q%%b*}", {"P": "abcab", "Q": "abcab"}, "err alt bcab a"),
    ("${X:=http://h/p}", {}, "http://h/p"),
]


@pytest.mark.parametrize(("text", "variables", "result"), CASES)
def test_a_template_is_filled_as_envsubst_does(text: str, variables: dict[str, str], result: str) -> None:
    assert Template(text, "t.yaml").fill(variables) == result


@pytest.mark.parametrize(
    ("text", "line"), [("a\n${", 2), ("${VAR", 1), ("x\n\n${VAR:=a", 3), ("${}", 1), ("${VAR!}", 1), ("${-a}", 1)]
)
def test_a_broken_substitution_is_said_with_its_line(text: str, line: int) -> None:
    with pytest.raises(TerminalError) as caught:
        Template(text, "t.yaml")
    assert (caught.value.code, caught.value.line) == ("template-syntax", line)


def test_all_missing_variables_are_named_at_once_with_the_place_of_the_first() -> None:
    recipe = TemplateRecipe(files=("a.yaml", "b.yaml"), values=("v.yaml",))
    contents = {
        "a.yaml": b"x: ${SET}\ny: ${ONE}\n",
        "b.yaml": b"z: ${TWO} ${ONE} ${D:=d}",
        "v.yaml": b"variables: {SET: 1}",
    }
    with pytest.raises(TerminalError) as caught:
        fill_templates(target_of(recipe), recipe, _pantry(recipe, contents))
    assert (caught.value.code, caught.value.path, caught.value.line) == ("variable-missing", "a.yaml", 2)
    assert "variables ONE, TWO have" in caught.value.message


def test_a_default_that_is_empty_is_none_as_clusterctl_has_it() -> None:
    assert [each.name for each in Template("${A:=} ${B:-} ${C:=c}", "t.yaml").missing({})] == ["A", "B"]


def test_variables_come_from_the_layers_and_never_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME_OF_NOBODY", "x")
    recipe = TemplateRecipe(files=("a.yaml",), values=("low.yaml", "high.yaml"))
    contents = {
        "a.yaml": b"${A} ${B} ${C} ${D}",
        "low.yaml": b"variables: {A: low, B: low, C: 3}",
        "high.yaml": b"variables: {B: high, D: true}",
    }
    (output,) = fill_templates(target_of(recipe), recipe, _pantry(recipe, contents))
    assert output.text == b"low high 3 true"
    with pytest.raises(TerminalError, match="HOME_OF_NOBODY"):
        fill_templates(target_of(recipe), recipe, _pantry(recipe, {**contents, "a.yaml": b"${HOME_OF_NOBODY}"}))


def test_a_variable_that_is_a_list_is_refused_at_its_place() -> None:
    recipe = TemplateRecipe(files=("a.yaml",), values=("v.yaml",))
    contents = {"a.yaml": b"${A}", "v.yaml": b"variables:\n  A: [1]\n"}
    with pytest.raises(TerminalError, match=r"v.yaml:2:6: .*\(value-type\)"):
        fill_templates(target_of(recipe), recipe, _pantry(recipe, contents))


def _pantry(recipe: TemplateRecipe, contents: dict[str, bytes]) -> Pantry:
    return Pantry(contents=contents, layers=[read_layer(contents[path], path, subject="") for path in recipe.values])
