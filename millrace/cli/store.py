"""`millrace store`: embed, search, compact, status, retry, rollback, check, collect."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from millrace.cli.compaction import ask, watch_compaction
from millrace.cli.context import Context, settings_of
from millrace.cli.printing import deltas_table, differences_table, plain, queues_table, say, snapshots_table
from millrace.cli.watching import SECONDS_TO_WATCH, TimeLimit
from millrace.errors import AlreadyRunning, ExitCode, FunctionFailed, MillraceError, NotSetAside, UsageError
from millrace.executions.watching import Pace
from millrace.store import embedding, queues, snapshots
from millrace.store.embedding import Embedded, Embedding, Run
from millrace.store.standing import Standing, standing_of
from millrace.store.table import Collection, Situation

FIELD = re.compile(r"[A-Za-z0-9._:-]+", re.ASCII)
"""A field of a record, as `text` or `label:TOTAL`."""
LABEL = "label:"
DIFFERENCES = ("missing", "superfluous", "different")
"""What a check counts as drift; an embedding may be on its way to a text without a vector."""
TOLD = {
    "withoutVector": "texts without a vector",
    "unreadable": "items that make no sense, to be mended by hand",
}
REPAIRABLE = (*DIFFERENCES, "withoutVector")
COMPACT_IT = "a compaction takes them up; at once: millrace store compact --wait"
RETRY_IT = "millrace store retry DELTA"
BAD_ROWS_SHOWN = 20
ADVICE: Mapping[str, str] = {
    "EventInvalid": "ask otherwise",
    "CheckIncomplete": "what was found until then is repaired, where that was asked for",
    "StoreUnavailable": "nothing was changed that cannot be done again; repeat the command",
    "SnapshotInvalid": "go back to a snapshot that is whole: millrace store rollback COLLECTION",
    "StateInvalid": "go back to a snapshot that is whole: millrace store rollback COLLECTION",
}
"""What to do about an error of a function, by its name."""
Chosen = Annotated[
    Collection | None, typer.Argument(metavar="[lines|words]", help="Of one collection; of both if not given.")
]

app = typer.Typer(
    name="store",
    help="Receipts' lines and words: their embeddings, the store that they are searched in, and what keeps it true.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command()
def embed(
    ctx: typer.Context,
    receipt: Annotated[str, typer.Argument(help="The receipt's id.")],
    file: Annotated[Path, typer.Argument(help='NDJSON: a line is {"id": "<receipt>/<nnnnn>", "text": "..."}.')],
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait until it is embedded, and a compaction has merged the vectors.")
    ] = False,
    time_limit: TimeLimit = SECONDS_TO_WATCH,
) -> None:
    """Send the texts of a receipt to be embedded.

    A line that cannot be embedded becomes a bad row, and the rest goes on: with --wait these are shown, and the exit
    code is 3. Ctrl-C ends the waiting, never the work.
    """
    context: Context = ctx.obj
    deployed = context.deployment.store
    export = embedding.read_export(file, receipt)
    run = embedding.new_run(deployed, receipt, datetime.now(UTC))
    means = Embedding(context.client("s3"), context.client("sqs"), context.client("dynamodb"), deployed)
    means.send(run, file)
    sent = {"receipt": receipt, "run": run.run_id, "place": run.place}
    context.emit({"type": "sent", **sent, "records": export.records, "others": export.others})
    console = context.console
    say(console, f"sent {export.records} records of receipt {receipt} as run {run.run_id}: {run.place}")
    if export.others:
        say(console, f"  {export.others} lines are no records of that receipt; the run tells why", "yellow")
    if wait:
        raise typer.Exit(_see_through(context, means, run, time_limit))
    say(console, "see what waits: millrace store status")


def _see_through(context: Context, means: Embedding, run: Run, time_limit: float) -> ExitCode:
    began = time.monotonic()
    embedded = means.wait_until_embedded(run, Pace(context.seconds_between_looks, time_limit))
    _tell_embedded(context, embedded)
    left = max(0.0, time_limit - (time.monotonic() - began))
    versions = means.wait_until_merged(run, embedded, Pace(context.seconds_between_looks, left))
    exit_code = ExitCode.FAILED_DOCUMENTS if embedded.bad else ExitCode.OK
    context.emit({"type": "end", "versions": versions, "exitCode": int(exit_code)})
    for collection, version in versions.items():
        count = embedded.records[collection]
        say(context.console, f"{count} {collection} are in version {version}; found as soon as their items are there")
    if not versions:
        say(context.console, "nothing was embedded, so there is nothing to merge")
    return exit_code


def _tell_embedded(context: Context, embedded: Embedded) -> None:
    bad = [row.as_dict() for row in embedded.bad]
    context.emit({"type": "embedded", "records": embedded.records, "bad": bad})
    told = ", ".join(f"{number} {collection}" for collection, number in embedded.records.items())
    say(context.console, f"embedded {told}")
    for row in embedded.bad[:BAD_ROWS_SHOWN]:
        say(context.console, f"  line {row.line} ({row.record_id or 'without an id'}): {row.reason}", "yellow")
    if len(bad) > BAD_ROWS_SHOWN:
        say(context.console, f"  and {len(bad) - BAD_ROWS_SHOWN} more")


@app.command()
def search(
    ctx: typer.Context,
    collection: Annotated[Collection, typer.Argument(metavar="lines|words")],
    text: Annotated[str, typer.Argument(help="What to look for.")],
    limit: Annotated[int, typer.Option(min=1, max=100, help="How many records.")] = 10,
    where: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE",
            help="Only records with this field, as label:TOTAL=VALID or merchant_name=Corner; may be given repeatedly.",
        ),
    ] = None,
) -> None:
    """Find the records whose texts are nearest to a text, nearest first."""
    context: Context = ctx.obj
    conditions = settings_of("--where", where or [], lambda name: FIELD.fullmatch(name) is not None)
    event = {"collection": collection, "text": text, "limit": limit, "where": conditions}
    answer = _call(context, context.deployment.store.vector_functions.search, event)
    context.emit({"collection": collection, "text": text, **answer})
    console = context.console
    if not answer["version"]:
        say(console, f"nothing of {collection} is published yet: millrace store status")
    elif not answer["hits"]:
        say(console, f"no record of {collection}, version {answer['version']}, answers this")
    for hit in answer["hits"]:
        console.print(plain(hit["id"], "bold"), plain(f"{hit['distance']:.4f}", "dim"), soft_wrap=True)
        say(console, f"  {hit['document']}")
        labels = {name.removeprefix(LABEL): said for name, said in hit["metadata"].items() if name.startswith(LABEL)}
        if labels:
            say(console, "  " + ", ".join(f"{name} {status}" for name, status in labels.items()), "dim")


@app.command()
def compact(
    ctx: typer.Context,
    collection: Chosen = None,
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait until a compaction that began after this has merged what waits.")
    ] = False,
    time_limit: TimeLimit = SECONDS_TO_WATCH,
) -> None:
    """Ask for a compaction: all deltas that wait now will be in the store.

    Requests that come together are covered by one. Ctrl-C ends the waiting, never the request.
    """
    context: Context = ctx.obj
    asked = [ask(context, each, wait=wait) for each in _collections(collection)]
    if not wait:
        say(context.console, "see what becomes of it: millrace watch --workflow vector_store NAME")
        return
    codes = []
    for execution in asked:
        watched = watch_compaction(context, execution, time_limit)
        codes.append(watched.exit_code if watched.outcome.job else watched.outcome.exit_code_of_wait)
    raise typer.Exit(ExitCode.FAILED if ExitCode.FAILED in codes else max(codes))


@app.command()
def status(ctx: typer.Context) -> None:
    """Show each collection's version, what waits for it, what is set aside and why; who embeds; and the queues.

    Exit code 0, whatever waits.
    """
    context: Context = ctx.obj
    table, deployed = context.store_table, context.deployment.store
    found = [standing_of(table, context.flights, each) for each in Collection]
    lease = table.lease()
    holder = lease.as_dict() if lease and lease.held(datetime.now(UTC)) else None
    urls = queues.queues_of(deployed)
    counted = {name: queues.count(context.client("sqs"), url).as_dict() for name, url in urls.items()}
    context.emit(
        {
            "collections": {standing.collection: standing.as_dict() for standing in found},
            "consumer": {"kind": deployed.embed_consumer, "holder": holder},
            "queues": counted,
        }
    )
    for standing in found:
        _tell_standing(context, standing)
    said = f"{holder['kind']} {holder['holder']} works until {holder['until']}" if holder else "nobody works now"
    say(context.console, f"embedding, by {deployed.embed_consumer}: {said}")
    context.console.print(queues_table(counted))


def _tell_standing(context: Context, standing: Standing) -> None:
    console, there = context.console, standing.pointer
    version = f"version {there.version}, {there.records} records, published {there.at}" if there else "nothing yet"
    say(console, f"{standing.collection}: {version}", "bold")
    if standing.pending.number:
        say(console, f"  {standing.pending.number} deltas wait, the oldest since {standing.pending.oldest}")
    requests = standing.requests
    if requests.pending:
        runs = f"{requests.job} runs" if requests.job else "none runs yet"
        say(console, f"  {requests.pending} requests for a compaction since {requests.pending_since}; {runs}")
    failed = standing.last_failure
    if requests.pending and failed:
        say(console, f"  compaction {failed['job']} failed at {failed['at']}: {failed['message']}", "yellow")
    if standing.aside:
        say(console, f"  {len(standing.aside)} set aside; where the reason is mended: {RETRY_IT}", "yellow")
        console.print(deltas_table(delta.as_dict() for delta in standing.aside))


@app.command()
def retry(
    ctx: typer.Context,
    deltas: Annotated[
        list[str] | None,
        typer.Argument(metavar="[DELTA]...", help="As millrace store status has them; of a run in both, its name."),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="All that are set aside.")] = False,
) -> None:
    """Let deltas that are set aside wait again, as if they had never been read."""
    context: Context = ctx.obj
    if bool(deltas) == every:
        raise UsageError("name the deltas to try again, or give --all (millrace store status)")
    retried, refused = [], []
    for collection, name in _named(context, deltas or []) if deltas else _aside(context):
        try:
            context.store_table.retry(collection, name, datetime.now(UTC))
            retried.append(f"{collection}/{name}")
        except MillraceError as error:
            if not (every and isinstance(error, NotSetAside)):  # somebody else was faster
                said = {"delta": f"{collection}/{name}", "error": type(error).__name__, "message": str(error)}
                refused.append(said)
    context.emit({"retried": retried, "refused": refused})
    for each in refused:
        say(context.console, each["message"], "yellow")
    if retried:
        say(context.console, f"{len(retried)} wait again; {COMPACT_IT}")
    elif every:
        say(context.console, "no delta is set aside")
    raise typer.Exit(ExitCode.FAILED if refused else ExitCode.OK)


def _aside(context: Context) -> Iterator[tuple[Collection, str]]:
    for collection in Collection:
        yield from ((delta.collection, delta.name) for delta in list(context.store_table.aside(collection)))


def _named(context: Context, deltas: list[str]) -> Iterator[tuple[Collection, str]]:
    """`<collection>/<name>`; or a name alone: where it is set aside, or else where it is known, or else in both."""
    for delta in deltas:
        first, slash, name = delta.partition("/")
        if slash and first not in set(Collection):
            raise UsageError(f"{delta} is no delta; it begins with {' or '.join(f'{each}/' for each in Collection)}")
        if slash:
            yield Collection(first), name
            continue
        known = {each: found for each in Collection if (found := context.store_table.delta(each, delta))}
        aside = [each for each, found in known.items() if found.situation is Situation.ASIDE]
        yield from ((each, delta) for each in aside or known or Collection)


@app.command()
def rollback(
    ctx: typer.Context,
    collection: Annotated[Collection, typer.Argument(metavar="lines|words")],
    version: Annotated[
        int | None, typer.Argument(help="The version to go back to; those that are kept are listed if not given.")
    ] = None,
) -> None:
    """Publish an older snapshot again, where the published one is damaged.

    What was merged since it was made waits to be merged once more.
    """
    context: Context = ctx.obj
    deployed, table = context.deployment.store, context.store_table
    kept = snapshots.Snapshots(context.client("s3"), deployed.store_bucket).kept(collection)
    published = table.pointer(collection)
    if version is None:
        found = [each.as_dict() for each in kept]
        context.emit({"published": published.as_dict() if published else None, "kept": found})
        say(context.console, f"{collection}: {f'version {published.version}' if published else 'nothing'} is published")
        context.console.print(snapshots_table(found))
        return
    to = snapshots.find(kept, collection, version)
    _refuse_while_compacting(context, collection)
    again = snapshots.go_back(table, collection, to, datetime.now(UTC))
    context.emit({"collection": collection, "published": to.as_dict(), "deltas": again})
    say(context.console, f"{collection}: version {to.version} is published, {to.records} records: {to.snapshot}")
    say(context.console, f"{again} deltas merged since wait again: millrace store compact {collection} --wait")
    say(context.console, f"then see what that does not bring back: millrace store check {collection} --repair")


def _refuse_while_compacting(context: Context, collection: Collection) -> None:
    """Raise AlreadyRunning while a compaction of the collection runs: it may have read the pointer already."""
    owner = context.flights.get(collection).owner
    if owner and context.compactions.is_running(owner):
        name = owner.rpartition(":")[2]
        raise AlreadyRunning(
            f"a compaction of {collection} runs, so nothing was changed; let it end (millrace watch --workflow "
            f"vector_store {name}) or stop it: aws stepfunctions stop-execution --execution-arn {owner}"
        )


@app.command()
def check(
    ctx: typer.Context,
    collection: Chosen = None,
    repair: Annotated[
        bool, typer.Option("--repair", help="Write deltas for what differs, and export texts without a vector.")
    ] = False,
) -> None:
    """Compare the table of receipts with the store: is every record there, as its items are, and nothing else?

    What looks wrong is looked at again, so what is on its way is no finding. A text without a vector is told, and is no
    difference: an embedding may be on its way. Exit code 3 where something differs, and is not repaired.
    """
    context: Context = ctx.obj
    event = {"collections": _collections(collection), "repair": repair}
    found = _call(context, context.deployment.store.vector_functions.check, event)["collections"]
    left = {name: _left(each) for name, each in found.items()}
    context.emit({"collections": found, "left": left})
    for name, each in found.items():
        _tell_checked(context, name, each)
    if any(each["repaired"] or each["exported"] for each in found.values()):
        say(context.console, f"repairs are written; {COMPACT_IT}")
    elif any(each[kind] for each in found.values() for kind in REPAIRABLE):
        say(context.console, "let the store be mended: millrace store check --repair")
    raise typer.Exit(ExitCode.FAILED_DOCUMENTS if any(left.values()) else ExitCode.OK)


def _left(found: Mapping[str, Any]) -> int:
    """What differs and is not repaired, and what makes no sense, which no repair mends."""
    return int(sum(found[kind] for kind in DIFFERENCES) - found["repaired"] + found["unreadable"])


def _tell_checked(context: Context, collection: str, found: Mapping[str, Any]) -> None:
    console = context.console
    version = f"version {found['version']}, {found['records']} records" if found["version"] else "nothing is published"
    told = {**{kind: kind for kind in DIFFERENCES}, **TOLD}
    differing = [f"{found[kind]} {words}" for kind, words in told.items() if found[kind]]
    say(console, f"{collection}: {version}: {', '.join(differing) or 'all is as it should be'}")
    if found["examples"]:
        console.print(differences_table(found["examples"]))
    if found["repaired"] or found["exported"]:
        say(console, f"  {found['repaired']} repaired, {found['exported']} exported to be embedded")


@app.command()
def collect(
    ctx: typer.Context,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be removed.")] = False,
) -> None:
    """Remove snapshots that nobody reads any more, as the schedule does once a day."""
    context: Context = ctx.obj
    answer = _call(context, context.deployment.store.vector_functions.collect, {"dryRun": dry_run})
    context.emit(answer)
    verb = "would be removed" if dry_run else "removed"
    for collection, removed in answer["removed"].items():
        say(context.console, f"{collection}: {len(removed)} snapshots {verb}")
        for snapshot in removed:
            say(context.console, f"  {snapshot}")


def _collections(chosen: Collection | None) -> list[Collection]:
    return [chosen] if chosen else list(Collection)


def _call(context: Context, function: str, event: Mapping[str, Any]) -> dict[str, Any]:
    """What the function answers. Raises FunctionFailed, which says what to do about its error."""
    try:
        return context.call(function, event)
    except FunctionFailed as failed:
        raise FunctionFailed(function, failed.error, failed.reason, ADVICE.get(failed.error, "")) from failed
