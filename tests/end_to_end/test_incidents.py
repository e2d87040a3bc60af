"""incident_sync as Terraform deploys it: what is closed is found, what is reopened or deleted is not, and each incident
says by which job, or why not."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

import pytest

from benchmarks.incident_table import Incident, closed
from millrace.errors import ExitCode
from tests.end_to_end.command import at_once
from tests.end_to_end.incident_laws import expect_lawful, expect_settled
from tests.end_to_end.incident_stack import MARKING, IncidentStack, Run, epoch
from tests.end_to_end.test_permissions import allowances, unused
from tests.fakes.deployed import allow, policy

OTHERS = 500
MANY_OTHERS = 5_000
"""What a busy machine needs minutes to prepare; `benchmarks/incidents.py` has as many."""
NEW = 120
OLD = 8
"""Incidents that were there before the stream, and that nobody has synced."""
TRIES = 3
"""Jobs that fail before kb_sync gives up."""
ATTEMPTS = 5
"""Failures of its own before an incident waits for a person."""
REASON = "The store is away"
READER = "millrace-incidents-knowledge-base"
"""The role by which the knowledge base reads the bucket."""
NOTHING = {"synced": 0, "removed": 0, "failed": 0, "setAside": 0, "overtaken": 0, "passes": 1, "more": False}
"""What a run that finds nothing has done."""
ALARMS = {"SyncErrorsAlarm", "IngestionFailureAlarm", "SyncDurationAlarm", "millrace-incident-changes"}
SCHEDULE = "millrace-incident-sync-schedule"
NAMESPACE = "IncidentKBSync"
DASHBOARD = "IncidentKBSyncDashboard"
ROLES = 6
"""Of four functions, the machine and the schedule."""
NOT_CALLED_HERE = {
    "*: logs:* *": "the runtime and Step Functions write logs by themselves",
    "*: xray:* *": "the runtime and Step Functions write traces by themselves",
    "*: events:* *": "asked by Step Functions when the machine is made, inside the process",
    "*: states:StopExecution *": "asked by Step Functions inside the process, when a run that waits is aborted",
    "*: sqs:SendMessage *": "only when records of the stream cannot be worked, see test_incident_faults.py",
}
METRICS = {
    "IncidentsSynced",
    "SyncErrors",
    "SyncDuration",
    "IngestionJobsStarted",
    "IngestionJobsCompleted",
    "IncidentsSetAside",
}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[IncidentStack]:
    stack = IncidentStack.with_incidents(tmp_path_factory.mktemp("incidents"))
    yield stack
    stack.instance.stop()


@pytest.fixture
def calm(stack: IncidentStack) -> Iterator[IncidentStack]:
    """The stack, where nothing is held, ordered or waiting, before a test and after it."""
    yield stack
    stack.instance.forget_faults()
    stack.instance.forget_job_orders()
    stack.data_source.release()
    if left := stack.left():
        stack.time_passes()
        stack.erase(*left)
        stack.heard()
        stack.done()
        assert stack.left() == set()


class Crowd(NamedTuple):
    """A stack with many incidents that were synced before, and what a run made of `new` ones. `found` are those of them
    that could be found after it, `marks` what was marked then."""

    stack: IncidentStack
    others: list[Incident]
    old: list[Incident]
    new: list[str]
    run: Run
    found: set[str]
    marks: Mapping[str, Mapping[str, Any]]


@pytest.fixture(scope="module", params=[OTHERS, pytest.param(MANY_OTHERS, marks=pytest.mark.soak)])
def crowd(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crowd]:
    others = [closed(number) for number in range(request.param)]
    old = [closed(f"OLD-{number}") for number in range(OLD)]
    stack = IncidentStack.with_incidents(tmp_path_factory.mktemp("crowd"), before=[*others, *old])
    try:
        stack.synced_before(others)
        new = stack.put(*[closed(f"NEW-{number:03}") for number in range(NEW)])
        run = stack.done()
        yield Crowd(stack, others, old, new, run, stack.searchable(*new), stack.marks(*new))
    finally:
        stack.instance.stop()


def counts(**some: Any) -> dict[str, Any]:
    """The `sync` of a run's output."""
    return {**NOTHING, **some}


