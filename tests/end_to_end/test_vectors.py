"""vector_store as Terraform deploys it: what the table says is found once it is compacted, in any order and once; what
cannot be read is told and set aside; what was lost is found out and mended; and the other kind of queues and the other
consumer come to the same."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

import pytest

from millrace.errors import ExitCode
from millrace.local import deploy
from millrace.local.bedrock import titan
from millrace.store.table import Collection, StoreTable
from tests.end_to_end.command import at_once
from tests.end_to_end.test_deployment import left_over
from tests.end_to_end.test_permissions import allowances, unused
from tests.end_to_end.vector_faults import end_lease
from tests.end_to_end.vector_stack import (
    COMPACT,
    DIMENSION,
    EMBED,
    LEASE,
    ROUTER,
    WRITER,
    VectorStack,
    export_of,
    label,
    line,
    receipt,
    word,
)
from vector_store.places import COLLECTIONS, LINES, WORDS

NOT_CALLED_HERE = {
    "*: logs:* *": "the runtime and Step Functions write logs by themselves",
    "*: xray:* *": "the runtime and Step Functions write traces by themselves",
    "*: events:* *": "asked by Step Functions when the machine is made, inside the process",
    "*: s3:ListBucket *": "no call: it makes S3 answer 404 for what is not there, in place of 403",
    "*: s3:AbortMultipartUpload *": "only when the upload of a snapshot fails in the middle",
    "*-collect: s3:DeleteObject *": "only of snapshots that are a day old",
    "*-vector-embed*: sqs:SendMessage *-dead-letters*": "only of a message that made no sense five times",
}
COMING_BACK = "*-embed-task: sqs:ChangeMessageVisibility *"
"""The task's only for a message that has to come back, or that takes longer than a minute."""
PLACE = {"merchant_name": "Weir Lane Bakery", "place_id": "bakery", "address": "3 Weir Lane"}
PUBLISHING = {"action": "dynamodb:TransactWriteItems", "function": COMPACT, "body": "pointer/"}
"""The calls by which a compaction moves the pointer, as `Instance.order_fault` names calls."""
AGREED = {"missing": 0, "superfluous": 0, "different": 0, "withoutVector": 0}
LONG = timedelta(hours=1)
ATTEMPTS = 3
"""Readings that fail before a delta is set aside."""
RUN_WRITTEN = {"action": "dynamodb:TransactWriteItems", "function": EMBED, "body": "RUN#"}
"""The calls by which the worker says that a run is complete."""
NAMESPACE = "Millrace"
METRICS = {
    *("OldestPendingDeltaSeconds", "DeltasSetAside", "ChangesMerged", "BadRows", "StoreRecords"),
    *("TextsEmbedded", "BadRecords", "EmbeddingThrottled", "RunsEmbedded", "DriftingRecords"),
}
ALARMS = {
    f"millrace-vector-{what}" for what in ("dead-letters", "overdue", "compaction", "set-aside", "embedding", "drift")
}
SCHEDULES = (
    "millrace-vector-check",
    "millrace-vector-overdue",
    "millrace-vector-collect",
    "millrace-compaction-sweep",
)
KINDS = {"changes", "vectors"}
AT_ONCE = 100
"""Records of the stream that the router is given in one event."""
RECEIPT, *TEXTS = "found", "Sourdough loaf 4.20", "Poppy rolls 1.80", "Total 6.00"
EXPORT = export_of(receipt(RECEIPT, *TEXTS))
MOVED = "moved"
"""The run that one consumer begins and the other ends."""
LEFT = "left"
"""The run that is the other's alone."""
TASK = "millrace-vector-embed-task"
ROLES = 8
"""Of the functions."""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VectorStack]:
    stack = VectorStack.with_vectors(tmp_path_factory.mktemp("vectors"))
    yield stack
    stack.instance.stop()


@pytest.fixture
def calm(stack: VectorStack) -> Iterator[VectorStack]:
    """The stack, where nothing is ordered or under way after a test."""
    yield stack
    stack.instance.forget_faults()
    stack.settled()


