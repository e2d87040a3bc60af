"""Calling a function by its name."""

from __future__ import annotations

import pytest

from millrace.errors import ExitCode, FunctionFailed
from millrace.functions import Answer, call
from tests.fakes.operator.vectors import FakeFunctions


def test_a_function_gets_the_event_and_its_answer_comes_back() -> None:
    functions = FakeFunctions({"check": {"collections": {}}})
    assert call(functions, "millrace-vector-check", {"repair": True}) == Answer({"collections": {}}, 200)
    assert functions.events == [("check", {"repair": True})]


def test_a_functions_error_keeps_its_name_and_message_and_says_where_the_log_is() -> None:
    functions = FakeFunctions({"check": ("StoreUnavailable", "the table does not answer")})
    with pytest.raises(FunctionFailed) as caught:
        call(functions, "millrace-vector-check", {})
    assert (caught.value.error, caught.value.reason) == ("StoreUnavailable", "the table does not answer")
    assert caught.value.exit_code is ExitCode.FAILED
    assert str(caught.value) == (
        "millrace-vector-check failed (StoreUnavailable: the table does not answer); "
        "its log is /aws/lambda/millrace-vector-check"
    )