def expect_ingestion(run: Run, **some: Any) -> None:
    """The run has asked for a job that covered it, with these counts."""
    told = {name: run.ingestion[name] for name in ("searchable", "removed", "failed", "setAside")}
    assert told == {"searchable": 0, "removed": 0, "failed": 0, "setAside": 0, **some}
    assert run.ingestion["requested"] is True
    result = run.ingestion["job"]["result"]
    assert (result["IngestionJobId"], result["Status"]) == (run.job, "COMPLETE")


def test_120_incidents_among_many_are_searchable_after_one_execution(crowd: Crowd) -> None:
    assert crowd.run.sync == counts(synced=NEW, passes=3)
    expect_ingestion(crowd.run, searchable=NEW)
    assert crowd.found == set(crowd.new)
    assert {mark["job_id"] for mark in crowd.marks.values()} == {crowd.run.job}
    assert all(mark["synced"] and mark["searchable"] for mark in crowd.marks.values())
    assert {mark["object"] for mark in crowd.marks.values()} <= crowd.stack.objects().keys()
    (job,) = [job for job in crowd.stack.data_source.jobs() if job["id"] == crowd.run.job]
    statistics = job["statistics"]
    assert (statistics["numberOfDocumentsScanned"], statistics["numberOfNewDocumentsIndexed"]) == (
        len(crowd.others) + NEW,
        NEW,
    )


def test_what_the_run_did_is_in_its_metrics(crowd: Crowd) -> None:
    (measured,) = crowd.stack.run_metrics()[:1]
    seconds = measured.pop("SyncDuration")
    assert measured == {
        "IncidentsSynced": NEW,
        "SyncErrors": 0,
        "IngestionJobsStarted": 1,
        "IngestionJobsCompleted": 1,
        "IncidentsSetAside": 0,
    }
    assert seconds == pytest.approx(crowd.run.output["seconds"])
    assert seconds > 0
    assert in_alarm(crowd.stack) == set()


def test_three_that_are_reopened_and_two_that_are_deleted_are_gone(crowd: Crowd) -> None:
    stack, gone = crowd.stack, crowd.new[:5]
    stack.reopen(*gone[:3])
    stack.delete(*gone[3:])
    run = stack.done()
    assert run.sync == counts(removed=5)
    expect_ingestion(run, removed=5)
    assert stack.searchable(*gone) == set()
    assert stack.searchable(*crowd.new[5:10]) == set(crowd.new[5:10])
    assert not [key for key in stack.objects() if any(name in key for name in gone)]
    marks = stack.marks(*gone)
    assert marks.keys() == set(gone[:3])
    assert all((mark["synced"], mark["searchable"]) == (False, False) for mark in marks.values())
    assert stack.run_metrics()[-1]["IncidentsSynced"] == 5
    expect_settled(stack, crowd.new)


def test_incidents_from_before_the_stream_come_in_by_a_check_that_repairs(crowd: Crowd) -> None:
    stack, old = crowd.stack, [each["incident_id"] for each in crowd.old]
    assert stack.searchable(*old) == set()
    checked = at_once(stack.instance.folder, "incidents", "check", "--repair", "--json")
    assert checked.exception is None or isinstance(checked.exception, SystemExit), checked.output
    assert stack.waiting("sync").keys() == set(old)
    run = stack.done()
    assert run.sync == counts(synced=OLD)
    expect_ingestion(run, searchable=OLD)
    expect_settled(stack, old)
    again = at_once(stack.instance.folder, "incidents", "check", "--json")
    assert again.exit_code == ExitCode.OK, again.output