def test_an_embedded_receipt_is_found_by_its_words_and_lines(calm: VectorStack) -> None:
    calm.bring(RECEIPT, *TEXTS, place=PLACE)
    calm.put(label("found", 3, 1, "GRAND_TOTAL", "VALID"))
    calm.settled()
    calm.expect_published()
    (hit,) = calm.search(WORDS, "sourdough", limit=1)
    assert (hit["id"], hit["document"], hit["distance"]) == ("found/00001/00001", "Sourdough", pytest.approx(0))
    assert hit["metadata"]["merchant_name"] == PLACE["merchant_name"]
    assert calm.found(LINES, "poppy rolls 1.80", limit=1) == ["found/00002"]
    assert calm.found(WORDS, "total", where={"label:GRAND_TOTAL": "VALID"}) == ["found/00003/00001"]
    assert calm.found(WORDS, "sourdough", where={"merchant_name": "Somebody else"}) == []
    with calm.store(LINES) as store:
        (vector,) = store.chroma.vectors(["found/00001"]).values()
    expected = titan.vector("Sourdough loaf 4.20", DIMENSION, normalize=True)
    assert memoryview(vector).cast("f").tolist() == pytest.approx(expected, abs=1e-7)


def test_what_is_changed_or_deleted_is_seen_after_the_compaction_and_before_it_the_whole_old_store(
    calm: VectorStack,
) -> None:
    calm.bring("moving", "Plum tart 2.75", "Rye loaf 3.90", place=PLACE)
    calm.bring("leaving", "Eel pie 11.50", place=PLACE)
    calm.put(label("moving", 1, 1, "PRODUCT_NAME", "VALID"), label("moving", 1, 2, "PRODUCT_NAME", "PENDING"))
    calm.settled()
    before = {name: calm.contents(name) for name in COLLECTIONS}
    with calm.held(**PUBLISHING):
        calm.put(line("moving", 1, "Plum pie 2.75"), word("moving", 1, 2, "pie", confidence=Decimal("0.5")))
        calm.put(label("moving", 1, 1, "PRODUCT_NAME", "INVALID"))
        calm.delete(label("moving", 1, 2, "PRODUCT_NAME", "PENDING"), word("moving", 2, 3, "3.90"))
        calm.delete(*receipt("leaving", "Eel pie 11.50", place=PLACE))
        calm.wait_until(lambda: len(calm.instance.held_calls()) == len(COLLECTIONS), "both pointers are about to move")
        assert {name: calm.contents(name) for name in COLLECTIONS} == before
        assert calm.found(WORDS, "eel", limit=1) == ["leaving/00001/00001"]
    calm.settled()
    calm.expect_published()
    assert calm.found(WORDS, "tart", limit=1) == ["moving/00001/00002"], "a vector is of the text that was embedded"
    assert calm.found(LINES, "eel pie", where={"receipt_id": "leaving"}) == []


def test_a_label_that_comes_before_its_word_is_the_words_once_it_comes(calm: VectorStack) -> None:
    calm.put(label("early", 1, 1, "PRODUCT_NAME", "VALID"))
    calm.settled()
    assert calm.found(WORDS, "oats", where={"receipt_id": "early"}) == []
    calm.bring("early", "Oats 1.95")
    calm.settled()
    calm.expect_published()
    assert calm.found(WORDS, "oats", where={"label:PRODUCT_NAME": "VALID", "receipt_id": "early"}) == [
        "early/00001/00001"
    ]


def test_whatever_comes_late_of_a_deleted_word_resurrects_nothing(calm: VectorStack) -> None:
    items = calm.bring("late", "Lamp oil 5.30")
    calm.settled()
    with calm.store(WORDS) as store:
        born = store.state.known(["late/00001/00001"])["late/00001/00001"].born
    calm.delete(word("late", 1, 1, "Lamp"))
    calm.settled()
    again = {"id": "late/00001/00001", "at": born, "born": True, "set": {"text": "Lamp"}}
    calm.client("sqs").send_message(QueueUrl=calm.outputs["words_queue_url"], MessageBody=json.dumps(again))
    calm.embed("late", export_of(items))
    calm.settled()
    calm.expect_published()
    assert "late/00001/00001" not in calm.shown(WORDS)


