from __future__ import annotations

import json
from typing import Any

import pytest

from shared.outbox import BATCH_MAX_BYTES, Outbox
from tests.fakes.clock import FakeClock
from tests.fakes.lambda_context import FakeLambdaContext
from tests.fakes.receipts import Receipts, record, sequence, typed
from tests.fakes.sqs import DEDUPLICATION_SECONDS, FakeSqs
from vector_store import router
from vector_store.errors import ConfigurationInvalid
from vector_store.messages import read_message
from vector_store.router import route

LINES, WORDS = "https://sqs/1/lines", "https://sqs/1/words"


class Routing:
    """The router in front of two queues."""

    def __init__(self, *, fifo: bool = False) -> None:
        self.clock = FakeClock()
        self.sqs = FakeSqs(self.clock)
        self.fifo = fifo
        ending = ".fifo" if fifo else ""
        self.urls = {"lines": LINES + ending, "words": WORDS + ending}

    def route(self, *records: Any) -> str | None:
        """The sequence number that is answered."""
        outboxes = {
            collection: Outbox(self.sqs, url, clock=self.clock, random=lambda: 1.0)
            for collection, url in self.urls.items()
        }
        failed = route(records, outboxes, fifo=self.fifo)
        return failed and failed["dynamodb"]["SequenceNumber"]

    def told(self, collection: str) -> list[Any]:
        """What the messages of a queue are about."""
        messages = map(read_message, self.sqs.bodies(self.urls[collection]))
        return [getattr(message, "owner", None) or getattr(message, "run_id", None) for message in messages]


def lines(number: int, text: str = "Milch") -> list[Any]:
    """The records of so many lines that are born."""
    receipts = Receipts()
    return [receipts.put("r-1", f"LINE#{place:05}", text=text) for place in range(number)]


def test_each_collection_hears_what_concerns_it() -> None:
    routing, receipts = Routing(), Receipts()
    receipts.put("r-1", "LINE#00001", text="Milch")
    receipts.put("r-1", "LINE#00001#WORD#00001", text="Milch")
    receipts.put("r-1", "PLACE", merchant_name="Rewe")
    receipts.put("r-1", "SUMMARY", total=1)
    receipts.put("r-1", "RUN#run-7", prefix="delta/run-7/", lines=1, words=1)
    assert routing.route(*receipts.stream) is None
    assert routing.told("lines") == ["r-1/00001", "r-1", "run-7"]
    assert routing.told("words") == ["r-1/00001/00001", "r-1", "run-7"]


def test_messages_go_in_tens() -> None:
    routing = Routing()
    assert routing.route(*lines(23)) is None
    assert routing.sqs.calls == [10, 10, 3]


def test_a_request_has_at_most_one_mebibyte() -> None:
    routing = Routing()
    assert routing.route(*lines(6, "é" * 180_000)) is None
    assert routing.sqs.calls == [2, 2, 2]


def test_entries_that_a_queue_did_not_take_are_sent_again() -> None:
    routing = Routing()
    routing.sqs.throttled = {2, 5}
    assert routing.route(*lines(7)) is None
    assert sorted(routing.told("lines")) == [f"r-1/{place:05}" for place in range(7)]
    assert routing.sqs.calls == [7, 2]


@pytest.mark.parametrize("fault", ["throttled", "refused"])
def test_the_first_record_that_a_queue_does_not_take_is_named(fault: str) -> None:
    routing = Routing()
    setattr(routing.sqs, fault, set(range(14, 1_000)) - {15})
    assert routing.route(*lines(40)) == sequence(14)


def test_the_earlier_failure_of_two_queues_is_named() -> None:
    routing, receipts = Routing(), Receipts()
    for place in range(10):
        receipts.put("r-1", f"LINE#{place:05}", text="Milch")
    for place in range(10):
        receipts.put("r-1", f"LINE#00001#WORD#{place:05}", text="Milch")
    receipts.put("r-1", "PLACE", merchant_name="Rewe")
    routing.sqs.refused = {11, 12}
    assert routing.route(*receipts.stream) == sequence(11)
    assert len(routing.told("lines")) == 10


