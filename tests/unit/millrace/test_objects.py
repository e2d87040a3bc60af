from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from millrace.objects import find_object
from tests.fakes.operator.aws import FakeS3, refusal


class Closed(FakeS3):
    """A bucket that the caller may neither read nor list."""

    def get_object(self, **_: str) -> dict[str, object]:
        raise refusal("GetObject", "AccessDenied")


def test_what_lies_there_is_found_and_nothing_where_nothing_does() -> None:
    s3 = FakeS3()
    s3.keep("reports", "a.json", {})
    assert find_object(s3, "reports", "a.json") == b"{}"
    assert find_object(s3, "reports", "b.json") is None


def test_a_refusal_is_not_taken_for_nothing() -> None:
    with pytest.raises(ClientError, match="AccessDenied"):
        find_object(Closed(), "reports", "a.json")
