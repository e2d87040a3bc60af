"""What people see of folders, counts, failures and runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from millrace.deployment import Workflow
from millrace.reports import OUTCOMES, Failure
from millrace.submission import Survey

NAMES_SHOWN = 5
FIRST_USE = {
    Workflow.KENDRA_INGESTION: "hand in a folder: millrace submit FOLDER --watch",
    Workflow.KB_SYNC: "ask for a sync: millrace sync --wait",
    Workflow.INCIDENT_SYNC: "run it: millrace incidents sync --wait",
    Workflow.VECTOR_STORE: "embed an export: millrace store embed RECEIPT FILE --wait",
}
"""How a workflow is used for the first time."""


def plain(text: str, style: str = "") -> Text:
    """Text from outside (a name, an error) without markup and without a terminal's control characters."""
    return Text("".join(character if character.isprintable() else " " for character in text), style)


def say(console: Console, text: str, style: str = "") -> None:
    """Print one line that may hold text from outside; only the terminal itself may break it."""
    console.print(plain(text, style), soft_wrap=True)


def say_what_there_is(console: Console, found: Survey) -> None:
    """Say what a folder holds, and name what will not go as a person may expect."""
    say(console, f"{found.folder}: {found.pairs} pairs, {found.size / 1e6:.1f} MB")
    remarks = (
        ("without metadata, uploaded and reported by the job", found.without_metadata),
        ("metadata without a document, uploaded and reported by the job", found.without_document),
        ("left out", tuple(f"{entry.name} ({entry.reason})" for entry in found.left_out)),
    )
    for remark, names in remarks:
        if names:
            more = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
            say(console, f"  {len(names)} {remark}: {', '.join(names[:NAMES_SHOWN])}{more}", "yellow")


def equation(counts: Mapping[str, int]) -> str:
    """The law with this job's numbers: `planned 15 = indexed 12 + failed 3`."""
    terms = [f"{name} {counts[name]}" for name in OUTCOMES if counts.get(name)]
    return f"planned {counts.get('planned', 0)} = {' + '.join(terms) or '0'}"


def by_code(numbers: Mapping[str, int]) -> str:
    """`MissingMetadata 3, Refused 1`: the most frequent first."""
    return ", ".join(f"{code} {number}" for code, number in sorted(numbers.items(), key=lambda item: -item[1]))


def retried(came: Mapping[str, Any]) -> str:
    """What a retry's plan made of the failed documents of the job that it retries (summary.json's `retry`)."""
    parts = [f"{came['planned']} tried again"]
    if came["neverSucceed"]:
        never = sum(came["neverSucceed"].values())
        parts.append(f"{never} can never succeed as they are ({by_code(came['neverSucceed'])})")
    if came["gone"]:
        parts.append(f"{came['gone']} no longer in the folder")
    return f"failed documents of job {came['job']}: {came['failed']}; {', '.join(parts)}"


def say_failures(console: Console, failures: Iterable[Failure], indent: int = 0) -> None:
    """Two lines a failure, since ids and reasons are long: the id whole, to be copied, then its code and why."""
    for failure in failures:
        say(console, f"{' ' * indent}{failure.document_id}", "bold")
        reason = Text.assemble((failure.error_code, "yellow"), ": ", plain(failure.error_message or "no reason"))
        console.print(Padding(reason, (0, 0, 0, indent + 2)))


def runs_table(runs: Iterable[Mapping[str, Any]]) -> Table:
    """A row a run; one that read no manifest shows which manifest it was started for, one that was stopped says so."""
    table = _table("status", "job", "began", "seconds", "execution")
    for run in runs:
        job = run["jobId"] or run["manifest"] or "-"
        status = "STOPPED" if run["stopped"] else run["status"]
        table.add_row(status, plain(job), *_time_of(run), run["name"])
    return table


def syncs_table(runs: Iterable[Mapping[str, Any]]) -> Table:
    """A row an execution of kb_sync: which ticket it took, and what became of it."""
    table = _table("status", "source", "ticket", "became", "began", "seconds", "execution")
    for run in runs:
        became = f"{run['became']} by {run['job']}" if run["job"] else run["became"] or "-"
        ticket = str(run["ticket"] or "-")
        table.add_row(run["status"], plain(run["source"] or "-"), ticket, became, *_time_of(run), run["name"])
    return table


