from __future__ import annotations

import json
from datetime import UTC, datetime

from millrace.stopping import ask_to_stop, withdraw
from tests.fakes.operator.aws import FakeS3

KEY = "_work/handbook-1/1f2e3d4c5b6a7988/stop-one.json"


def test_the_mark_lies_where_the_execution_looks_for_it() -> None:
    s3 = FakeS3()
    place = ask_to_stop(s3, "reports", "handbook-1", "1f2e3d4c5b6a7988", "one", datetime(2025, 10, 5, 12, tzinfo=UTC))
    assert place == f"s3://reports/{KEY}"
    assert json.loads(s3.objects["reports", KEY]) == {"askedAt": "2025-10-05T12:00:00+00:00"}


def test_a_mark_can_be_withdrawn_whether_it_is_there_or_not() -> None:
    s3 = FakeS3()
    s3.keep("reports", KEY, {})
    for _ in range(2):
        withdraw(s3, "reports", "handbook-1", "1f2e3d4c5b6a7988", "one")
    assert not s3.objects
