from __future__ import annotations

import json
import logging
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError, ReadTimeoutError

from incident_sync import batch_sync
from incident_sync.batch_sync import PASS_MAX
from incident_sync.crew import THREADS
from incident_sync.errors import EventInvalid, PassBusy, StoreUnavailable
from incident_sync.marks import ATTEMPTS_MAX
from tests.fakes.crash import Crash
from tests.fakes.incidents import INCIDENTS, ITEMS, PASS_SECONDS, PREFIX, Workflow, closed
from tests.fakes.s3 import client_error

NOTHING = {"synced": 0, "removed": 0, "failed": 0, "setAside": 0, "overtaken": 0, "more": False, "uncovered": False}
SECRET = "The customer's name is Ada"


def workflow_with(number: int = 0, *incidents: dict[str, Any]) -> Workflow:
    """So many closed incidents that wait, and these."""
    workflow = Workflow()
    for each in (*(closed(f"INC-{name:03}") for name in range(number)), *incidents):
        workflow.put(each)
        workflow.deliver()
        workflow.clock.now += 1
    return workflow


def passed(workflow: Workflow, run: str = "run", number: int = 1, **options: Any) -> dict[str, Any]:
    """One pass of a run that begins now."""
    return workflow.one_pass(run, number, workflow.now(), **options)


def at_call(name: str, happens: Callable[[], Any], *, after: bool = False, number: int = 1) -> Any:
    """A guard under which something happens at the n-th call of this operation."""
    count = Counter[str]()

    def guard(function: Callable[..., Any], arguments: dict[str, Any]) -> Any:
        operation = operation_of(arguments)
        count[operation] += 1
        if operation != name or count[operation] != number:
            return function(**arguments)
        reply = function(**arguments) if after else None
        happens()
        return reply if after else function(**arguments)

    return guard


def operation_of(arguments: dict[str, Any]) -> str:
    """What a call is about, by its arguments: `put`, `delete`, `mark`, `lease`, `read`, `query` or `note`."""
    if "Bucket" in arguments:
        return "put" if "Body" in arguments else "delete"
    if "TransactItems" in arguments:
        return "lease" if "'pass'" in str(arguments) and "incident/" not in str(arguments) else "mark"
    if "RequestItems" in arguments:
        return "read"
    return "query" if "IndexName" in arguments else "note"


def raising(error: BaseException) -> Callable[[], Any]:
    def happens() -> None:
        raise error

    return happens


def test_a_closed_incident_is_written_and_marked() -> None:
    workflow = workflow_with(1)
    assert passed(workflow) == NOTHING | {"synced": 1, "uncovered": True}
    key = f"{PREFIX}INC-000.json.md"
    assert set(workflow.objects()) == {key, f"{key}.metadata.json"}
    incident = workflow.incident("INC-000")
    assert incident is not None
    mark = incident["kb_sync_status"]["M"]
    since = workflow.item("INC-000")["since"]
    wanted = {"synced": {"BOOL": True}, "searchable": {"BOOL": False}, "synced_at": since, "object": {"S": key}}
    assert mark == wanted
    assert workflow.waits_for("INC-000") == "ingestion"


def test_the_mark_is_all_that_changes_of_an_incident() -> None:
    workflow = workflow_with(0, incident := closed("INC-1", other={"N": "3.10"}, tags={"SS": ["a"]}))
    passed(workflow)
    marked = workflow.incident("INC-1")
    assert marked is not None
    assert {name: value for name, value in marked.items() if name != "kb_sync_status"} == incident


@pytest.mark.parametrize("leave", [Workflow.reopen, Workflow.delete])
def test_what_is_reopened_or_deleted_leaves(leave: Callable[[Workflow, str], None]) -> None:
    workflow = workflow_with(1)
    workflow.settle()
    leave(workflow, "INC-000")
    workflow.deliver()
    workflow.clock.now += 1
    assert passed(workflow) == NOTHING | {"removed": 1, "uncovered": True}
    assert workflow.objects() == {}
    incident = workflow.incident("INC-000")
    if incident is not None:
        mark = incident["kb_sync_status"]["M"]
        assert set(mark) == {"synced", "searchable", "removed_at"}
        assert mark["synced"] == mark["searchable"] == {"BOOL": False}
    workflow.settle()
    workflow.check()


