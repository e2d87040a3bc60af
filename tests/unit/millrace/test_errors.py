from __future__ import annotations

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from millrace import errors
from millrace.errors import ExitCode, MillraceError, from_aws


def test_the_exit_codes_are_what_scripts_rely_on() -> None:
    assert {code.name: code.value for code in ExitCode} == {
        "OK": 0,
        "FAILED": 1,
        "USAGE": 2,
        "FAILED_DOCUMENTS": 3,
        "ALREADY_RUNNING": 4,
        "STOPPED": 5,
    }
    assert len({code.meaning for code in ExitCode}) == len(ExitCode)


@pytest.mark.parametrize("name", sorted(MillraceError.__subclasses__(), key=lambda kind: kind.__name__))
def test_the_tree_at_the_top_of_the_module_holds_every_error(name: type[MillraceError]) -> None:
    if name.__module__ == errors.__name__:
        assert f"{name.__name__} " in (errors.__doc__ or "")


def test_a_refusal_of_aws_is_one_line_with_advice() -> None:
    error = ClientError({"Error": {"Code": "ExpiredToken", "Message": "The token has expired"}}, "PutObject")
    said = str(from_aws(error))
    assert said == "AWS refused PutObject (ExpiredToken): The token has expired; renew your AWS credentials"


def test_an_aws_that_cannot_be_reached_is_one_line() -> None:
    said = str(from_aws(EndpointConnectionError(endpoint_url="http://127.0.0.1:1")))
    assert "http://127.0.0.1:1" in said
    assert "\n" not in said