def test_a_run_that_finds_nothing_asks_for_no_job(calm: IncidentStack) -> None:
    before = len(calm.data_source.jobs())
    run = calm.done()
    assert run.sync == NOTHING
    assert (run.ingestion["requested"], run.ingestion["job"]) == (False, None)
    assert len(calm.data_source.jobs()) == before
    assert calm.run_metrics()[-1]["IngestionJobsStarted"] == 0


def test_the_schedule_starts_a_run(calm: IncidentStack) -> None:
    (name,) = calm.put(closed("scheduled"))
    before = len(calm.runs())
    calm.instance.fire_schedule(SCHEDULE)
    calm.wait_until(lambda: len(calm.runs()) > before, "the schedule has started the machine")
    assert calm.run_ended(calm.runs()[0]["executionArn"]).sync == counts(synced=1)
    expect_settled(calm, [name])


def test_only_closed_incidents_and_only_their_fields_leave_the_table(calm: IncidentStack) -> None:
    (name,) = calm.put(closed("closed-1", secret="hunter2"), closed("open-1", status="OPEN"))[:1]
    assert calm.done().sync == counts(synced=1)
    assert [key for key in calm.objects() if "open-1" in key] == []
    text = calm.client("s3").get_object(Bucket=calm.data_source.place.bucket, Key=calm.marks(name)[name]["object"])
    assert b"hunter2" not in text["Body"].read()
    expect_settled(calm, [name])


def test_what_changes_after_it_was_found_is_found_as_it_is_now(calm: IncidentStack) -> None:
    names = calm.put(*[closed(f"edited-{number}") for number in range(3)])
    calm.done()
    calm.change(names[0], resolution="A windlass was fitted.")
    calm.assign(names[1], assignee="somebody else")
    assert calm.done().sync == counts(synced=1)
    assert calm.found("windlass")[:1] == names[:1]
    calm.reopen(names[0])
    calm.change(names[0], status="CLOSED", resolution="A capstan was fitted.")
    assert calm.done().sync == counts(synced=1)
    assert calm.found("capstan")[:1] == names[:1]
    assert calm.found("windlass") == []
    expect_settled(calm, names)


def test_the_application_may_ask_for_an_incident_to_be_written_again(calm: IncidentStack) -> None:
    names = calm.put(closed("asked-again"), closed("replaced"))
    calm.done()
    for key in (calm.marks(name)[name]["object"] for name in names):
        calm.client("s3").delete_object(Bucket=calm.data_source.place.bucket, Key=key)
    calm.change(names[0], kb_sync_status={"synced": False})
    calm.put(closed(names[1]))
    assert calm.done().sync == counts(synced=2)
    expect_settled(calm, names)


def test_metadata_filters_answer(calm: IncidentStack) -> None:
    first = closed("filter-a", service="weir", priority="P1", closed_at="2026-03-01T12:00:00+02:00", tags=["ice"])
    second = closed("filter-b", service="weir", priority="P2", closed_at="2026-03-02T12:00:00Z", tags=["drift"])
    third = closed("filter-c", service="turbine", priority="P1", closed_at="2026-03-03")
    names = calm.put(first, second, third)
    calm.done()
    noon = epoch("2026-03-01T10:00:00+00:00")

    def found(**condition: Any) -> set[str]:
        return set(calm.found("gate storm mill race", condition)) & set(names)

    assert found(equals={"key": "service", "value": "weir"}) == {"filter-a", "filter-b"}
    assert found(equals={"key": "priority", "value": "P1"}) == {"filter-a", "filter-c"}
    assert found(equals={"key": "closed_at_epoch", "value": noon}) == {"filter-a"}
    assert found(greaterThan={"key": "closed_at_epoch", "value": noon}) == {"filter-b", "filter-c"}
    assert found(listContains={"key": "tags", "value": "drift"}) == {"filter-b"}
    both = [{"equals": {"key": "service", "value": "weir"}}, {"equals": {"key": "status", "value": "CLOSED"}}]
    assert found(andAll=both) == {"filter-a", "filter-b"}