def incident_runs_table(runs: Iterable[Mapping[str, Any]]) -> Table:
    """A row an execution of incident_sync: what it wrote and removed, and the job that covered it."""
    table = _table("status", "became", "began", "seconds", "execution")
    for run in runs:
        table.add_row(run["status"], plain(run["became"]), *_time_of(run), run["name"])
    return table


def compactions_table(runs: Iterable[Mapping[str, Any]]) -> Table:
    """A row an execution of compaction: which ticket it took, what became of it, and the version then."""
    table = _table("status", "collection", "ticket", "became", "began", "seconds", "execution")
    for run in runs:
        became = f"{run['became']}, version {run['version'] or 'none'}" if run["job"] else run["became"]
        became = became or run["error"] or "-"
        ticket = str(run["ticket"] or "-")
        table.add_row(run["status"], run["collection"] or "-", ticket, became, *_time_of(run), run["name"])
    return table


def deltas_table(deltas: Iterable[Mapping[str, Any]]) -> Table:
    """A row a delta that is set aside."""
    table = _table("delta", "kind", "records", "since", "attempts", "reason")
    for each in deltas:
        numbers = str(each["records"]), each["since"], str(each["attempts"])
        table.add_row(plain(each["delta"]), each["kind"], *numbers, plain(each["reason"] or "-"))
    return table


def queues_table(queues: Mapping[str, Mapping[str, int]]) -> Table:
    """A row a queue: about how many messages it has."""
    table = _table("queue", "waiting", "under way", "delayed")
    for name, messages in queues.items():
        table.add_row(name, *(str(number) for number in messages.values()))
    return table


def snapshots_table(snapshots: Iterable[Mapping[str, Any]]) -> Table:
    """A row a snapshot that is kept."""
    table = _table("version", "made", "records", "MB", "snapshot")
    for each in snapshots:
        size = f"{each['bytes'] / 1e6:.1f}"
        table.add_row(str(each["version"]), each["made"], str(each["records"]), size, each["snapshot"])
    return table


def differences_table(examples: Iterable[Mapping[str, str]]) -> Table:
    """A row an example of what a check has found."""
    table = _table("record", "what")
    for each in examples:
        table.add_row(plain(each["id"]), plain(each["what"]))
    return table


def waiting_table(incidents: Iterable[Mapping[str, Any]]) -> Table:
    """A row an incident that waits."""
    table = _table("incident", "waits for", "since", "attempts", "reason")
    for each in incidents:
        attempts = str(each["attempts"] or "-")
        table.add_row(plain(each["incident"]), each["waitsFor"], each["since"], attempts, plain(each["reason"] or "-"))
    return table


def findings_table(findings: Iterable[Mapping[str, str]]) -> Table:
    """A row a finding of a check; what its kind means is told once, beside the first."""
    table = _table("incident or object", "kind", "meaning")
    told = ""
    for each in findings:
        table.add_row(plain(each["name"]), each["kind"], "" if each["kind"] == told else each["meaning"])
        told = each["kind"]
    return table


def sources_table(sources: Iterable[Mapping[str, Any]]) -> Table:
    """A row a data source: its requests, those that no job has covered yet, and the job that runs."""
    table = _table("source", "bucket", "requests", "pending", "since", "job")
    for each in sources:
        place = f"s3://{each['bucket']}/{each['prefix']}"
        job = f"{each['job']} runs, covers up to {each['covers']}" if each["job"] else f"last {each['lastJob'] or '-'}"
        since = (each["pendingSince"] if each["pending"] else None) or "-"
        table.add_row(each["source"], plain(place), str(each["requested"]), str(each["pending"]), since, job)
    return table


def _time_of(run: Mapping[str, Any]) -> tuple[str, str]:
    """When a run began, here, and how many seconds it took."""
    return f"{run['startedAt'].astimezone():%Y-%m-%d %H:%M:%S}", f"{run['seconds']:.1f}"


def _table(*columns: str) -> Table:
    """A table that folds what does not fit, so that an id can always be copied whole."""
    table = Table(box=box.SIMPLE_HEAD, header_style="bold", pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table