def test_a_row_that_cannot_be_embedded_is_told_with_its_reason_and_the_rest_goes_on(calm: VectorStack) -> None:
    items = receipt("faulty", "Candles 4.40", "Wax 1.80")
    calm.put(*items)
    good = export_of(items).splitlines()
    other = b'{"id":"found/00001/00001","text":"Sourdough"}'
    broken = [good[0], good[1][:-8], b'{"id":"faulty/00001/00002","text":" "}', other, *good[3:]]
    run = calm.embed("faulty", b"\n".join(broken))
    calm.settled()
    bad = {name: calm.ndjson(f"{name}/delta/{run}/bad.ndjson") for name in COLLECTIONS}
    assert [(row["line"], row["id"]) for row in bad[LINES]] == [(2, None)]
    assert [(row["line"], row["id"]) for row in bad[WORDS]] == [(3, "faulty/00001/00002"), (4, "found/00001/00001")]
    assert all(row["reason"] for rows in bad.values() for row in rows)
    told = calm.compaction_run("faulty", run)
    assert told
    assert (told[LINES], told[WORDS]) == (2, 2)
    calm.expect_published(without_vector={"faulty/00001/00001", "faulty/00001/00002"})
    calm.embed("faulty", export_of(items))
    calm.settled()
    calm.expect_published()


def test_a_delta_that_cannot_be_read_is_set_aside_and_a_person_brings_it_back(calm: VectorStack) -> None:
    items = receipt("aside", "Galvanized bucket 12.40")
    with calm.idle(WRITER):
        calm.put(*items)
        run = calm.embed("aside", export_of(items))
        calm.wait_until(lambda: calm.compaction_run("aside", run), "the run is written")
        key = f"{WORDS}/delta/{run}/00000.f32"
        vectors = calm.body(key)
        calm.client("s3").delete_object(Bucket=calm.bucket, Key=key)
    calm.settled()
    (delta,) = calm.aside(WORDS)
    assert (delta["id"], delta["attempts"]) == (f"delta/{WORDS}/{run}", ATTEMPTS)
    assert key in delta["reason"]
    calm.expect_published(without_vector={f"aside/00001/{at:05}" for at in range(1, 4)})
    calm.client("s3").put_object(Bucket=calm.bucket, Key=key, Body=vectors)
    retried = at_once(calm.instance.folder, "store", "retry", f"{WORDS}/{run}")
    assert retried.exit_code == ExitCode.OK, retried.output
    calm.compact(WORDS)
    assert not calm.aside(WORDS)
    calm.expect_published()


def test_what_the_stream_lost_is_found_by_a_check_and_mended_by_a_repair(calm: VectorStack) -> None:
    calm.bring("drifting", "Liniment 6.90", "Cotton wool 1.20", place=PLACE)
    calm.bring("vanished", "Tide tables 1.50")
    calm.settled()
    with calm.idle(WRITER):
        calm.put(word("drifting", 1, 1, "Ointment"), *receipt("unheard", "Herons 14.00"))
        calm.delete(word("drifting", 2, 3, "1.20"), *receipt("vanished", "Tide tables 1.50"))
        calm.wait_until(lambda: not any(each["waiting"] for each in calm.instance.streams()), "the stream is read")
        for name in ("lines_queue_url", "words_queue_url"):
            calm.client("sqs").purge_queue(QueueUrl=calm.outputs[name])
    folder = calm.instance.folder
    told = at_once(folder, "--json", "store", "check")
    assert told.exit_code == ExitCode.FAILED_DOCUMENTS, told.output
    found = json.loads(told.stdout)["collections"]
    assert {kind: found[LINES][kind] for kind in AGREED} == {
        "missing": 1,
        "superfluous": 1,
        "different": 0,
        "withoutVector": 1,
    }
    assert {kind: found[WORDS][kind] for kind in AGREED} == {
        "missing": 2,
        "superfluous": 4,
        "different": 1,
        "withoutVector": 2,
    }
    assert {"drifting/00001/00001", "drifting/00002/00003"} <= {each["id"] for each in found[WORDS]["examples"]}
    repaired = at_once(folder, "store", "check", "--repair")
    assert repaired.exit_code == ExitCode.OK, repaired.output
    calm.settled()
    calm.expect_published()
    after = calm.checked()
    assert [{kind: after[name][kind] for kind in AGREED} for name in COLLECTIONS] == [AGREED] * 2