def test_fifty_are_worked_the_longest_waiting_first_and_the_answer_says_that_more_wait() -> None:
    workflow = workflow_with(PASS_MAX + 2)
    began = workflow.now()
    first = workflow.one_pass("run", 1, began)
    assert (first["synced"], first["more"]) == (PASS_MAX, True)
    assert {workflow.waits_for(f"INC-{number:03}") for number in range(PASS_MAX)} == {"ingestion"}
    assert {workflow.waits_for(f"INC-{number:03}") for number in (PASS_MAX, PASS_MAX + 1)} == {"sync"}
    second = workflow.one_pass("run", 2, began)
    assert (second["synced"], second["more"]) == (2, False)


def test_after_exactly_fifty_no_more_wait() -> None:
    assert passed(workflow_with(PASS_MAX))["more"] is False


def test_what_begins_to_wait_after_the_run_began_waits_for_the_next_run() -> None:
    workflow = workflow_with(1)
    began = workflow.now() - timedelta(seconds=5)
    assert workflow.one_pass("run", 1, began) == NOTHING


def test_what_fails_goes_to_the_end_of_the_queue_and_keeps_nobody_waiting() -> None:
    workflow = workflow_with(3)
    began = workflow.now()
    workflow.guard = at_call("put", raising(client_error("PutObject", "EntityTooLarge", "too large")))
    first = workflow.one_pass("run", 1, began)
    assert (first["synced"], first["failed"], first["setAside"], first["more"]) == (2, 1, 0, False)
    item = workflow.item("INC-000")
    assert item["reason"] == {"S": "PutObject: EntityTooLarge: too large"}
    assert item["attempts"] == {"N": "1"}
    assert item["since"]["S"] >= began.isoformat()[:19]
    assert workflow.one_pass("run", 2, began) == NOTHING | {"uncovered": True}
    workflow.settle()
    assert workflow.waits_for("INC-000") is None
    assert not {"attempts", "reason"} & workflow.item("INC-000").keys()


def test_five_failures_of_its_own_make_an_incident_wait_for_a_person() -> None:
    workflow = workflow_with(1)
    workflow.guard = lambda function, arguments: (
        raising(client_error("PutObject", "EntityTooLarge"))() if "Body" in arguments else function(**arguments)
    )
    answers = []
    for number in range(ATTEMPTS_MAX):
        workflow.clock.now += 60
        answers.append(passed(workflow, f"run-{number}"))
    assert [answer["failed"] for answer in answers] == [1] * ATTEMPTS_MAX
    assert [answer["setAside"] for answer in answers] == [0, 0, 0, 0, 1]
    assert workflow.waits_for("INC-000") == "person"
    workflow.clock.now += 60
    assert passed(workflow, "later") == NOTHING


def test_what_cannot_be_written_waits_for_a_person_at_once_and_the_others_go_on() -> None:
    bad = [closed("INC-BAD", title=" "), closed("../INC"), closed("INC 1"), closed("INC-B") | {"title": {"B": b"x"}}]
    workflow = workflow_with(2, *bad)
    answer = passed(workflow)
    assert (answer["synced"], answer["failed"], answer["setAside"]) == (2, 4, 4)
    assert "title" in workflow.item("INC-BAD")["reason"]["S"]
    assert "incident_id" in workflow.item("../INC")["reason"]["S"]
    assert len(workflow.objects()) == 4


def test_an_incident_whose_id_is_no_name_leaves_without_touching_an_object() -> None:
    workflow = workflow_with(1, closed("../INC-000"))
    passed(workflow)
    workflow.delete("../INC-000")
    workflow.deliver()
    workflow.clock.now += 1
    before = workflow.objects()
    assert passed(workflow, "next")["removed"] == 1
    assert workflow.objects() == before


