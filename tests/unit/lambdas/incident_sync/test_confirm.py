from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from incident_sync import confirm
from incident_sync.errors import EventInvalid, StoreUnavailable
from incident_sync.events import page_of
from incident_sync.marks import ATTEMPTS_MAX
from tests.fakes.crash import Crash
from tests.fakes.incidents import BUCKET, PREFIX, Workflow, closed, unguarded
from tests.fakes.knowledge_base import FakeKnowledgeBase
from tests.fakes.s3 import client_error

NOTHING = {"searchable": 0, "removed": 0, "failed": 0, "setAside": 0, "cursor": None}


def uri(incident_id: str) -> str:
    return f"s3://{BUCKET}/{PREFIX}{incident_id}.json.md"


def written(number: int = 2, run: str = "run") -> Workflow:
    """So many incidents that a run has written and that wait for a job."""
    workflow = Workflow()
    for name in range(number):
        workflow.put(closed(f"INC-{name}"))
    workflow.deliver()
    workflow.clock.now += 1
    began = workflow.now()
    for each in range(number // 50 + 1):
        workflow.one_pass(run, each + 1, began)
    workflow.clock.now += 1
    return workflow


def job(workflow: Workflow) -> Any:
    return workflow.bedrock.run_job(BUCKET, workflow.objects())


def confirmed(workflow: Workflow, run: str = "run", *, at: datetime | None = None, **options: Any) -> dict[str, Any]:
    """The first page of a run whose job has just ended."""
    answer: dict[str, Any] = workflow.one_page(run, at or workflow.now(), job(workflow), **options)
    return answer


def mark_of(workflow: Workflow, incident_id: str) -> dict[str, Any]:
    incident = workflow.incident(incident_id)
    assert incident is not None
    mark: dict[str, Any] = incident["kb_sync_status"]["M"]
    return mark


def test_what_a_job_has_covered_is_searchable_and_waits_no_more() -> None:
    workflow = written(2)
    assert confirmed(workflow) == NOTHING | {"searchable": 2}
    mark = mark_of(workflow, "INC-0")
    assert mark["searchable"] == {"BOOL": True}
    assert mark["job_id"] == {"S": "JOB0000001"}
    assert mark["searchable_at"]["S"] > mark["synced_at"]["S"]
    item = workflow.item("INC-0")
    assert not {"waits_for", "since", "attempts", "reason", "expiresAt"} & item.keys()
    assert item["job"] == {"S": "JOB0000001"}


def test_nobody_asks_for_documents_where_none_failed() -> None:
    workflow = written(3)
    confirmed(workflow)
    assert workflow.bedrock.requests == []


def test_where_a_document_failed_each_is_judged_by_its_own_status() -> None:
    workflow = written(6)
    statuses = ["FAILED", "METADATA_PARTIALLY_INDEXED", "IN_PROGRESS", "PARTIALLY_INDEXED", "IGNORED"]
    for number, status in enumerate(statuses):
        workflow.bedrock.failing[uri(f"INC-{number}")] = (status, None if status == "IGNORED" else f"{status} it is")
    assert confirmed(workflow) == NOTHING | {"searchable": 2, "failed": 3}
    waits = [workflow.waits_for(f"INC-{number}") for number in range(6)]
    assert waits == ["sync", None, "ingestion", "sync", "sync", None]
    item = workflow.item("INC-0")
    assert item["reason"] == {"S": "FAILED: FAILED it is"}
    assert (item["attempts"], item["made"]) == ({"N": "1"}, {"S": "failed"})
    assert workflow.item("INC-4")["reason"] == {"S": "IGNORED: Bedrock gave no reason"}
    assert mark_of(workflow, "INC-0")["searchable"] == {"BOOL": False}


def test_a_document_that_fails_in_five_jobs_waits_for_a_person() -> None:
    workflow = written(1)
    for number in range(ATTEMPTS_MAX):
        assert workflow.waits_for("INC-0") == "ingestion"
        workflow.bedrock.failing[uri("INC-0")] = ("FAILED", "no")
        answer = confirmed(workflow, "run" if number == 0 else f"run-{number}")
        assert (answer["failed"], answer["setAside"]) == (1, int(number == ATTEMPTS_MAX - 1))
        workflow.clock.now += 60
        workflow.one_pass(f"run-{number + 1}", 1, workflow.now())
    assert workflow.waits_for("INC-0") == "person"


def test_a_success_forgets_the_failures_before_it() -> None:
    workflow = written(1)
    workflow.bedrock.failing[uri("INC-0")] = ("FAILED", "no")
    confirmed(workflow)
    workflow.settle()
    assert not {"attempts", "reason"} & workflow.item("INC-0").keys()


@pytest.mark.parametrize("leave", [Workflow.reopen, Workflow.delete])
def test_the_item_of_what_has_left_may_be_forgotten_after_two_days(leave: Callable[[Workflow, str], None]) -> None:
    workflow = written(1)
    confirmed(workflow)
    leave(workflow, "INC-0")
    workflow.deliver()
    workflow.clock.now += 1
    workflow.one_pass("next", 1, workflow.now())
    assert confirmed(workflow, "next") == NOTHING | {"removed": 1}
    item = workflow.item("INC-0")
    assert "waits_for" not in item
    assert int(item["expiresAt"]["N"]) == pytest.approx(workflow.clock.wall() + 2 * 86_400, abs=1)


def test_what_comes_back_is_not_forgotten() -> None:
    workflow = written(1)
    confirmed(workflow)
    workflow.reopen("INC-0")
    workflow.settle()
    assert "expiresAt" in workflow.item("INC-0")
    workflow.change("INC-0", status={"S": "CLOSED"})
    workflow.settle()
    assert "expiresAt" not in workflow.item("INC-0")


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        ("NOT_FOUND", {"removed": 1}),
        ("FAILED", {"removed": 1}),
        ("IGNORED", {"removed": 1}),
        ("DELETE_IN_PROGRESS", {}),
        ("DELETING", {}),
        ("PENDING", {}),
        ("INDEXED", {"failed": 1}),
        ("PARTIALLY_INDEXED", {"failed": 1}),
    ],
)
def test_what_a_search_may_still_find_has_not_left(status: str, answer: dict[str, int]) -> None:
    workflow = written(2)
    confirmed(workflow)
    workflow.delete("INC-0")
    workflow.change("INC-1", title={"S": "Changed"})
    workflow.deliver()
    workflow.clock.now += 1
    workflow.one_pass("next", 1, workflow.now())
    workflow.bedrock.failing[uri("INC-1")] = ("IN_PROGRESS", None)
    told = job(workflow)
    workflow.bedrock.statuses[uri("INC-0")] = (status, None)
    assert workflow.one_page("next", workflow.now(), told) == NOTHING | answer