def test_what_does_not_make_sense_is_logged_by_its_ids_and_the_others_go_on(caplog: pytest.LogCaptureFixture) -> None:
    routing, receipts = Routing(), Receipts()
    receipts.put("r-1", "LINE#1", text="hunter2")
    receipts.put("r-1", "LINE#00001", text="hunter2")
    renamed = record(3, typed(pk="RECEIPT#r-1", sk="LINE#00002"), None, typed(text="hunter2")) | {"eventName": "RENAME"}
    assert routing.route(receipts.stream[0], renamed, receipts.stream[1]) is None
    assert routing.told("lines") == ["r-1/00001"]
    broken = [vars(line) for line in caplog.records if line.levelname == "ERROR"]
    assert [line["sequence"] for line in broken] == [sequence(1), sequence(3)]
    assert broken[0]["keys"]["sk"] == {"S": "LINE#1"}
    assert not any("hunter2" in str(vars(line)) for line in caplog.records)


def test_a_change_larger_than_any_message_is_logged_and_the_others_go_on(caplog: pytest.LogCaptureFixture) -> None:
    """Control characters are six bytes of JSON each: 400 KB of an item can be more than a message holds."""
    routing = Routing()
    too_large, good = lines(1, "\x01" * (BATCH_MAX_BYTES // 6)), lines(2)
    assert routing.route(*too_large, good[1]) is None
    assert routing.told("lines") == ["r-1/00001"]
    assert any("larger than a message" in vars(line).get("reason", "") for line in caplog.records)


def test_a_stream_without_both_images_fails_the_batch_and_loses_nothing() -> None:
    (blind,) = lines(1)
    blind["dynamodb"]["StreamViewType"] = "KEYS_ONLY"
    with pytest.raises(ConfigurationInvalid, match="NEW_AND_OLD_IMAGES"):
        Routing().route(blind)


def test_a_fifo_queue_has_one_group_a_collection_and_drops_the_same_change() -> None:
    routing = Routing(fifo=True)
    for _ in range(2):
        assert routing.route(*lines(3)) is None
    messages = routing.sqs.queue(routing.urls["lines"]).messages
    assert [message.group for message in messages] == ["compaction:lines"] * 3
    routing.clock.now += DEDUPLICATION_SECONDS
    routing.route(*lines(3))
    assert len(routing.told("lines")) == 6


@pytest.mark.parametrize(("mode", "ending"), [("standard", ""), ("fifo", ".fifo")])
def test_the_handler_reads_its_settings_and_answers_like_an_event_source_mapping(
    monkeypatch: pytest.MonkeyPatch, mode: str, ending: str
) -> None:
    sqs = FakeSqs(FakeClock())
    monkeypatch.setattr(router, "patient", lambda service: {"sqs": sqs}[service])
    settings = {"QUEUE_MODE": mode, "LINES_QUEUE_URL": LINES + ending, "WORDS_QUEUE_URL": WORDS + ending}
    for name, value in (settings | {"POWERTOOLS_TRACE_DISABLED": "true"}).items():
        monkeypatch.setenv(name, value)
    router._outboxes.cache_clear()
    try:
        assert router.handler({"Records": lines(2)}, FakeLambdaContext()) == {"batchItemFailures": []}
        sqs.refused = {4}
        failed = router.handler({"Records": lines(2)}, FakeLambdaContext())
        assert failed == {"batchItemFailures": [{"itemIdentifier": sequence(2)}]}
    finally:
        router._outboxes.cache_clear()
    assert json.loads(sqs.bodies(LINES + ending)[0])["id"] == "r-1/00000"


def test_an_unknown_mode_of_the_queues_is_told_with_what_is_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POWERTOOLS_TRACE_DISABLED", "true")
    monkeypatch.setenv("QUEUE_MODE", "lifo")
    with pytest.raises(ConfigurationInvalid, match="QUEUE_MODE is 'lifo'; allowed: standard, fifo"):
        router.handler({"Records": []}, FakeLambdaContext())