def test_an_error_that_nobody_knows_is_the_incidents_and_tells_nothing_of_its_text(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    workflow = workflow_with(1, closed("INC-ODD", SECRET))
    real = batch_sync.document

    def odd(incident: Any, fields: Any) -> Any:
        if incident["incident_id"] == {"S": "INC-ODD"}:
            raise KeyError(incident["title"]["S"])
        return real(incident, fields)

    monkeypatch.setattr(batch_sync, "document", odd)
    with caplog.at_level(logging.INFO):
        answer = passed(workflow)
    assert (answer["synced"], answer["failed"], answer["setAside"]) == (1, 1, 0)
    assert workflow.item("INC-ODD")["reason"]["S"].startswith("KeyError at test_batch_sync.py:")
    told = [json.dumps(record.__dict__, default=str) for record in caplog.records]
    assert told
    assert not any(SECRET in text for text in told)


@pytest.mark.parametrize(
    ("operation", "error"),
    [
        ("put", client_error("PutObject", "SlowDown", status=503)),
        ("put", client_error("PutObject", "AccessDenied", status=403)),
        ("put", client_error("PutObject", "NoSuchBucket", status=404)),
        ("mark", client_error("TransactWriteItems", "ThrottlingException")),
        ("mark", client_error("TransactWriteItems", "ResourceNotFoundException")),
        ("read", client_error("BatchGetItem", "AccessDeniedException")),
        ("query", client_error("Query", "InternalServerError", status=500)),
        ("note", EndpointConnectionError(endpoint_url="https://localhost")),
    ],
)
def test_what_is_no_incidents_fault_is_charged_to_none_and_the_lease_is_given_back(
    operation: str, error: Exception
) -> None:
    workflow = workflow_with(3)
    began = workflow.now()
    workflow.guard = at_call(operation, raising(error), number=2 if operation == "put" else 1)
    with pytest.raises(StoreUnavailable):
        workflow.one_pass("run", 1, began)
    items = workflow.dynamodb.tables[ITEMS].items
    assert not any("attempts" in item or "reason" in item for item in items.values())
    assert "until" not in items["pass"]
    assert workflow.one_pass("run", 1, began)["synced"] == 3


def test_while_a_write_may_still_take_effect_the_lease_is_kept() -> None:
    workflow = workflow_with(1)
    began = workflow.now()
    workflow.guard = at_call("put", raising(ReadTimeoutError(endpoint_url="https://localhost")))
    with pytest.raises(StoreUnavailable):
        workflow.one_pass("run", 1, began)
    with pytest.raises(PassBusy):
        workflow.one_pass("run", 1, began)
    workflow.clock.now += PASS_SECONDS + 11
    assert workflow.one_pass("run", 1, began)["synced"] == 1


def test_a_lease_whose_answer_was_lost_is_given_back() -> None:
    workflow = workflow_with(1)
    began = workflow.now()
    workflow.guard = at_call("lease", raising(ReadTimeoutError(endpoint_url="https://localhost")), after=True)
    with pytest.raises(StoreUnavailable):
        workflow.one_pass("run", 1, began)
    assert workflow.one_pass("run", 1, began)["synced"] == 1


def test_nobody_else_begins_a_pass_before_the_lease_has_ended() -> None:
    workflow = workflow_with(2)
    began = workflow.now()
    workflow.guard = at_call("mark", raising(Crash()), number=2)
    with pytest.raises(Crash):
        workflow.one_pass("run", 1, began)
    until = float(workflow.dynamodb.tables[ITEMS].items["pass"]["until"]["N"])
    assert until == pytest.approx(began.timestamp() + PASS_SECONDS + 10, abs=1)
    for run, number in (("run", 1), ("other", 1), ("run", 2)):
        with pytest.raises(PassBusy):
            workflow.one_pass(run, number, workflow.now())
    workflow.clock.now += PASS_SECONDS + 11
    assert workflow.one_pass("other", 1, began)["synced"] == 1


def test_the_same_pass_asked_again_gives_the_same_answer_and_does_nothing() -> None:
    workflow = workflow_with(2)
    began = workflow.now()
    answer = workflow.one_pass("run", 1, began)
    workflow.change("INC-000", title={"S": "Changed"})
    workflow.deliver()
    puts = len(workflow.calls)
    assert workflow.one_pass("run", 1, began + timedelta(hours=1)) == answer
    assert [name for name, _ in workflow.calls[puts:]] == ["transact_write_items", "get_item", "transact_write_items"]
    assert passed(workflow, "other")["synced"] == 1
    assert workflow.one_pass("run", 1, began) == answer


def test_a_pass_that_has_ended_answers_while_another_is_at_work() -> None:
    workflow = workflow_with(2)
    began = workflow.now()
    answer = workflow.one_pass("run", 1, began)
    workflow.change("INC-000", title={"S": "Changed"})
    workflow.deliver()
    workflow.clock.now += 1
    workflow.guard = at_call("mark", raising(Crash()))
    with pytest.raises(Crash):
        passed(workflow, "other")
    assert workflow.one_pass("run", 1, began) == answer


def test_who_takes_a_dead_pass_over_goes_on_with_its_incidents_and_counts_what_it_did() -> None:
    workflow = workflow_with(5)
    began = workflow.now()
    workflow.guard = at_call("mark", raising(Crash()), number=3, after=True)
    with pytest.raises(Crash):
        workflow.one_pass("run", 1, began)
    workflow.clock.now += PASS_SECONDS + 11
    before = len(workflow.calls)
    assert workflow.one_pass("run", 1, began) == NOTHING | {"synced": 5, "uncovered": True}
    assert sum(name == "put_object" for name, _ in workflow.calls[before:]) == 4


def test_a_pass_is_over_once_a_later_one_has_begun() -> None:
    workflow = workflow_with(1)
    passed(workflow, number=2)
    with pytest.raises(EventInvalid, match="pass 1 of this run is over"):
        passed(workflow, number=1)
    assert passed(workflow, number=3) == NOTHING | {"uncovered": True}


@pytest.mark.parametrize(
    "overtake",
    [
        lambda workflow: workflow.change("INC-000", title={"S": "Edited"}),
        lambda workflow: workflow.reopen("INC-000"),
        lambda workflow: workflow.delete("INC-000"),
        lambda workflow: (workflow.change("INC-000", title={"S": "Edited"}), workflow.deliver()),
    ],
)
def test_who_is_overtaken_is_not_marked_and_waits_on(overtake: Callable[[Workflow], Any]) -> None:
    workflow = workflow_with(1)
    began = workflow.now()
    workflow.guard = at_call("mark", lambda: overtake(workflow))
    assert workflow.one_pass("run", 1, began) == NOTHING | {"overtaken": 1}
    assert workflow.waits_for("INC-000") == "sync"
    assert "kb_sync_status" not in (workflow.incident("INC-000") or {})
    workflow.settle()
    workflow.check()


def test_a_conflict_with_another_transaction_is_nobodys_fault() -> None:
    workflow = workflow_with(1)
    conflict = client_error("TransactWriteItems", "TransactionCanceledException")
    conflict.response["CancellationReasons"] = [{"Code": "TransactionConflict"}, {"Code": "None"}]  # type: ignore[typeddict-unknown-key]
    workflow.guard = at_call("mark", raising(conflict))
    assert passed(workflow) == NOTHING | {"overtaken": 1}
    assert "attempts" not in workflow.item("INC-000")


def test_an_attribute_that_nobody_reads_overtakes_nobody() -> None:
    workflow = workflow_with(1)
    workflow.guard = at_call("mark", lambda: workflow.change("INC-000", assignee={"S": "Ada"}))
    assert passed(workflow)["synced"] == 1
    incident = workflow.incident("INC-000")
    assert incident is not None
    assert incident["assignee"] == {"S": "Ada"}


def test_nothing_new_is_begun_when_the_time_is_low_and_the_answer_says_that_more_wait() -> None:
    workflow = workflow_with(10)
    answer = passed(workflow, seconds=0.3)
    assert 0 < answer["synced"] < 10
    assert answer["more"] is True
    assert passed(workflow, number=2)["synced"] == 10 - answer["synced"]


def test_an_incident_that_a_batch_leaves_unread_is_not_taken_for_gone() -> None:
    workflow = workflow_with(4)
    workflow.dynamodb.unread = [3, 8, 2]
    assert passed(workflow) == NOTHING | {"synced": 4, "uncovered": True}
    assert len(workflow.objects()) == 8


def test_a_table_that_leaves_everything_unread_is_no_incidents_fault() -> None:
    workflow = workflow_with(2)
    workflow.dynamodb.unread = [4] * 100
    with pytest.raises(StoreUnavailable, match="unread"):
        passed(workflow)
    workflow.dynamodb.unread = []
    assert passed(workflow)["synced"] == 2


def test_what_the_index_still_shows_is_not_worked_again() -> None:
    workflow = workflow_with(3)
    began = workflow.now()
    assert workflow.one_pass("run", 1, began)["synced"] == 3
    workflow.dynamodb.lag = 4
    before = len(workflow.calls)
    assert workflow.one_pass("run", 2, began) == NOTHING | {"uncovered": True}
    assert not any("object" in name for name, _ in workflow.calls[before:])


def test_what_an_earlier_run_wrote_and_no_job_has_covered_is_told() -> None:
    workflow = workflow_with(1)
    passed(workflow)
    assert passed(workflow, "next") == NOTHING | {"uncovered": True}


def test_a_run_remembers_that_it_left_something_for_a_job_though_the_index_does_not_show_it_yet() -> None:
    workflow = workflow_with(1)
    began = workflow.now()
    workflow.dynamodb.lag = 3
    workflow.one_pass("run", 1, began)
    assert workflow.one_pass("run", 2, began)["uncovered"] is True


def test_what_this_run_marked_never_waits_since_before_it_began() -> None:
    workflow = workflow_with(1)
    began = workflow.now() + timedelta(seconds=40)
    workflow.one_pass("run", 1, began)
    assert workflow.item("INC-000")["since"]["S"] == began.isoformat(timespec="milliseconds").replace("+00:00", "Z")


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"run": "", "pass": 1, "startedAt": "2025-10-05T12:00:00Z"},
        {"run": "run", "pass": 0, "startedAt": "2025-10-05T12:00:00Z"},
        {"run": "run", "pass": True, "startedAt": "2025-10-05T12:00:00Z"},
        {"run": "run", "pass": "1", "startedAt": "2025-10-05T12:00:00Z"},
        {"run": "run", "pass": 1, "startedAt": "2025-10-05T12:00:00"},
        {"run": "run", "pass": 1, "startedAt": "now"},
        {"run": "run", "pass": 1},
    ],
)
def test_an_event_without_sense_is_refused(event: dict[str, Any]) -> None:
    from incident_sync.events import pass_of

    with pytest.raises(EventInvalid):
        pass_of(event)