def test_what_another_run_wrote_within_five_minutes_is_left_to_a_later_one() -> None:
    workflow = written(2, "other")
    assert confirmed(workflow, "run") == NOTHING
    assert confirmed(workflow, "run", at=workflow.now() + timedelta(minutes=6)) == NOTHING | {"searchable": 2}


def test_what_changed_since_it_was_written_waits_on() -> None:
    workflow = written(2)
    workflow.change("INC-0", title={"S": "Changed"})
    workflow.deliver()
    assert confirmed(workflow) == NOTHING | {"searchable": 1}
    assert workflow.waits_for("INC-0") == "sync"
    workflow.settle()
    workflow.check()


def test_what_changes_while_it_is_confirmed_is_not_marked() -> None:
    workflow = written(1)
    told = job(workflow)

    def guard(function: Callable[..., Any], arguments: dict[str, Any]) -> Any:
        if "TransactItems" in arguments:
            workflow.guard = unguarded
            workflow.change("INC-0", title={"S": "Changed"})
            workflow.deliver()
        return function(**arguments)

    workflow.guard = guard
    assert workflow.one_page("run", workflow.now(), told) == NOTHING
    assert workflow.waits_for("INC-0") == "sync"


def test_an_incident_that_has_lost_its_mark_is_written_again_though_no_stream_told_of_it() -> None:
    workflow = written(1)
    workflow.put(closed("INC-0"))
    workflow.delivered = len(workflow.records)
    assert confirmed(workflow) == NOTHING
    assert workflow.waits_for("INC-0") == "sync"
    assert "attempts" not in workflow.item("INC-0")
    workflow.settle()
    workflow.check()