class Bad(NamedTuple):
    """An incident that cannot be written; `names` is what its reason has to name."""

    incident: Incident
    names: str


BAD = [
    Bad(closed("../up"), "incident_id"),
    Bad(closed("with spaces"), "incident_id"),
    Bad(closed("two..dots"), "incident_id"),
    Bad(closed("x" * 129), "incident_id"),
    Bad(closed("too-long", description="long " * 70_000), "262,144"),
    Bad(closed("decimal-attribute", category=Decimal("1.5")), "category"),
    Bad(closed("map-attribute", service={"name": "weir"}), "service"),
    Bad(closed("another-date", closed_at="05/10/2025"), "closed_at"),
    Bad(closed("no-day", created_at="2025-02-30"), "created_at"),
    Bad(closed("binary", impact=b"\x00\x01"), "impact"),
    Bad({"incident_id": "no-text", "status": "CLOSED", "priority": "P1"}, "title"),
]
GOOD = [
    closed("decimal-text", impact=Decimal("0.10")),
    closed("no-dates-and-attributes-1"),
    closed("signs", title="\u0441\u0442\u0430\u0432 \u2603 \u0000 ${x} <b>"),
    closed("set", tags={"b", "a"}),
    closed("Id.with_all-signs"),
]


def test_bad_incidents_are_set_aside_with_reasons_and_the_others_go_on(calm: IncidentStack) -> None:
    bad = {each.incident["incident_id"]: each for each in BAD}
    good = calm.put(*GOOD)
    calm.put(*[each.incident for each in BAD])
    run = calm.done()
    assert run.sync == counts(synced=len(GOOD), failed=len(BAD), setAside=len(BAD))
    expect_ingestion(run, searchable=len(GOOD))
    aside = calm.waiting("person")
    assert aside.keys() == bad.keys()
    assert {name: bad[name].names in item["reason"] for name, item in aside.items()} == dict.fromkeys(bad, True)
    measured = calm.run_metrics()[-1]
    assert (measured["SyncErrors"], measured["IncidentsSetAside"]) == (len(BAD), len(BAD))
    listed = at_once(calm.instance.folder, "incidents", "list", "--set-aside", "--json")
    assert all(name in listed.output for name in bad), listed.output
    expect_settled(calm, [*good, *bad])
    calm.change("another-date", closed_at="2025-10-05")
    assert calm.done().sync == counts(synced=1)
    assert calm.run_metrics()[-1]["IncidentsSetAside"] == len(BAD) - 1
    expect_settled(calm, [*good, *bad])


def test_a_version_that_cannot_be_written_leaves_the_one_before(calm: IncidentStack) -> None:
    (name,) = calm.put(closed("once-good"))
    calm.done()
    calm.change(name, closed_at="yesterday")
    assert calm.done().sync == counts(failed=1, setAside=1)
    assert calm.searchable(name) == {name}
    retried = at_once(calm.instance.folder, "incidents", "retry", name)
    assert retried.exit_code == ExitCode.OK, retried.output
    assert calm.waiting("sync").keys() == {name}
    calm.reopen(name)
    assert calm.done().sync == counts(removed=1)
    assert calm.searchable(name) == set()


@contextlib.contextmanager
def unreadable(stack: IncidentStack, name: str) -> Iterator[None]:
    """The knowledge base may not read the objects of an incident."""
    iam = stack.client("iam")
    denied = {**allow("s3:GetObject", on=f"arn:aws:s3:::*/{name}.*"), "Effect": "Deny"}
    iam.put_role_policy(RoleName=READER, PolicyName="deny", PolicyDocument=policy(denied))
    try:
        yield
    finally:
        iam.delete_role_policy(RoleName=READER, PolicyName="deny")


