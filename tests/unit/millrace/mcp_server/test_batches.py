from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from millrace.mcp_server.batches import BatchSync, PassBusy, Worked, moment, passes
from millrace.mcp_server.waiting import NobodyWaits, Wait
from tests.fakes.operator.mcp_world import FUNCTION, FakeBatchSync

AT = "2026-11-22T13:00:00.000Z"
SECOND = datetime(2026, 11, 22, 13, 0, 0, tzinfo=UTC)
DATE = "Sun, 22 Nov 2026 13:00:00 GMT"


pytestmark = pytest.mark.usefixtures("world")


def worked(function: FakeBatchSync, wait: Wait | None = None) -> list[Worked]:
    return list(passes(BatchSync(function, FUNCTION), "run-1", AT, wait or Wait(lambda _: None)))


def test_the_sums_are_told_after_each_pass() -> None:
    found = worked(FakeBatchSync(waiting=120, failing=1))
    assert [(each.counts.synced, each.counts.failed, each.counts.passes) for each in found] == [
        (49, 1, 1),
        (99, 1, 2),
        (119, 1, 3),
    ]
    assert [each.counts.more for each in found] == [True, True, False]


def test_a_pass_whose_answer_was_lost_is_asked_for_again_and_counted_once() -> None:
    function = FakeBatchSync(waiting=30)
    batch = BatchSync(function, FUNCTION)
    batch.work("run-1", 1, AT)
    (found,) = worked(function)
    assert (found.counts.synced, len(function.events)) == (30, 2)


def test_too_many_invocations_at_once_are_like_another_ones_pass() -> None:
    function = FakeBatchSync(throttled=1)
    with pytest.raises(PassBusy):
        BatchSync(function, FUNCTION).work("run-1", 1, AT)
    function = FakeBatchSync(waiting=3, throttled=2)
    assert worked(function)[-1].counts.synced == 3


def test_no_further_pass_begins_when_nobody_waits_any_more() -> None:
    wait = Wait(lambda _: None)
    function = FakeBatchSync(waiting=120, meanwhile=wait.end)
    with pytest.raises(NobodyWaits):
        worked(function, wait)
    assert len(function.events) == 1
    assert "pass 2" in wait.running
    assert "written 50" in wait.running


def test_a_clock_that_is_right_is_used_to_the_millisecond() -> None:
    assert moment(SECOND + timedelta(milliseconds=250), DATE) == "2026-11-22T13:00:00.250Z"


@pytest.mark.parametrize(
    ("off_by", "becomes"),
    [
        (timedelta(minutes=-4), "2026-11-22T13:00:00.000Z"),
        (timedelta(minutes=4), "2026-11-22T13:00:00.999Z"),
        (timedelta(days=400), "2026-11-22T13:00:00.999Z"),
    ],
)
def test_a_clock_that_is_wrong_is_corrected_to_the_second_of_aws(off_by: timedelta, becomes: str) -> None:
    assert moment(SECOND + off_by, DATE) == becomes