def test_pages_follow_each_other_to_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(confirm, "PAGE_MAX", 3)
    workflow = written(8)
    told, at, cursor, pages = job(workflow), workflow.now(), None, []
    while True:
        answer = workflow.one_page("run", at, told, json.loads(json.dumps(cursor)))
        pages.append(answer["searchable"])
        cursor = answer["cursor"]
        if cursor is None:
            break
    assert pages == [3, 3, 2]


def test_what_waits_on_does_not_keep_the_pages_from_their_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(confirm, "PAGE_MAX", 2)
    workflow = written(4)
    for number in range(4):
        workflow.bedrock.failing[uri(f"INC-{number}")] = ("IN_PROGRESS", None)
    told, at, cursor = job(workflow), workflow.now(), None
    for _ in range(3):
        answer = workflow.one_page("run", at, told, cursor)
        cursor = answer["cursor"]
    assert answer == NOTHING


def test_a_page_ends_where_the_time_does_and_the_next_one_goes_on() -> None:
    workflow = written(10)
    told, at = job(workflow), workflow.now()
    first = workflow.one_page("run", at, told, seconds=0.16)
    assert 0 < first["searchable"] < 10
    assert first["cursor"] is not None
    second = workflow.one_page("run", at, told, first["cursor"])
    assert (second["searchable"], second["cursor"]) == (10 - first["searchable"], None)


def test_however_little_time_there_is_each_page_goes_further() -> None:
    workflow = written(5)
    told, at, cursor, pages = job(workflow), workflow.now(), None, 0
    while pages == 0 or cursor:
        answer = workflow.one_page("run", at, told, cursor, seconds=0)
        cursor, pages = answer["cursor"], pages + 1
    assert pages == 5
    assert workflow.seen("run").settled == Counter(written=5)


@pytest.mark.parametrize("after", [False, True])
def test_a_page_that_died_is_counted_by_what_it_did(after: bool) -> None:
    workflow = written(5)
    told, at = job(workflow), workflow.now()
    marks = 0

    def guard(function: Callable[..., Any], arguments: dict[str, Any]) -> Any:
        nonlocal marks
        marks += "TransactItems" in arguments
        if marks == 3:
            if after:
                function(**arguments)
            raise Crash
        return function(**arguments)

    workflow.guard = guard
    with pytest.raises(Crash):
        workflow.one_page("run", at, told)
    workflow.guard = unguarded
    assert workflow.one_page("run", at, told) == NOTHING | {"searchable": 5}
    assert workflow.one_page("run", at, told) == NOTHING | {"searchable": 5}


def test_a_page_that_still_runs_when_it_is_tried_again_is_counted_once_in_each_answer() -> None:
    workflow = written(5)
    told, at = job(workflow), workflow.now()
    answers = []

    def guard(function: Callable[..., Any], arguments: dict[str, Any]) -> Any:
        if "TransactItems" in arguments:
            workflow.guard = unguarded
            answers.append(workflow.one_page("run", at, told))
        return function(**arguments)

    workflow.guard = guard
    answers.append(workflow.one_page("run", at, told))
    assert answers == [NOTHING | {"searchable": 5}] * 2
    assert workflow.seen("run").settled == Counter(written=5)