def test_a_document_that_fails_in_the_job_is_charged_and_after_five_runs_set_aside(calm: IncidentStack) -> None:
    doomed, fine = calm.put(closed("doomed"), closed("fine"))
    with unreadable(calm, doomed):
        run = calm.done()
        assert run.sync == counts(synced=2)
        expect_ingestion(run, searchable=1, failed=1)
        assert calm.run_metrics()[-1]["SyncErrors"] == 1
        item = calm.waiting("sync")[doomed]
        assert (item["attempts"], bool(item["reason"])) == (1, True)
        for _ in range(ATTEMPTS - 2):
            expect_ingestion(calm.done(), failed=1)
        run = calm.done()
        expect_ingestion(run, failed=1, setAside=1)
        assert calm.run_metrics()[-1]["IncidentsSetAside"] == 1
        assert calm.waiting("person").keys() == {doomed}
        assert not calm.marks(doomed)[doomed]["searchable"]
        assert calm.done().sync == NOTHING
    expect_settled(calm, [fine])
    retried = at_once(calm.instance.folder, "incidents", "retry", "--all")
    assert retried.exit_code == ExitCode.OK, retried.output
    expect_ingestion(calm.done(), searchable=1)
    expect_settled(calm, [doomed, fine])


def test_after_a_job_that_fails_nothing_is_searchable_and_the_next_run_covers_all(calm: IncidentStack) -> None:
    names = calm.put(*[closed(f"unlucky-{number}") for number in range(3)])
    calm.data_source.order("FAILED", count=TRIES, reason=REASON)
    run = calm.one_run()
    assert (run.status, run.error) == ("FAILED", "IngestionFailed")
    assert REASON in run.cause
    marks = calm.marks(*names)
    assert [(mark["synced"], mark["searchable"]) for mark in marks.values()] == [(True, False)] * 3
    assert calm.waiting("ingestion").keys() == set(names)
    measured = calm.run_metrics()[-1]
    assert (measured["IncidentsSynced"], measured["SyncErrors"]) == (3, 1)
    assert (measured["IngestionJobsStarted"], measured["IngestionJobsCompleted"]) == (1, 0)
    assert in_alarm(calm) >= {"SyncErrorsAlarm", "IngestionFailureAlarm"}
    expect_lawful(calm, names)
    calm.time_passes()
    run = calm.done()
    assert run.sync == NOTHING
    expect_ingestion(run, searchable=3)
    expect_settled(calm, names)


def test_what_changes_while_it_is_written_is_written_again(calm: IncidentStack) -> None:
    changed, reopened, other = calm.put(*[closed(f"moving-{number}") for number in range(3)])
    with calm.marking_held():
        arn = calm.begin_run()
        calm.wait_until(lambda: len(calm.instance.held_calls()) == 3, "the pass is about to mark")
        calm.change(changed, resolution="The flume was rebuilt.")
        calm.reopen(reopened)
    run = calm.run_ended(arn)
    assert run.sync["overtaken"] == 2
    assert run.sync["synced"] == 1
    assert calm.waiting("sync").keys() == {changed, reopened}
    expect_lawful(calm, [changed, reopened, other])
    assert calm.done().sync == counts(synced=1, removed=1)
    assert calm.found("flume") == [changed]
    expect_settled(calm, [changed, reopened, other])


def test_what_changes_while_the_job_runs_is_searchable_by_the_next(calm: IncidentStack) -> None:
    changed, other = calm.put(closed("late-change"), closed("late-other"))
    with calm.data_source.held():
        arn = calm.begin_run()
        calm.wait_until(lambda: calm.data_source.item.job, "the job runs")
        calm.change(changed, resolution="A paddle was replaced.")
    run = calm.run_ended(arn)
    expect_ingestion(run, searchable=1)
    assert calm.waiting("sync").keys() == {changed}
    expect_lawful(calm, [changed, other])
    expect_ingestion(calm.done(), searchable=1)
    assert calm.found("paddle") == [changed]
    expect_settled(calm, [changed, other])