def test_a_request_that_was_lost_is_made_again_once_its_delta_is_overdue(calm: VectorStack) -> None:
    calm.bring("overdue", "Waders 22.00")
    calm.settled()
    assert calm.call("overdue") == {"asked": [], "oldestSeconds": {LINES: 0, WORDS: 0}}
    (delta, *_) = calm.deltas(WORDS)
    table = StoreTable(calm.client("dynamodb"), calm.outputs["vector_store_table"])
    assert table.merge_again(delta["id"], Collection.WORDS, datetime.now(UTC) - LONG)
    before = calm.contents(WORDS)
    told = calm.call("overdue")
    assert (told["asked"], told["oldestSeconds"][LINES]) == ([WORDS], 0)
    assert told["oldestSeconds"][WORDS] == pytest.approx(LONG.total_seconds(), abs=60)
    calm.settled()
    assert calm.contents(WORDS) == before, "what is merged twice is merged once"


def test_of_snapshots_that_are_young_none_is_collected(calm: VectorStack) -> None:
    before = calm.keys(f"{WORDS}/snapshot/")
    for dry_run in (True, False):
        assert calm.call("collect", dryRun=dry_run) == {"dryRun": dry_run, "removed": {LINES: [], WORDS: []}}
    assert calm.keys(f"{WORDS}/snapshot/") == before


@pytest.fixture(scope="module")
def used(stack: VectorStack) -> VectorStack:
    """The stack after all of the above, a request that was handed over and a check meanwhile, an abort, a failure, a
    worker that died and one that waited for the lease, and what the clock does."""
    stack.again(WORDS)
    with stack.held(**PUBLISHING):
        owner = stack.ask(WORDS, wait=True)
        stack.wait_until(lambda: stack.instance.held_calls(), "its compaction is under way")
        stack.bring("permitted", "Copper nails 2.30")
        stack.wait_until(lambda: all(waiting(stack, name) == KINDS for name in COLLECTIONS), "all of it waits")
        found = stack.checked()
        assert not any(found[name][kind] for name in COLLECTIONS for kind in AGREED), "what waits is no drift"
    assert stack.ended(owner).output["status"] == "covered"
    stack.settled()
    with stack.held(**PUBLISHING):
        stack.put(label("permitted", 1, 2, "PRODUCT_NAME", "PENDING"))
        stack.wait_until(lambda: stack.instance.held_calls(), "a compaction is under way")
        for arn in stack.running():
            stack.client("stepfunctions").stop_execution(executionArn=arn)
    stack.settled()
    assert stack.ended(stack.ask("nonsense")).status == "FAILED"
    stack.instance.order_fault(**RUN_WRITTEN, nth=[1], kill=True, redeliver_seconds=0.2)
    stack.embed("permitted", export_of(receipt("permitted", "Copper nails 2.30")))
    stack.wait_until(lambda: stack.instance.faults()[0]["applied"], "the worker has died")
    end_lease(stack)
    stack.settled()
    stack.instance.forget_faults()
    stack.set_in_item(LEASE, holder="somebody", kind="ecs", until=Decimal(str(time.time() + 1)))
    stack.embed("permitted", export_of(receipt("permitted", "Copper nails 2.30")))
    stack.settled()
    for schedule in SCHEDULES:
        stack.instance.fire_schedule(schedule)
    stack.settled()
    return stack


def waiting(stack: VectorStack, collection: str) -> set[str]:
    """The kinds of the deltas that wait."""
    return {delta["kind"] for delta in stack.pending(collection)}


def test_no_call_of_a_role_is_denied(used: VectorStack) -> None:
    calls = used.instance.calls()
    assert not [call for call in calls if not call["allowed"]]
    assert len({call["principal"] for call in calls}) > ROLES, "the roles' calls were not recorded"


def test_no_allowance_is_never_used(used: VectorStack) -> None:
    found = unused(used, allowances(used), NOT_CALLED_HERE)
    assert not found, "\n".join(found)


def test_alarms_look_at_what_is_measured(calm: VectorStack) -> None:
    """An alarm on a name or dimension that nobody emits would never speak."""
    calm.call("overdue")
    emitted = calm.emitted()
    assert {name for name, *_ in emitted} == METRICS
    alarms = calm.client("cloudwatch").describe_alarms()["MetricAlarms"]
    looked_at = {
        (name, *sorted((each["Name"], each["Value"]) for each in dimensions))
        for alarm in alarms
        for name, dimensions in measured_by(alarm)
    }
    assert looked_at
    assert looked_at <= emitted
    assert {alarm["AlarmName"] for alarm in alarms} == ALARMS
    assert all(alarm["AlarmActions"] == [calm.outputs["notifications_topic_arn"]] for alarm in alarms)


