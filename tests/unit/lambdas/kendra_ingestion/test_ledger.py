from __future__ import annotations

from collections.abc import Callable, Iterator
from hashlib import sha256
from itertools import count
from typing import Any, NamedTuple

import boto3
import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from moto import mock_aws

from kendra_ingestion.documents import Document
from kendra_ingestion.errors import SinkUnavailable
from kendra_ingestion.ledger import Entry, Ledger
from kendra_ingestion.outcomes import DELETED, INDEXED, UNVERIFIED, UPDATED, Outcome, failed
from tests.fakes.clock import FakeClock
from tests.fakes.ledger import FakeLedger
from tests.fakes.s3 import client_error

TABLE = "ledger"
SINKS = (f"kendra/{number}" for number in count())
"""Each test has a sink of its own, so all may share one table."""

RunOf = Callable[[str], Ledger | FakeLedger]


@pytest.fixture(scope="module")
def dynamodb() -> Iterator[Any]:
    with mock_aws():
        client = boto3.client(
            "dynamodb", region_name="eu-west-1", aws_access_key_id="testing", aws_secret_access_key="testing"
        )
        client.create_table(
            TableName=TABLE,
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        )
        yield client


@pytest.fixture(params=["real", "fake"])
def run_of(request: pytest.FixtureRequest, dynamodb: Any) -> RunOf:
    """The ledger as the run of this name sees it: the same promises hold for the real one and for the fake."""
    if request.param == "fake":
        entries: dict[str, Entry] = {}
        return lambda run: FakeLedger(entries, run=run)
    sink = next(SINKS)
    return lambda run: ledger(dynamodb, run, sink=sink)


def ledger(client: Any, run: str, *, sink: str = "", clock: FakeClock | None = None) -> Ledger:
    return Ledger(
        client,
        TABLE,
        sink=sink or next(SINKS),
        job_id=f"job-of-{run}",
        run=run,
        clock=clock or FakeClock(),
        random=lambda: 1.0,
    )


def document(document_id: str, digest: str = "d1") -> Document:
    return {"documentId": document_id, "digest": digest}


def only(known: dict[str, Entry]) -> Entry:
    (entry,) = known.values()
    return entry


def test_what_was_indexed_is_known_with_its_digest(run_of: RunOf) -> None:
    one = run_of("r1")
    one.mark([document("a"), document("b", "d2")])
    one.settle([Outcome("a", INDEXED), Outcome("b", UPDATED)])
    known = run_of("r2").known(["a", "b", "c"])
    assert known == {"a": Entry("r1", INDEXED, "d1"), "b": Entry("r1", UPDATED, "d2")}
    assert known["a"].has("d1")
    assert not known["a"].has("d2")


def test_what_is_under_way_is_not_there_yet(run_of: RunOf) -> None:
    run_of("r1").mark([document("a")])
    assert not run_of("r2").known(["a"])["a"].has("d1")


@pytest.mark.parametrize("outcome", [failed("a", "InternalError", "no"), Outcome("a", UNVERIFIED)])
def test_what_the_index_may_not_have_loses_its_digest(run_of: RunOf, outcome: Outcome) -> None:
    one = run_of("r1")
    one.mark([document("a")])
    one.settle([outcome])
    assert only(one.known(["a"])) == Entry("r1", outcome.outcome)


def test_a_document_that_fails_after_it_was_indexed_is_no_longer_there(run_of: RunOf) -> None:
    for run, outcome in (("r1", Outcome("a", INDEXED)), ("r2", failed("a", "X", "no"))):
        run_of(run).mark([document("a")])
        run_of(run).settle([outcome])
    assert not only(run_of("r3").known(["a"])).has("d1")


def test_a_deleted_document_is_forgotten(run_of: RunOf) -> None:
    one, two = run_of("r1"), run_of("r2")
    one.mark([document("a")])
    one.settle([Outcome("a", INDEXED)])
    two.mark([{"documentId": "a"}])
    assert only(two.known(["a"])) == Entry("r2", "sent")
    two.settle([Outcome("a", DELETED)])
    assert two.known(["a"]) == {}