def test_two_puts_and_a_transaction_are_all_that_an_incident_costs_beside_the_passs_share() -> None:
    workflow = workflow_with(PASS_MAX)
    workflow.calls.clear()
    passed(workflow)
    calls = Counter(name for name, _ in workflow.calls)
    own = Counter(put_object=2 * PASS_MAX, transact_write_items=PASS_MAX)
    share = Counter(transact_write_items=2, get_item=1, query=2, put_item=1, batch_get_item=1)
    assert calls == own + share
    assert sum(calls.values()) / PASS_MAX < 3.15


def test_a_pass_without_work_costs_five_calls() -> None:
    workflow = workflow_with(0)
    passed(workflow)
    assert Counter(name for name, _ in workflow.calls) == Counter(transact_write_items=2, get_item=1, query=2)


def test_threads_work_a_pass_as_one_would() -> None:
    with ThreadPoolExecutor(THREADS) as pool:
        workflow = Workflow(pool=pool)
        lock = threading.Lock()

        def one_at_a_time(function: Callable[..., Any], arguments: dict[str, Any]) -> Any:
            with lock:
                return function(**arguments)

        workflow.guard = one_at_a_time
        for number in range(PASS_MAX):
            workflow.put(closed(f"INC-{number:03}"))
        workflow.put(closed("INC-BAD", title=" "))
        workflow.settle()
        workflow.check()
    assert len(workflow.dynamodb.tables[INCIDENTS].items) == PASS_MAX + 1
