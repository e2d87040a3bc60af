"""The queue option's middle, killed at each of its calls to AWS in turn: what died is delivered again, and in the end
nothing is lost, counted twice or answered twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from kendra_ingestion.documents import JobKey
from tests.fakes.crash import Crash, Fuse
from tests.fakes.pipeline import INGESTION, REPORTS
from tests.fakes.queue_option import ASIDE_URL, DEAD_URL, URL, QueueOption
from tests.fakes.s3 import FakeS3

JOB = JobKey("job-1", "run-1", "attempt-1")
PUTS = [["doc-0", "doc-1"], ["doc-2", "doc-3"]]
DELETES = [["old"]]
PUT_IDS = [name for request in PUTS for name in request]
EXPECTED = dict.fromkeys([*PUT_IDS, "old"], "sent") | {"doc-2": "InvalidRequest"}


def option(client: Any, fuse: Fuse) -> QueueOption:
    option = QueueOption(client, FakeS3(INGESTION, REPORTS), fuse=fuse)
    option.plan(JOB, [("put", PUTS), ("delete", DELETES)])
    option.index.rejections["doc-2"] = [("InvalidRequest", "no")] * 99
    return option


def run(option: QueueOption, fuse: Fuse) -> None:
    """Each function as AWS runs it: what dies is called again, the producer with a new token."""
    tokens = iter(("token-1", "token-2"))

    def alive(function: Callable[[dict[str, Any]], dict[str, Any]]) -> Callable[[dict[str, Any]], dict[str, Any]]:
        def invoke(event: dict[str, Any]) -> dict[str, Any]:
            fuse.dead = False
            return function(event)

        return invoke

    for token in tokens:
        option.machine.waiting = {token}
        try:
            option.produce(JOB, token)
            break
        except Crash:
            fuse.dead = False
    option.queues.drain(URL["put"], alive(option.put_worker))
    option.queues.drain(URL["delete"], alive(option.del_worker))
    for url in DEAD_URL.values():
        option.queues.drain(url, alive(option.dead_letter_worker))


def check(option: QueueOption) -> None:
    assert option.counted(JOB) == {(0, 0), (0, 1), (1, 0)}
    assert option.counter(JOB)["done"] == option.counter(JOB)["expected"] == 3
    assert option.outcomes(JOB, 0) | option.outcomes(JOB, 1) == EXPECTED
    assert max(Counter(item.document_id for item in option.sends(JOB, 0)).values()) == 1
    assert len(option.machine.answered) == 1
    assert not option.machine.waiting
    (part,) = option.store.keys(REPORTS, "_reports/job-1/")
    assert part == "_reports/job-1/put/part-run-1-00000-00001.csv"
    assert option.queues.bodies(ASIDE_URL) == []
    assert set(option.marked) == set(EXPECTED)


def test_nothing_dies_and_the_token_is_answered_once(dynamodb_client: Any) -> None:
    fuse = Fuse()
    this = option(dynamodb_client, fuse)
    run(this, fuse)
    check(this)
    assert this.machine.answered == ["token-1"]
    assert sorted(this.index.sent()) == PUT_IDS
    assert not this.machine.refused


@pytest.mark.parametrize("done", [False, True], ids=["before the call", "after the call"])
def test_a_function_that_is_killed_at_any_call_leaves_nothing_undone_and_does_nothing_twice(
    dynamodb_client: Any, done: bool
) -> None:
    counting = Fuse()
    run(option(dynamodb_client, counting), counting)
    assert counting.calls > 35
    for at in range(1, counting.calls + 1):
        fuse = Fuse(at, done=done)
        this = option(dynamodb_client, fuse)
        run(this, fuse)
        check(this)


def bury(option: QueueOption, fuse: Fuse) -> None:
    """All messages of a job are dead letters; the worker dies once and is called again."""

    def alive(event: dict[str, Any]) -> dict[str, Any]:
        fuse.dead = False
        return option.dead_letter_worker(event)

    dead = option.queues.queue(DEAD_URL["put"])
    for url in URL.values():
        dead.messages += option.queues.queue(url).messages
        option.queues.queue(url).messages.clear()
    option.queues.drain(DEAD_URL["put"], alive)


@pytest.mark.parametrize("done", [False, True], ids=["before the call", "after the call"])
def test_a_dead_letter_worker_that_is_killed_at_any_call_buries_each_message_once(
    dynamodb_client: Any, done: bool
) -> None:
    at = total = 0
    while at <= total:
        fuse = Fuse(done=done)
        this = option(dynamodb_client, fuse)
        this.produce(JOB, this.wait_with("token"))
        fuse.at, fuse.calls = at, 0
        bury(this, fuse)
        total = total or fuse.calls
        at += 1
        assert this.outcomes(JOB, 0) | this.outcomes(JOB, 1) == dict.fromkeys(EXPECTED, "NotProcessed")
        assert len(this.sends(JOB, 0)) == len(PUT_IDS)
        assert this.counter(JOB)["done"] == 3
        assert this.machine.answered == ["token"]
    assert total > 15
