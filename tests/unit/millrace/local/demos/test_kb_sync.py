"""How the story of kb_sync is followed and judged."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from millrace.errors import StillRunning
from millrace.executions.adapter import Executions
from millrace.executions.sync_outcome import Statistics, sync_outcome_of
from millrace.executions.view import view_of
from millrace.executions.watching import Pace
from millrace.local.demos.kb_sync import Job, Request, Story, flaws, serve, settled
from millrace.syncs import SyncItem
from tests.fakes.operator.aws import SYNC_MACHINE, FakeExecution, FakeStates
from tests.fakes.operator.histories import a_sync, covered_by

ASKED = {"knowledgeBaseId": "KB12345678", "dataSourceId": "DS12345678"}
ALL_COVERED = SyncItem("KB/DS", requested=4, completed=4)


def request(name: str, output: dict[str, Any], events: int = 0, error: str | None = None) -> Request:
    return Request(name, events, sync_outcome_of(view_of(a_sync(output, ticket=output["ticket"]))), error)


def coalesced(ticket: int) -> dict[str, Any]:
    return {"status": "coalesced", "ticket": ticket, "owner": "arn:first"}


FIRST = request("asked-1", covered_by("J1", 3, ticket=1))
SECOND = request("asked-2", coalesced(2))
PIPE = request("pipe", coalesced(4), events=10)
JOB = Job("J1", "COMPLETE", "requests up to ticket 3", 1.0, Statistics(scanned=5, new=5))
STORY = Story([FIRST, SECOND, PIPE], ALL_COVERED, [JOB], {"heron": "heron"})


def test_the_story_as_it_is_meant_has_no_flaw() -> None:
    assert flaws(STORY) == []
    assert flaws(replace(STORY, jobs=[JOB, replace(JOB, job_id="J2")])) == []


@pytest.mark.parametrize(
    ("departure", "said"),
    [
        ({"requests": [replace(FIRST, error="JobFailed: no")]}, "asked-1 failed: JobFailed: no"),
        ({"item": replace(ALL_COVERED, completed=2)}, "tickets 3 to 4 are not covered"),
        ({"jobs": []}, "0 jobs ran, where 1 or 2 are enough"),
        ({"jobs": [JOB, JOB, JOB]}, "3 jobs ran, where 1 or 2 are enough"),
        ({"jobs": [replace(JOB, status="STOPPED")]}, "job J1 is STOPPED"),
        ({"jobs": [replace(JOB, statistics=Statistics(failed=2))]}, "2 documents of job J1 failed"),
        ({"answers": {"heron": "map"}}, "the question for heron was answered by map"),
        ({"answers": {"heron": None}}, "the question for heron was answered by nothing"),
    ],
)
def test_each_departure_from_the_story_is_named(departure: dict[str, Any], said: str) -> None:
    assert flaws(replace(STORY, **departure)) == [said]


def test_what_became_of_a_request_is_one_sentence() -> None:
    assert str(FIRST) == "asked-1: ticket 1: covered by job J1, which covers up to ticket 3"
    assert str(PIPE) == "10 events of the bucket: ticket 4: coalesced, first serves it"
    assert str(replace(SECOND, error="ABORTED")) == "asked-2: ABORTED"


def test_it_is_settled_when_every_event_is_in_a_request_and_all_is_covered() -> None:
    ended = [FIRST, SECOND, PIPE]
    pending = replace(ALL_COVERED, completed=3)
    assert settled(ended, False, ALL_COVERED, 10)
    assert not settled(ended, True, ALL_COVERED, 10), "an execution may still ask for a job"
    assert not settled(ended, False, ALL_COVERED, 11), "an upload may still be on its way"
    assert not settled(ended, False, pending, 10)
    assert settled([*ended, replace(FIRST, error="JobFailed")], False, pending, 10), "nobody covers it any more"


def clockwork(at_most: float) -> Pace:
    now = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    return Pace(1, at_most, clock=lambda: now[0], sleep=sleep)


def execution(name: str, output: dict[str, Any] | None, asked: Any = ASKED) -> FakeExecution:
    history = a_sync(output, ticket=output["ticket"] if output else 1, asked=asked)
    return FakeExecution(name, history, status="SUCCEEDED" if output else "RUNNING", machine=SYNC_MACHINE)


def test_each_request_is_told_once_when_it_ends_and_earlier_ones_never() -> None:
    states = FakeStates()
    before = states.add(execution("earlier", coalesced(1)))
    first = execution("first", None)
    states.add(first)
    states.add(execution("pipe", coalesced(2), asked=[ASKED] * 10))
    told: list[str] = []
    looks = iter([SyncItem("KB/DS", 2, 0), SyncItem("KB/DS", 2, 0), SyncItem("KB/DS", 2, 2)])

    def item() -> SyncItem:
        now = next(looks)
        if len(told) == 1 and now.completed == 0:
            first.history, first.status = a_sync(covered_by("J1", 2), asked=ASKED), "SUCCEEDED"
        return now

    requests, found = serve(
        Executions(states, SYNC_MACHINE), {before}, item, 10, clockwork(60), lambda each: told.append(each.name)
    )
    assert told == ["pipe", "first"]
    assert [each.name for each in requests] == told
    assert found.completed == 2


def test_a_failed_request_is_told_with_its_reason() -> None:
    states = FakeStates()
    job = json.dumps({"Status": "FAILED", "FailureReasons": ["the bucket is gone"]})
    history = a_sync(error=("JobFailed", f"3 jobs failed, the last of them J3: {job}"), asked=[ASKED])
    states.add(FakeExecution("pipe", history, status="FAILED", machine=SYNC_MACHINE))
    (request,), _ = serve(
        Executions(states, SYNC_MACHINE), set(), lambda: SyncItem("KB/DS", 1, 0), 1, clockwork(60), lambda _: None
    )
    assert str(request).endswith("JobFailed: 3 jobs failed, the last of them J3: FAILED (the bucket is gone)")


def test_a_story_that_does_not_end_is_ended_and_says_what_is_missing() -> None:
    states = FakeStates()
    states.add(execution("first", coalesced(1), asked=[ASKED] * 7))
    with pytest.raises(StillRunning, match=r"after 5 s, 7 of 10 events .* 2 requests are not covered"):
        serve(
            Executions(states, SYNC_MACHINE), set(), lambda: SyncItem("KB/DS", 3, 1), 10, clockwork(5), lambda _: None
        )