def test_of_two_executions_at_once_nothing_counts_twice(calm: IncidentStack) -> None:
    names = calm.put(*[closed(f"twice-{number:02}") for number in range(60)])
    runs = [calm.run_ended(arn) for arn in [calm.begin_run(), calm.begin_run()]]
    assert [run.status for run in runs] == ["SUCCEEDED"] * 2
    assert sum(run.sync["synced"] for run in runs) == len(names)
    assert sum(run.sync["failed"] + run.sync["overtaken"] for run in runs) == 0
    assert sum(run.ingestion["searchable"] for run in runs) == len(names)
    expect_settled(calm, names)


def in_alarm(stack: IncidentStack) -> set[str]:
    """The workflow's alarms that have something to say now."""
    told = stack.instance.evaluate_alarms()
    assert {each["name"] for each in told} >= ALARMS
    return {each["name"] for each in told if each["state"] == "ALARM"} & ALARMS


def test_alarms_and_dashboard_look_at_what_is_measured(calm: IncidentStack) -> None:
    """An alarm on a name or dimension that nobody emits would never speak."""
    calm.done()
    cloudwatch = calm.client("cloudwatch")
    alarms = {alarm["AlarmName"]: alarm for alarm in cloudwatch.describe_alarms()["MetricAlarms"]}
    assert alarms.keys() >= ALARMS
    assert all(alarms[name]["AlarmActions"] == [calm.outputs["notifications_topic_arn"]] for name in ALARMS)
    looked_at = {
        (query["MetricStat"]["Metric"]["MetricName"], *_pairs(query["MetricStat"]["Metric"]["Dimensions"]))
        for name in ALARMS
        for query in alarms[name]["Metrics"]
        if "MetricStat" in query and query["MetricStat"]["Metric"]["Namespace"] == NAMESPACE
    }
    emitted = calm.emitted(NAMESPACE)
    assert {name for name, *_ in emitted} == METRICS
    assert {name for name, *_ in looked_at} >= METRICS - {"IncidentsSynced", "IncidentsSetAside"}
    assert looked_at <= emitted
    drawn = json.loads(cloudwatch.get_dashboard(DashboardName=DASHBOARD)["DashboardBody"])
    text = json.dumps(drawn)
    assert all(name in text for name in METRICS)


def _pairs(dimensions: Sequence[Mapping[str, str]]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((each["Name"], each["Value"]) for each in dimensions))


@pytest.fixture(scope="module")
def used(stack: IncidentStack) -> IncidentStack:
    """The stack after each kind of change, a document that fails in its job, a confirmation that died, an aborted run,
    and the schedule's."""
    kept, reopened, deleted, doomed = stack.put(*[closed(f"permitted-{number}") for number in range(4)])
    stack.instance.order_fault(**{**MARKING, "function": "*-confirm"}, nth=[1], when="after", kill=True)
    with unreadable(stack, doomed):
        stack.done()
    stack.instance.forget_faults()
    stack.reopen(reopened)
    stack.delete(deleted)
    stack.done()
    stack.change(kept, resolution="It was permitted again.")
    with stack.data_source.held():
        arn = stack.begin_run()
        stack.wait_until(lambda: stack.data_source.item.job, "the job runs")
        stack.client("stepfunctions").stop_execution(executionArn=arn)
    stack.time_passes()
    stack.instance.fire_schedule(SCHEDULE)
    stack.wait_until(lambda: not stack.left(), "nothing is left to do")
    return stack


def callers(stack: IncidentStack) -> set[str]:
    return {call["principal"] for call in stack.instance.calls()}


def test_no_call_of_a_role_is_denied(used: IncidentStack) -> None:
    calls = used.instance.calls()
    assert not [call for call in calls if not call["allowed"] and call["principal"] != READER]
    assert len(callers(used)) > 5, "the roles' calls were not recorded"


def test_no_allowance_is_never_used(used: IncidentStack) -> None:
    ours = [granted for granted in allowances(used) if "incident" in granted[0] and granted[0] != READER]
    assert len({role for role, _, _ in ours}) >= ROLES
    found = unused(used, ours, NOT_CALLED_HERE)
    assert not found, "\n".join(found)