def test_a_delete_that_failed_leaves_no_digest(run_of: RunOf) -> None:
    one, two = run_of("r1"), run_of("r2")
    one.mark([document("a")])
    one.settle([Outcome("a", INDEXED)])
    two.mark([{"documentId": "a"}])
    two.settle([failed("a", "InternalError", "no")])
    assert only(two.known(["a"])) == Entry("r2", "failed")


def test_marking_what_another_run_has_under_way_makes_it_contested(run_of: RunOf) -> None:
    one, two = run_of("r1"), run_of("r2")
    one.mark([document("a"), document("b")])
    two.mark([document("a", "d2"), document("c")])
    assert two.known(["a", "b", "c"]) == {
        "a": Entry("r2", "sent", "d2", contested=True),
        "b": Entry("r1", "sent", "d1"),
        "c": Entry("r2", "sent", "d1"),
    }


def test_neither_run_settles_a_contested_entry_and_the_next_one_may(run_of: RunOf) -> None:
    one, two, three = run_of("r1"), run_of("r2"), run_of("r3")
    one.mark([document("a")])
    two.mark([document("a", "d2")])
    one.settle([Outcome("a", INDEXED)])
    assert only(one.known(["a"])).contested
    two.settle([Outcome("a", UPDATED)])
    assert only(one.known(["a"])) == Entry("r2", "unknown")
    three.mark([document("a", "d3")])
    three.settle([Outcome("a", UPDATED)])
    assert only(three.known(["a"])).has("d3")


def test_an_entry_stays_contested_however_often_both_mark_it(run_of: RunOf) -> None:
    one, two = run_of("r1"), run_of("r2")
    for run in (one, two, one, one):
        run.mark([document("a")])
    one.settle([Outcome("a", INDEXED)])
    assert only(one.known(["a"])) == Entry("r1", "unknown")


def test_a_contested_delete_is_unknown_too(run_of: RunOf) -> None:
    one, two = run_of("r1"), run_of("r2")
    one.mark([document("a")])
    two.mark([{"documentId": "a"}])
    two.settle([Outcome("a", DELETED)])
    assert only(two.known(["a"])) == Entry("r2", "unknown")


def test_a_run_that_marks_again_contests_nothing(run_of: RunOf) -> None:
    one = run_of("r1")
    one.mark([document("a")])
    one.mark([document("a")])
    one.settle([Outcome("a", INDEXED)])
    assert only(one.known(["a"])).has("d1")


def test_an_entry_of_another_run_is_left_alone(run_of: RunOf) -> None:
    one, two = run_of("r1"), run_of("r2")
    one.mark([document("a")])
    one.settle([Outcome("a", INDEXED)])
    two.settle([failed("a", "MetadataInvalid", "never sent"), Outcome("b", INDEXED)])
    assert two.known(["a", "b"]) == {"a": Entry("r1", INDEXED, "d1")}


def test_settling_again_changes_nothing(run_of: RunOf) -> None:
    one, two = run_of("r1"), run_of("r2")
    one.mark([document("a"), document("b"), document("c")])
    two.mark([document("b")])
    outcomes = [Outcome("a", INDEXED), Outcome("b", INDEXED), Outcome("c", DELETED)]
    for run in (one, two):
        run.settle(outcomes)
    settled = one.known(["a", "b", "c"])
    one.settle([Outcome("a", UNVERIFIED), Outcome("b", INDEXED), Outcome("c", INDEXED)])
    two.settle(outcomes)
    assert one.known(["a", "b", "c"]) == settled == {"a": Entry("r1", INDEXED, "d1"), "b": Entry("r2", "unknown")}


def test_an_unchanged_document_keeps_its_entry(run_of: RunOf) -> None:
    one, two = run_of("r1"), run_of("r2")
    one.mark([document("a")])
    one.settle([Outcome("a", INDEXED)])
    two.settle([Outcome("a", "unchanged")])
    assert only(two.known(["a"])) == Entry("r1", INDEXED, "d1")


@pytest.mark.parametrize("document_id", ["x" * 2048, "\U0001f600" * 2048, "a\nb", " ", "é", "e\u0301", "\0"])
def test_any_id_has_an_entry_of_its_own(run_of: RunOf, document_id: str) -> None:
    one = run_of("r1")
    one.mark([document(document_id), document(document_id[:-1] + "y", "d2")])
    one.settle([Outcome(document_id, INDEXED)])
    assert one.known([document_id]) == {document_id: Entry("r1", INDEXED, "d1")}


