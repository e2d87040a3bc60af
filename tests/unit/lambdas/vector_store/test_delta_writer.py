from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.fakes.clock import FakeClock
from tests.fakes.dynamodb import FakeDynamoDB, Table
from tests.fakes.lambda_context import FakeLambdaContext
from tests.fakes.receipts import at
from tests.fakes.s3 import FakeS3, client_error
from tests.fakes.stepfunctions import FakeStepFunctions
from vector_store import assembly, delta_writer
from vector_store.changes import Change
from vector_store.delta_writer import Writer, collection_of, name_of
from vector_store.deltas import INDEX, BadRow, Deltas
from vector_store.errors import ConfigurationInvalid
from vector_store.machine import Machine
from vector_store.messages import Message, VectorsReady, body_of

TABLE, BUCKET, MACHINE = "millrace-vector-store", "store", "arn:aws:states:eu-west-1:123456789012:stateMachine:c"
ONE, TWO = (Change(f"r-1/0000{number}", at(number), set={"text": "Milch"}) for number in (1, 2))
READY = VectorsReady("run-7", "delta/run-7/", 12, at(3))


class Troubled:
    """A client whose operations fail as long as they are named here."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.failing: set[str] = set()

    def __getattr__(self, name: str) -> Any:
        return self._fail if name in self.failing else getattr(self._client, name)

    def _fail(self, **_: Any) -> None:
        raise client_error("AnyOperation", "InternalError", status=500)


class Writing:
    """The delta writer in front of its stores."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        fake = FakeDynamoDB()
        fake.tables = {TABLE: Table("id", {INDEX: ("pending", "since")})}
        self.dynamodb, self.s3, self.states = Troubled(fake), Troubled(FakeS3(BUCKET)), FakeStepFunctions()

    def deltas(self, collection: str = "lines") -> Deltas:
        return Deltas(self.dynamodb, self.s3, table=TABLE, bucket=BUCKET, collection=collection)

    def write(self, messages: dict[str, Message | str], *, seconds: float = 60) -> set[str]:
        writer = Writer("lines", self.deltas(), Machine(self.states, MACHINE), self.clock)
        return writer.write([delivery(*one) for one in messages.items()], stop_at=self.clock.monotonic() + seconds)

    @property
    def requests(self) -> list[Any]:
        return self.states.started.get(MACHINE, [])

    def rows(self) -> list[Any]:
        """What all pending files of changes say."""
        deltas = self.deltas()
        return [row for delta in deltas.pending() if delta.kind == "changes" for row in deltas.read(delta)]


def delivery(message_id: str, message: Message | str, queue: str = "lines") -> dict[str, Any]:
    body = message if isinstance(message, str) else body_of(message)
    arn = f"arn:aws:sqs:eu-west-1:123456789012:{queue}"
    return {"messageId": message_id, "body": body, "eventSourceARN": arn, "attributes": {}}


@pytest.fixture
def writing() -> Writing:
    return Writing()


def test_a_batch_is_one_delta_and_one_request(writing: Writing) -> None:
    assert writing.write({"m-1": ONE, "m-2": TWO}) == set()
    (delta,) = writing.deltas().pending()
    assert (delta.kind, delta.records) == ("changes", 2)
    assert writing.rows() == [ONE, TWO]
    assert writing.requests == [{"collection": "lines"}]


def test_ten_thousand_messages_are_one_delta(writing: Writing) -> None:
    messages: dict[str, Message | str] = {f"m-{n}": Change("r-1/00001", at(n), died=True) for n in range(10_000)}
    assert writing.write(messages) == set()
    (delta,) = writing.deltas().pending()
    assert delta.records == 10_000
    assert len(writing.requests) == 1


def test_a_batch_that_comes_again_in_any_order_is_the_same_delta(writing: Writing) -> None:
    writing.write({"m-1": ONE, "m-2": TWO})
    before, body = writing.deltas().pending(), list(writing.s3.contents(BUCKET))
    writing.clock.now += 60
    assert writing.write({"m-2": TWO, "m-1": ONE}) == set()
    assert writing.deltas().pending() == before
    assert list(writing.s3.contents(BUCKET)) == body
    assert len(writing.requests) == 2


def test_a_batch_that_comes_again_when_it_is_done_stays_done(writing: Writing) -> None:
    writing.write({"m-1": ONE})
    writing.deltas().done(writing.deltas().pending(), datetime.now(UTC))
    assert writing.write({"m-1": ONE}) == set()
    assert writing.deltas().pending() == []


def test_vectors_are_registered_each_run_once(writing: Writing) -> None:
    assert writing.write({"m-1": READY, "m-2": READY, "m-3": READY._replace(run_id="run-8")}) == set()
    deltas = writing.deltas().pending()
    assert [(delta.name, delta.kind, delta.key, delta.records, delta.at) for delta in deltas] == [
        ("run-7", "vectors", "lines/delta/run-7/", 12, at(3)),
        ("run-8", "vectors", "lines/delta/run-8/", 12, at(3)),
    ]
    assert list(writing.s3.contents(BUCKET)) == []
    assert len(writing.requests) == 1


