"""120 incidents that were just closed, among 5,000 that were synced long ago, brought to the knowledge base by one run;
and beside it, on the same table, what a query for those that are not synced finds and reads.

* the run: from its start to its end, with the ingestion job, which takes a second here. The calls of its functions are
  counted as they were made, by operation. An incident cannot be brought in with fewer than two objects (its document
  and its metadata), one conditional update that says that it is written, and one that says that it is searchable.
* a filter, no paging: `status = CLOSED` by `status-priority-index`, the mark as a filter, Limit 50. Limit counts what
  is read and not what is found: a pass finds what happens to be among the first fifty, and no pass finds another.
* a filter, with paging: finds everything, and reads every incident that was ever closed, each time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from benchmarks import incident_table
from benchmarks.figure import BenchmarkFailed, Figure
from benchmarks.incident_table import Incident, closed
from benchmarks.pipeline import Stack, running, wait_until
from millrace.executions.adapter import Executions
from millrace.executions.incident_outcome import incident_outcome_of
from millrace.executions.watching import Pace, follow
from millrace.incidents.runs import start_run
from millrace.incidents.waiting import WaitingTable, WaitsFor
from millrace.local import sync_sources
from millrace.local.instance import Instance, Options
from millrace.syncs import Syncs

OTHERS = 5_000
NEW = 120
TABLE = "incidents"
FUNCTIONS = "*incident-kb-*"
NEVER = "rate(365 days)"
POLL_SECONDS = 2
LOOK_SECONDS = 0.25
MOST_SECONDS = 600.0
PASS_INCIDENTS = 50

PUT = "s3:PutObject"
MARK, MARKED = "dynamodb:TransactWriteItems", '"kb_sync_status"'
"""The operation that marks, and what no other transaction than a mark has in its body."""
OBJECTS = 2
LEAST_PER_SECOND = 5.0
MOST_OTHER_CALLS = 0.5
"""To find, to read and to hold the lease: a few a pass, and no more with each incident."""


class Measured(NamedTuple):
    """What a run did with so many incidents. `calls` are all that its functions made, by operation; `marks` are those
    of them that say of an incident that it is written, and that it is searchable."""

    incidents: int
    seconds: float
    calls: Mapping[str, int]
    marks: tuple[int, int]

    @property
    def others(self) -> int:
        """Calls that write neither objects nor marks."""
        return sum(self.calls.values()) - self.calls.get(PUT, 0) - sum(self.marks)


class Asked(NamedTuple):
    """What a query for incidents that are not synced found for one pass, and how many it read for that."""

    found: int
    read: int


def run() -> list[Figure]:
    """Sync the others as if long ago, close the new ones, ask as the note's function does, and run the machine."""
    others = [closed(number) for number in range(OTHERS)]
    with running(Options(bedrock_ingestion_starts_per_second=10.0)) as instance:
        stack = Stack.applied(instance, _variables(instance, others))
        _sync_long_ago(stack, others)
        _close(stack, [closed(f"NEW-{number:03}", kb_sync_status={"synced": False}) for number in range(NEW)])
        unpaged, paged = ask(instance, paging=False), ask(instance, paging=True)
        measured = measure(stack)
    return list(figures_of(measured, unpaged, paged))


def figures_of(measured: Measured, unpaged: Asked, paged: Asked) -> Iterator[Figure]:
    """The run's figures with their bars, and the queries' for comparing."""
    number = measured.incidents
    name = f"{number} of {OTHERS + number:,} incidents"
    written, searchable = measured.marks
    yield Figure(f"{name}: end to end", number / measured.seconds, "incidents/s", LEAST_PER_SECOND, "at least")
    yield Figure(f"{name}: objects put for each", measured.calls.get(PUT, 0) / number, "calls", OBJECTS)
    yield Figure(f"{name}: marks that each is written", written / number, "calls", 1)
    yield Figure(f"{name}: marks that each is searchable", searchable / number, "calls", 1)
    yield Figure(f"{name}: all other calls for each", measured.others / number, "calls", MOST_OTHER_CALLS)
    yield Figure(f"{name}: scans", measured.calls.get("dynamodb:Scan", 0), "calls", 0)
    for operation, calls in sorted(measured.calls.items()):
        yield Figure(f"{name}: {operation}", calls, "calls")
    yield Figure("a filter, no paging: found for a pass of 50", unpaged.found, "incidents")
    yield Figure("a filter, no paging: read for it", unpaged.read, "items")
    yield Figure("a filter, with paging: found for all passes", paged.found, "incidents")
    yield Figure("a filter, with paging: read for it", paged.read, "items")


