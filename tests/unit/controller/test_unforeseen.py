"""A defect is told with all that finds it, and with nothing that was decrypted."""

from __future__ import annotations

import io

import pytest

from clusterops.controller.reconcile import unforeseen
from clusterops.errors import Defect
from clusterops.model.secret import NO_SECRETS, SecretValues
from clusterops.render.seals import discreet
from clusterops.telemetry import build_logger

CANARY = "canary-9f2c-decrypted"


def _broken() -> None:
    int(CANARY)


def test_neither_the_log_nor_the_problem_quotes_what_was_decrypted() -> None:
    log = io.StringIO()
    try:
        _broken()
    except ValueError as error:
        problem = unforeseen(error, "north/alpha", build_logger(stream=log), strike=SecretValues([CANARY]).struck)
    assert CANARY not in log.getvalue() + str(problem)
    assert "_broken" in log.getvalue()
    assert problem.message.startswith("ValueError: invalid literal")


def test_a_defect_while_rendering_keeps_its_place_and_loses_its_words() -> None:
    log = io.StringIO()
    with pytest.raises(Defect, match=r"^ValueError$") as caught, discreet(lambda: SecretValues([CANARY])):
        _broken()
    unforeseen(caught.value, "north/alpha", build_logger(stream=log))
    assert CANARY not in log.getvalue()
    assert "_broken" in log.getvalue()


def test_a_defect_where_nothing_is_secret_keeps_its_words() -> None:
    with pytest.raises(ValueError, match="invalid literal"), discreet(lambda: NO_SECRETS):
        _broken()