def test_the_same_id_in_another_sink_is_another_document(dynamodb: Any) -> None:
    one, two = ledger(dynamodb, "r1", sink="kendra/i"), ledger(dynamodb, "r1", sink="bedrock/k/d")
    one.mark([document("a")])
    assert two.known(["a"]) == {}


def test_an_item_says_what_it_is_about(dynamodb: Any) -> None:
    one = ledger(dynamodb, "r1", sink="kendra/said")
    one.mark([document("a")])
    key = {"id": {"S": sha256(b"kendra/said\0a").hexdigest()}}
    item = dynamodb.get_item(TableName=TABLE, Key=key)["Item"]
    assert {name: value["S"] for name, value in item.items() if name != "id"} == {
        "sink": "kendra/said",
        "documentId": "a",
        "run": "r1",
        "jobId": "job-of-r1",
        "digest": "d1",
        "outcome": "sent",
    }


class Flaky:
    """The client, but the next calls of an operation fail with these errors, or change their answer."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.troubles: dict[str, list[Callable[..., Any] | Exception]] = {}
        self.calls: list[tuple[str, dict[str, Any]]] = []

    def __getattr__(self, name: str) -> Any:
        operation = getattr(self._client, name)

        def call(**parameters: Any) -> Any:
            self.calls.append((name, parameters))
            trouble = self.troubles[name].pop(0) if self.troubles.get(name) else None
            if isinstance(trouble, Exception):
                raise trouble
            return trouble(operation, **parameters) if trouble else operation(**parameters)

        return call

    def count(self, name: str) -> int:
        return sum(called == name for called, _ in self.calls)


def cancelled(*reasons: str) -> ClientError:
    error = client_error("TransactWriteItems", "TransactionCanceledException")
    error.response["CancellationReasons"] = [{"Code": reason} for reason in reasons]
    return error


class Recorder:
    """A client with an item for every key, which notes how many items each call names."""

    def __init__(self) -> None:
        self.items: list[tuple[str, int]] = []

    def batch_get_item(self, *, RequestItems: dict[str, Any]) -> dict[str, Any]:  # noqa: N803 - boto3's name
        asked = RequestItems[TABLE]
        assert asked["ConsistentRead"]
        self.items.append(("read", len(asked["Keys"])))
        entry = {"run": {"S": "r1"}, "outcome": {"S": "sent"}, "digest": {"S": "d1"}}
        return {"Responses": {TABLE: [key | entry for key in asked["Keys"]]}, "UnprocessedKeys": {}}

    def transact_write_items(self, *, TransactItems: list[Any]) -> dict[str, Any]:  # noqa: N803 - boto3's name
        self.items.append(("write", len(TransactItems)))
        return {}


def test_documents_are_read_and_written_a_hundred_at_a_time() -> None:
    recorder = Recorder()
    one = ledger(recorder, "r1")
    ids = [f"d{number}" for number in range(250)]
    one.mark([document(document_id) for document_id in ids])
    assert recorder.items == [("write", 100), ("write", 100), ("write", 50)]
    recorder.items.clear()
    assert list(one.known(ids)) == ids
    assert recorder.items == [("read", 100), ("read", 100), ("read", 50)]
    recorder.items.clear()
    one.settle(Outcome(document_id, INDEXED) for document_id in ids)
    assert recorder.items == [(kind, number) for number in (100, 100, 50) for kind in ("read", "write")]


def test_an_id_that_is_asked_for_twice_is_read_once(dynamodb: Any) -> None:
    one = ledger(dynamodb, "r1")
    one.mark([document("a")])
    assert list(one.known(["a", "b", "a"])) == ["a"]


def test_what_dynamodb_leaves_out_of_an_answer_is_asked_for_again(dynamodb: Any) -> None:
    def half(operation: Callable[..., Any], RequestItems: dict[str, Any]) -> Any:  # noqa: N803 - boto3's name
        asked = RequestItems[TABLE]
        keys = asked["Keys"]
        reply = operation(RequestItems={TABLE: asked | {"Keys": keys[::2]}})
        return reply | {"UnprocessedKeys": {TABLE: asked | {"Keys": keys[1::2]}}}

    flaky, clock = Flaky(dynamodb), FakeClock()
    one = ledger(flaky, "r1", clock=clock)
    ids = [f"d{number}" for number in range(8)]
    one.mark([document(document_id) for document_id in ids])
    flaky.troubles["batch_get_item"] = [half, half]
    assert sorted(one.known(ids)) == ids
    assert clock.slept > 0


@pytest.mark.parametrize(
    "trouble",
    [
        cancelled("None", "TransactionConflict"),
        cancelled("ThrottlingError", "None"),
        client_error("TransactWriteItems", "TransactionInProgressException"),
        client_error("TransactWriteItems", "ThrottlingException"),
        client_error("TransactWriteItems", "InternalServerError", status=500),
    ],
)
def test_a_transaction_that_another_one_hinders_is_tried_again_after_a_pause(dynamodb: Any, trouble: Exception) -> None:
    flaky, clock = Flaky(dynamodb), FakeClock()
    one = ledger(flaky, "r1", clock=clock)
    flaky.troubles["transact_write_items"] = [trouble] * 3
    one.mark([document("a"), document("b")])
    assert len(one.known(["a", "b"])) == 2
    assert clock.slept == pytest.approx(0.05 + 0.1 + 0.2)


def test_what_stands_in_the_way_of_one_document_does_not_contest_the_others(dynamodb: Any) -> None:
    flaky = Flaky(dynamodb)
    one = ledger(flaky, "r1")
    flaky.troubles["transact_write_items"] = [cancelled("ConditionalCheckFailed", "TransactionConflict", "None")]
    one.mark([document("a"), document("b"), document("c")])
    assert [document_id for document_id, entry in one.known(["a", "b", "c"]).items() if entry.contested] == ["a"]


def test_a_ledger_that_stays_busy_is_given_up_within_seconds(dynamodb: Any) -> None:
    flaky, clock = Flaky(dynamodb), FakeClock()
    one = ledger(flaky, "r1", clock=clock)
    flaky.troubles["transact_write_items"] = [cancelled("TransactionConflict")] * 100
    with pytest.raises(SinkUnavailable, match="the ledger ledger was busy"):
        one.mark([document("a")])
    assert 1 < clock.slept < 8
    flaky.troubles["batch_get_item"] = [client_error("BatchGetItem", "ThrottlingException")] * 100
    with pytest.raises(SinkUnavailable, match="the ledger ledger was busy"):
        one.known(["a"])


def test_a_ledger_that_does_not_answer_is_told_from_one_that_forbids(dynamodb: Any) -> None:
    flaky = Flaky(dynamodb)
    one = ledger(flaky, "r1")
    flaky.troubles["transact_write_items"] = [ConnectTimeoutError(endpoint_url="https://dynamodb.example")]
    with pytest.raises(SinkUnavailable, match="did not answer"):
        one.mark([document("a")])
    flaky.troubles["transact_write_items"] = [client_error("TransactWriteItems", "AccessDeniedException")]
    with pytest.raises(ClientError, match="AccessDenied"):
        one.mark([document("a")])
    flaky.troubles["transact_write_items"] = [cancelled("ConditionalCheckFailed", "ValidationError")]
    with pytest.raises(ClientError, match="Canceled"):
        one.mark([document("a"), document("b")])


@pytest.mark.parametrize(("mark_first", "left"), [(True, "r2"), (False, "r1")])
def test_a_run_that_is_overtaken_between_reading_and_settling_settles_nothing(
    dynamodb: Any, mark_first: bool, left: str
) -> None:
    flaky = Flaky(dynamodb)
    sink = next(SINKS)
    one, two = ledger(flaky, "r1", sink=sink), ledger(dynamodb, "r2", sink=sink)
    one.mark([document("a"), document("b")])

    def overtaken(operation: Callable[..., Any], **parameters: Any) -> Any:
        if mark_first:
            two.mark([document("a")])
        return operation(**parameters)

    flaky.troubles["transact_write_items"] = [overtaken]
    one.settle([Outcome("a", INDEXED), Outcome("b", INDEXED)])
    known = two.known(["a", "b"])
    assert known["a"].run == left
    assert known["b"] == Entry("r1", INDEXED, "d1")


def test_settling_again_writes_nothing(dynamodb: Any) -> None:
    flaky = Flaky(dynamodb)
    one = ledger(flaky, "r1")
    one.mark([document("a")])
    one.settle([Outcome("a", INDEXED), failed("b", "MetadataInvalid", "never sent")])
    flaky.calls.clear()
    one.settle([Outcome("a", INDEXED), failed("b", "MetadataInvalid", "never sent")])
    assert flaky.count("transact_write_items") == 0


DIGESTS = (None, "d1", "d2")
"""None deletes. The same digest may come back (ABA)."""


class Call(NamedTuple):
    """A call to the sink, with the number of its mark."""

    number: int
    run: str


class Histories(RuleBasedStateMachine):
    """Any history of runs that send one document, beside the index that takes what they send.

    A call to the sink takes effect at any time after its mark, and at the latest before a run is settled that marked
    after it: a call lasts seconds, and between sending and settling lie verification and the report. A run may do
    nothing more at any time; its last calls may take effect all the same.
    """

    def __init__(self) -> None:
        super().__init__()
        self.entries: dict[str, Entry] = {}
        self.plans: dict[str, str | None] = {}
        self.numbers = count()
        self.air: list[Call] = []
        self.marked: dict[str, int] = {}
        self.taken: set[str] = set()
        self.index: str | None = None

    def ledger(self, run: str) -> Ledger | FakeLedger:
        return FakeLedger(self.entries, run=run)

    @rule(run=st.sampled_from(["r1", "r2", "r3"]), digest=st.sampled_from(DIGESTS))
    def mark(self, run: str, digest: str | None) -> None:
        """A run has one plan, so it sends the document with one digest, however often."""
        digest = self.plans.setdefault(run, digest)
        self.ledger(run).mark([{"documentId": "a"} if digest is None else document("a", digest)])
        self.marked[run] = next(self.numbers)
        self.air.append(Call(self.marked[run], run))
        self.taken.discard(run)

    @precondition(lambda self: self.air)
    @rule(place=st.integers(0, 5), taken=st.booleans())
    def arrive(self, place: int, taken: bool) -> None:
        call = self.air.pop(place % len(self.air))
        if taken:
            self._take(call)

    @precondition(lambda self: self.plans)
    @rule(place=st.integers(0, 5), well=st.booleans())
    def settle(self, place: int, well: bool) -> None:
        """The run's own calls have been answered by now; it reports a success only for what the index has taken."""
        run = sorted(self.plans)[place % len(self.plans)]
        own = [call for call in self.air if call.run == run]
        older = [call for call in self.air if call.run != run and call.number < self.marked[run]]
        for call in own + older:
            self.air.remove(call)
            self._take(call)
        success = Outcome("a", DELETED if self.plans[run] is None else INDEXED)
        self.ledger(run).settle([success if well and run in self.taken else failed("a", "InternalError", "no")])

    @invariant()
    def what_is_called_unchanged_is_what_was_sent_last(self) -> None:
        for entry in self.ledger("any").known(["a"]).values():
            for digest in filter(None, DIGESTS):
                if entry.has(digest):
                    assert {self.index, *(self.plans[call.run] for call in self.air)} == {digest}

    def _take(self, call: Call) -> None:
        self.index = self.plans[call.run]
        self.taken.add(call.run)


class RealHistories(Histories):
    """The same, in DynamoDB."""

    client: Any = None

    def __init__(self) -> None:
        super().__init__()
        self.sink = next(SINKS)

    def ledger(self, run: str) -> Ledger | FakeLedger:
        return ledger(self.client, run, sink=self.sink)


def test_in_no_history_of_runs_does_an_entry_hide_what_was_sent_last() -> None:
    run_state_machine_as_test(Histories, settings=settings(max_examples=300, stateful_step_count=20))


def test_nor_in_dynamodb(dynamodb: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RealHistories, "client", dynamodb)
    run_state_machine_as_test(RealHistories, settings=settings(max_examples=25, stateful_step_count=15))