def measured_by(alarm: Mapping[str, Any]) -> Iterator[tuple[str, list[dict[str, str]]]]:
    """Name and dimensions of each metric of ours that an alarm looks at."""
    metrics = [query["MetricStat"]["Metric"] for query in alarm.get("Metrics", []) if "MetricStat" in query] or [alarm]
    for metric in metrics:
        if metric["Namespace"] == NAMESPACE:
            yield metric["MetricName"], metric["Dimensions"]


class Other(NamedTuple):
    """The stack with the other queues and the other consumer; what the stream had told before, and what the stores said
    of it."""

    stack: VectorStack
    history: Sequence[Mapping[str, Any]]
    before: Mapping[str, str]


@pytest.fixture(scope="module")
def other(used: VectorStack) -> Other:
    """Another apply changes both choices, after the stores were made anew from all that the stream had told. One export
    is half done then, another not begun, and somebody still has the lease."""
    history = used.stream()
    replay(used, history)
    before = {name: used.contents(name) for name in COLLECTIONS}
    used.consumes(EMBED, on=False)
    for key, body in used.files(first_run(used)).items():
        if not key.endswith("done.json"):
            used.client("s3").put_object(Bucket=used.bucket, Key=key.replace("/run/", f"/{MOVED}/"), Body=body)
    for run in (MOVED, LEFT):
        used.embed(RECEIPT, EXPORT, run)
    used.set_in_item(LEASE, holder="somebody", kind="lambda", until=Decimal(str(time.time() + LONG.total_seconds())))
    return Other(used.applied(queue_mode="fifo", embed_consumer="ecs"), history, before)


def first_run(stack: VectorStack) -> str:
    """The run that has embedded the first test's receipt."""
    runs = [item for item in stack.items() if item["pk"] == f"RECEIPT#{RECEIPT}" and item["sk"].startswith("RUN#")]
    return min(runs, key=lambda item: item["created_at"])["sk"].removeprefix("RUN#")


def replay(stack: VectorStack, records: Sequence[Mapping[str, Any]]) -> None:
    """Forget what was published and merged, and let the router hear these records again."""
    stack.settled()
    stack.forget_all()
    for first in range(0, len(records), AT_ONCE):
        answer = stack.invoke(ROUTER, {"Records": records[first : first + AT_ONCE]})
        assert answer == {"batchItemFailures": []}
    stack.settled()


def test_another_consumer_takes_the_work_over_once_it_has_the_lease_and_writes_the_same_bytes(other: Other) -> None:
    stack = other.stack
    assert deploy.plan(stack.instance) == []
    looked = {"principal": TASK, "action": "dynamodb:GetItem"}
    stack.wait_until(
        lambda: any(looked.items() <= call.items() for call in stack.instance.calls()),
        "the task sees who has the lease",
    )
    assert not stack.compaction_run(RECEIPT, MOVED)
    end_lease(stack)
    stack.wait_until(lambda: stack.compaction_run(RECEIPT, LEFT), "the task has taken the exports over")
    assert (stack.lease() or {}).get("kind") == "ecs"
    assert stack.files(MOVED) == stack.files(LEFT) == stack.files(first_run(stack))


def test_fifo_queues_and_the_other_consumer_make_the_same_stores_of_the_same_history(other: Other) -> None:
    replay(other.stack, other.history)
    assert {name: other.stack.contents(name) for name in COLLECTIONS} == other.before
    other.stack.expect_published()


def test_of_the_other_consumer_too_no_call_is_denied_and_no_allowance_never_used(other: Other) -> None:
    stack = other.stack
    assert not [call for call in stack.instance.calls() if not call["allowed"]]
    of_the_task = [granted for granted in allowances(stack) if "-vector-embed" in granted[0]]
    found = unused(stack, of_the_task, [*NOT_CALLED_HERE, COMING_BACK])
    assert of_the_task
    assert not found, "\n".join(found)


def test_destroy_leaves_nothing(other: Other) -> None:
    deploy.destroy(other.stack.instance)
    assert not {kind: names for kind, names in left_over(other.stack).items() if names}
    assert {task["status"] for task in other.stack.instance.tasks()} == {"STOPPED"}