def test_a_message_that_nobody_understands_becomes_a_bad_row_and_does_not_come_again(
    writing: Writing, caplog: pytest.LogCaptureFixture
) -> None:
    assert writing.write({"m-1": ONE, "m-2": "hunter2 is no JSON", "m-3": '{"id":"x"}'}) == set()
    rows = writing.rows()
    assert [row for row in rows if not isinstance(row, BadRow)] == [ONE]
    reasons = sorted(row.reason for row in rows if isinstance(row, BadRow))
    assert [reason[:12] for reason in reasons] == ["message m-2:", "message m-3:"]
    assert not any("hunter2" in reason for reason in reasons)
    assert not any("hunter2" in str(vars(line)) for line in caplog.records)
    assert b"hunter2" in next(body for _, body in writing.s3.contents(BUCKET))
    assert len(writing.requests) == 1


def test_a_bucket_that_fails_sends_back_the_changes_alone(writing: Writing) -> None:
    writing.s3.failing = {"put_object"}
    assert writing.write({"m-1": ONE, "m-2": "nonsense", "m-3": READY}) == {"m-1", "m-2"}
    assert [delta.name for delta in writing.deltas().pending()] == ["run-7"]
    assert len(writing.requests) == 1


def test_where_nothing_could_be_registered_nothing_is_asked_for(writing: Writing) -> None:
    writing.dynamodb.failing = {"put_item"}
    assert writing.write({"m-1": ONE, "m-2": READY}) == {"m-1", "m-2"}
    assert writing.requests == []


def test_a_request_that_fails_sends_all_back(writing: Writing) -> None:
    writing.states.errors = ["ThrottlingException"]
    assert writing.write({"m-1": ONE, "m-2": READY}) == {"m-1", "m-2"}
    assert writing.write({"m-1": ONE, "m-2": READY}) == set()
    assert len(writing.deltas().pending()) == 2
    assert writing.requests == [{"collection": "lines"}]


def test_what_there_is_no_time_for_comes_again(writing: Writing) -> None:
    assert writing.write({"m-1": ONE, "m-2": READY}, seconds=0) == {"m-2"}
    assert [delta.kind for delta in writing.deltas().pending()] == ["changes"]


def test_a_deltas_name_is_that_of_its_messages() -> None:
    assert name_of(["m-1", "m-2"]) == name_of(["m-2", "m-1"]) != name_of(["m-1"])
    assert name_of(["m-1", "2"]) != name_of(["m", "-12"])


URLS = {"lines": "https://sqs.eu-west-1.amazonaws.com/1/m-lines.fifo", "words": "https://sqs/1/m-words"}


def test_a_delivery_belongs_to_the_collection_whose_queue_it_comes_from() -> None:
    assert collection_of("arn:aws:sqs:eu-west-1:1:m-lines.fifo", URLS) == "lines"
    assert collection_of("arn:aws:sqs:eu-west-1:1:m-words", URLS) == "words"
    with pytest.raises(ConfigurationInvalid, match="m-others is no collection's"):
        collection_of("arn:aws:sqs:eu-west-1:1:m-others", URLS)


def test_the_handler_serves_both_queues_and_names_exactly_what_failed(
    writing: Writing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(assembly, "dynamodb", lambda: writing.dynamodb)
    monkeypatch.setattr(assembly, "s3", lambda: writing.s3)
    monkeypatch.setattr(assembly, "step_functions", lambda: writing.states)
    for name, value in {
        "LINES_QUEUE_URL": URLS["lines"],
        "WORDS_QUEUE_URL": URLS["words"],
        "VECTOR_STORE_TABLE": TABLE,
        "STORE_BUCKET": BUCKET,
        "COMPACTION_MACHINE_ARN": MACHINE,
        "POWERTOOLS_TRACE_DISABLED": "true",
    }.items():
        monkeypatch.setenv(name, value)
    event = {"Records": [delivery("m-1", ONE, "m-lines.fifo"), delivery("m-2", READY, "m-words")]}
    assert delta_writer.handler(event, FakeLambdaContext()) == {"batchItemFailures": []}
    writing.s3.failing = {"put_object"}
    failed = {"batchItemFailures": [{"itemIdentifier": "m-1"}]}
    assert delta_writer.handler(event, FakeLambdaContext()) == failed
    assert [delta.kind for delta in writing.deltas("lines").pending()] == ["changes"]
    assert [delta.name for delta in writing.deltas("words").pending()] == ["run-7"]
    assert writing.requests == [{"collection": "lines"}, {"collection": "words"}, {"collection": "words"}]
