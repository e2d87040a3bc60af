from __future__ import annotations

import base64

import pytest

from millrace.local.states import tokens

EXECUTION = "arn:aws:states:us-east-1:123456789012:execution:millrace:run-1"


def test_a_token_names_its_execution_and_machine_and_is_never_the_same():
    first, second = tokens.new(EXECUTION), tokens.new(EXECUTION)
    assert first != second
    assert tokens.execution_of(first) == tokens.execution_of(second) == EXECUTION
    assert tokens.machine_of(first) == "arn:aws:states:us-east-1:123456789012:stateMachine:millrace"


@pytest.mark.parametrize(
    "junk",
    ["", "junk", "AQCAAAAAKgAAAAMAAAAA", "a" * 1024, "ü", base64.b64encode(b"x" * 90).decode()],
)
def test_what_is_no_token_is_refused(junk):
    with pytest.raises(tokens.InvalidToken):
        tokens.machine_of(junk)


def test_a_token_of_something_else_than_an_execution_is_refused():
    with pytest.raises(tokens.InvalidToken):
        tokens.machine_of(tokens.new("arn:x"))