def measure(stack: Stack) -> Measured:
    """One run. Raises BenchmarkFailed where it did not bring in every new incident."""
    machine = stack.deployment.incidents.incident_sync_state_machine_arn
    executions = Executions(stack.deployment.client("stepfunctions"), machine)
    every = stack.instance.order_fault("*", function=FUNCTIONS, watch=True)
    marks = [
        stack.instance.order_fault(MARK, function=function, body=MARKED, watch=True)
        for function in ("*-batch-sync", "*-confirm")
    ]
    begun = start_run(executions)
    *_, view = follow(executions.history(begun.arn), Pace(LOOK_SECONDS, MOST_SECONDS))
    outcome = incident_outcome_of(view)
    if view.ended is None or not outcome.sync or not outcome.ingestion:
        raise BenchmarkFailed(f"the run ended as {view.status}: {view.error}: {view.cause}")
    if (outcome.sync.synced, outcome.ingestion.searchable) != (NEW, NEW):
        raise BenchmarkFailed(f"of {NEW} incidents {outcome.sync} and {outcome.ingestion}")
    seen = {told["id"]: told["calls"] for told in stack.instance.faults()}
    calls = Counter(call["action"] for call in seen[every])
    written, searchable = (len(seen[rule]) for rule in marks)
    return Measured(NEW, view.ended.timestamp() - begun.started.timestamp(), calls, (written, searchable))


def ask(instance: Instance, *, paging: bool) -> Asked:
    """Ask for what is closed and not synced: one page of 50, or page after page to the end."""
    found, read = 0, 0
    asked: dict[str, Any] = {
        "TableName": TABLE,
        "IndexName": incident_table.INDEX,
        "KeyConditionExpression": "#status = :closed",
        "FilterExpression": "kb_sync_status.synced = :no",
        "ExpressionAttributeNames": {"#status": "status"},
        "ExpressionAttributeValues": {":closed": {"S": "CLOSED"}, ":no": {"BOOL": False}},
        "Limit": PASS_INCIDENTS,
    }
    dynamodb = instance.client("dynamodb")
    while asked:
        said = dynamodb.query(**asked)
        found, read = found + said["Count"], read + said["ScannedCount"]
        last = said.get("LastEvaluatedKey")
        asked = {**asked, "ExclusiveStartKey": last} if paging and last else {}
    return Asked(found, read)


def _sync_long_ago(stack: Stack, others: Sequence[Incident]) -> None:
    """Write the objects of the others, let one job cover them, and mark them."""
    incidents, at = stack.deployment.incidents, datetime.now(UTC)
    client = stack.deployment.client
    incident_table.upload(client("s3"), incidents.bucket, incidents.incident_prefix, others)
    sync = stack.deployment.sync
    Executions(client("stepfunctions"), sync.kb_sync_state_machine_arn).start(incidents.source.ids)
    syncs = Syncs(client("dynamodb"), sync.sync_table)
    wait_until(lambda: syncs.get(incidents.source.key).completed, "a job covers what was synced long ago")
    job = syncs.get(incidents.source.key).last_job
    tables = incidents.incidents_table, incidents.incident_sync_table
    incident_table.mark_synced(client("dynamodb"), *tables, incidents.incident_prefix, others, job or "", at)


def _close(stack: Stack, new: Sequence[Incident]) -> None:
    """Write incidents as their application does, and wait until the stream has told of them."""
    incidents, dynamodb = stack.deployment.incidents, stack.deployment.client("dynamodb")
    incident_table.write_items(dynamodb, incidents.incidents_table, new)
    waiting = WaitingTable(dynamodb, incidents.incident_sync_table)
    wait_until(lambda: waiting.backlog(WaitsFor.SYNC).number >= len(new), "the stream has told of every incident")


def _variables(instance: Instance, others: Iterable[Incident]) -> dict[str, Any]:
    """Those of `terraform/`, for an application whose table is there already."""
    incident_table.create_table(instance.client("dynamodb"), TABLE, others)
    return {
        "workflows": ["kb_sync", "incident_sync"],
        **sync_sources.with_incidents(instance, {}, lambda _line: None),
        "sync_poll_seconds": POLL_SECONDS,
        "sync_seconds_between_starts": 1,
        "incident_schedule": NEVER,
        "incidents_table": TABLE,
        "create_incidents_table": False,
    }