def test_two_runs_that_one_job_covers_share_what_they_confirm() -> None:
    workflow = written(4, "first")
    workflow.clock.now += 600
    told, at = job(workflow), workflow.now()
    answers = []

    def guard(function: Callable[..., Any], arguments: dict[str, Any]) -> Any:
        if "TransactItems" in arguments and not answers:
            workflow.guard = unguarded
            answers.append(workflow.one_page("second", at, told))
        return function(**arguments)

    workflow.guard = guard
    answers.append(workflow.one_page("first", at, told))
    assert sum(answer["searchable"] for answer in answers) == 4


def test_a_knowledge_base_that_does_not_answer_charges_nobody() -> None:
    workflow = written(2)
    workflow.bedrock.failing[uri("INC-0")] = ("FAILED", "no")
    workflow.bedrock.errors = ["ThrottlingException"]
    told, at = job(workflow), workflow.now()
    with pytest.raises(StoreUnavailable):
        workflow.one_page("run", at, told)
    assert "attempts" not in workflow.item("INC-0")
    assert workflow.one_page("run", at, told) == NOTHING | {"searchable": 1, "failed": 1}


def test_an_incident_that_takes_no_mark_is_charged_itself() -> None:
    workflow = written(2)
    told, at = job(workflow), workflow.now()

    def guard(function: Callable[..., Any], arguments: dict[str, Any]) -> Any:
        items = str(arguments.get("TransactItems", ""))
        if "INC-0" in items and "searchable_at" in items:
            raise client_error("TransactWriteItems", "ValidationException", "Item size has exceeded the maximum")
        return function(**arguments)

    workflow.guard = guard
    assert workflow.one_page("run", at, told) == NOTHING | {"searchable": 1, "failed": 1}
    assert "Item size" in workflow.item("INC-0")["reason"]["S"]


@pytest.mark.parametrize(
    "result",
    [
        json.dumps({"Statistics": {"NumberOfDocumentsFailed": 1}}),
        {"Statistics": {"NumberOfDocumentsFailed": 1}},
        {"Statistics": {}},
        {},
        None,
    ],
)
def test_documents_are_asked_for_wherever_the_job_does_not_say_that_none_failed(result: Any) -> None:
    workflow = written(1)
    job(workflow)
    assert workflow.one_page("run", workflow.now(), {"id": "JOB0000001", "result": result})["searchable"] == 1
    assert len(workflow.bedrock.requests) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"run": ""},
        {"requestedAt": "soon"},
        {"job": None},
        {"job": {"result": {}}},
        {"job": {"id": "JOB1", "result": "no JSON"}},
        {"cursor": "next"},
        {"cursor": {"since": 3, "id": "INC-1"}},
    ],
)
def test_an_event_without_sense_is_refused(wrong: dict[str, Any]) -> None:
    event = {
        "run": "run",
        "requestedAt": "2025-10-05T12:00:00.000Z",
        "job": {"id": "JOB1", "covers": 1},
        "cursor": None,
    }
    page_of(event)
    with pytest.raises(EventInvalid):
        page_of(event | wrong)


def test_a_confirmation_costs_a_transaction_an_incident_beside_the_pages_share() -> None:
    workflow = written(40)
    told = job(workflow)
    workflow.calls.clear()
    workflow.one_page("run", workflow.now(), told)
    assert Counter(name for name, _ in workflow.calls) == Counter(
        transact_write_items=40, get_item=1, query=1, put_item=1
    )


def test_the_fake_knowledge_base_forgets_what_a_job_does_not_find() -> None:
    fake = FakeKnowledgeBase()
    fake.run_job(BUCKET, {f"{PREFIX}INC-0.json.md": b"text"})
    assert fake.documents
    fake.run_job(BUCKET, {})
    assert fake.documents == fake.statuses == {}
