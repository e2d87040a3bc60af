"""Both consumers of the queue, alone and against each other."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest

from tests.fakes.crash import Crash, Fuse
from tests.fakes.embedding import PART_RECORDS, QUEUE, VECTOR_STORE, World, line, word
from tests.fakes.s3 import client_error
from tests.fakes.sqs import event_of
from vector_store.embed_queue import LONGEST_PAUSE_SECONDS, SENSELESS_RECEIVES, pause
from vector_store.embed_watch import Stop
from vector_store.lease import EMBED, LEASE_SECONDS

TURNS = 50

ROWS = [*(line(number) for number in range(6)), "{", word(1), line(6, "refused")]


@pytest.fixture
def world() -> World:
    return prepared()


def prepared() -> World:
    world = World()
    world.bedrock.refused = {"refused"}
    world.export(ROWS)
    return world


def by_lambda(world: World, fuse: Fuse | None = None) -> None:
    world.sqs.deliver(QUEUE, world.invocation(fuse))


def by_ecs(world: World, fuse: Fuse | None = None) -> None:
    """A process that lives until the queue is empty, or dies before."""
    stop = Stop(world.clock)
    service = world.service(fuse, stop)
    try:
        for _ in range(TURNS):
            if not world.waiting:
                break
            service.turn()
        stop.ask(15)
        service.run()
    except Crash:
        return


CONSUMERS = {"lambda": by_lambda, "ecs": by_ecs}
Consume = Callable[..., None]


@pytest.fixture(params=CONSUMERS, ids=str)
def consume(request: pytest.FixtureRequest) -> Consume:
    found: Consume = CONSUMERS[request.param]
    return found


def lease_of(world: World) -> dict[str, Any]:
    return world.dynamodb.tables[VECTOR_STORE].items.get(EMBED, {})


def told(caplog: pytest.LogCaptureFixture, message: str) -> list[dict[str, Any]]:
    return [vars(record) for record in caplog.records if record.message == message]


def test_a_message_is_worked_and_gone_and_the_lease_is_given_back(world: World, consume: Consume) -> None:
    consume(world)
    assert world.run()
    assert world.waiting == 0
    assert lease_of(world)["holder"]
    assert "until" not in lease_of(world)


@pytest.mark.parametrize("done", [False, True], ids=["before", "after"])
def test_a_death_at_any_call_costs_one_part_at_most(consume: Consume, done: bool) -> None:
    whole, fuse = prepared(), Fuse()
    consume(whole, fuse)
    for at in range(1, fuse.calls + 1):
        world = prepared()
        consume(world, Fuse(at, done=done))
        assert world.run() is None or world.files() == whole.files()
        for _ in range(TURNS):
            if not world.waiting:
                break
            world.clock.now += 60
            consume(world)
        assert world.waiting == 0, f"call {at}"
        assert world.files() == whole.files(), f"call {at}"
        assert world.run()
        again = [text for text, times in world.embedded().items() if times > 1]
        assert len(again) <= PART_RECORDS
        assert max(world.embedded().values()) <= 2


def test_of_two_consumers_one_works_and_the_other_says_why_not(
    world: World, consume: Consume, caplog: pytest.LogCaptureFixture
) -> None:
    other = world.lease("ecs")
    other.take()
    if consume is by_ecs:
        world.service().turn()
    else:
        consume(world)
    assert world.bedrock.calls == 0
    assert world.waiting == 1
    (line_,) = told(caplog, "embed queue has another consumer")
    assert line_["levelno"] == logging.WARNING
    assert line_["holder"] == {"kind": "ecs", "name": "process-1"}
    assert lease_of(world)["holder"] == {"S": "process-1"}
    other.give_back()
    world.clock.now += 60
    consume(world)
    assert world.run()


def test_without_the_lease_the_service_receives_nothing(world: World) -> None:
    world.lease("lambda").take()
    world.service().turn()
    assert world.sqs.queue(QUEUE).messages[0].receives == 0


@pytest.mark.parametrize("first", CONSUMERS)
@pytest.mark.parametrize("second", CONSUMERS)
def test_the_first_is_killed_and_the_second_takes_over(
    world: World, first: str, second: str, caplog: pytest.LogCaptureFixture
) -> None:
    CONSUMERS[first](world, Fuse(16))
    killed_at = world.clock.now
    assert world.run() is None
    assert world.bedrock.calls > PART_RECORDS
    begun = len(world.bedrock.texts)
    service = world.service()
    service.turn()
    assert told(caplog, "embed queue has another consumer")
    assert len(world.bedrock.texts) == begun
    for _ in range(100):
        if world.run():
            break
        CONSUMERS[second](world)
        world.clock.now += 5
    assert world.run()
    assert world.clock.now - killed_at >= LEASE_SECONDS
    assert sum(times - 1 for times in world.embedded().values()) < PART_RECORDS


def test_of_a_group_nothing_is_worked_behind_a_message_that_comes_back() -> None:
    world = World()
    for receipt_id, run_id in (("r1", "bad"), ("r1", "later"), ("r2", "other")):
        world.export([line(1, receipt_id=receipt_id)], receipt_id, run_id)
    del world.s3["exports/bad.ndjson"]
    batch = [message for group in ("r1", "r2") for message in world.sqs.receive(QUEUE) if message.group == group]
    answer = world.invocation()(event_of(batch))
    assert [failure["itemIdentifier"] for failure in answer["batchItemFailures"]] == [
        message.message_id for message in batch if message.group == "r1"
    ]
    assert world.run("r2", "other")
    assert not world.run("r1", "later")
    back = {message.visible_at - world.clock.now for message in batch if message.group == "r1"}
    assert back == {3}


def once(world: World, consume: Consume) -> None:
    """Let the queue deliver what is visible, once."""
    if consume is by_ecs:
        world.service().turn()
    else:
        consume(world)


def test_a_message_that_nobody_understands_comes_back_at_first(
    world: World, consume: Consume, caplog: pytest.LogCaptureFixture
) -> None:
    world.sqs.queue(QUEUE).messages[0].body = '{"receipt_id": "secret/../"}'
    once(world, consume)
    assert (world.waiting, world.buried) == (1, [])
    (line_,) = told(caplog, "a message makes no sense")
    assert "receipt_id is no id" in line_["reason"]
    assert "secret" not in str(line_)


def test_a_message_that_makes_no_sense_does_not_keep_its_group_waiting(consume: Consume) -> None:
    world = World()
    world.export([line(1)], run_id="gone")
    del world.s3["exports/gone.ndjson"]
    world.export([line(1)], run_id="later")
    body = world.sqs.bodies(QUEUE)[0]
    for _ in range(SENSELESS_RECEIVES):
        assert (world.buried, world.run("r1", "later")) == ([], None)
        once(world, consume)
        world.clock.now += LONGEST_PAUSE_SECONDS
    once(world, consume)
    assert (world.waiting, world.buried) == (0, [body])
    assert world.run("r1", "later")


def test_a_message_that_cannot_be_buried_stays(consume: Consume, caplog: pytest.LogCaptureFixture) -> None:
    world = World()
    world.export([line(1)])
    del world.s3["exports/run1.ndjson"]
    world.sqs.queue(QUEUE).messages[0].receives = SENSELESS_RECEIVES
    world.sqs.trouble = client_error("SendMessage", "KMS.DisabledException")
    once(world, consume)
    assert (world.waiting, world.buried) == (1, [])
    assert told(caplog, "could not bury a message")


def test_an_exception_that_nobody_expects_fails_one_message(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("vector_store.embed_worker.read_records", lambda *_: 1 / 0)
    by_lambda(world)
    assert world.waiting == 1
    assert told(caplog, "a message failed")
    assert "until" not in lease_of(world)


def test_an_invocation_that_runs_out_of_time_leaves_whole_parts_to_the_next() -> None:
    world = World()
    world.export(line(number) for number in range(6 * PART_RECORDS))
    world.bedrock.troubles = []
    slow = world.invocation()

    def long(event: dict[str, Any]) -> dict[str, Any]:
        world.clock.now += 270 - 0.085
        return slow(event)

    world.sqs.deliver(QUEUE, long)
    assert world.run() is None
    assert sum(key.endswith(".ndjson") for key in world.files()) == 3
    assert world.sqs.queue(QUEUE).messages[0].visible_at <= world.clock.now
    by_lambda(world)
    assert world.run()
    assert max(world.embedded().values()) == 1


def test_a_message_stays_hidden_as_long_as_it_is_worked() -> None:
    world = World()
    world.export(line(number) for number in range(6 * PART_RECORDS))
    service = world.service(per_second=0.1)
    seen: list[float] = []
    world.bedrock.troubles = []
    wait = world.clock.sleep

    def sleep(seconds: float) -> None:
        wait(seconds)
        seen.append(world.sqs.queue(QUEUE).messages[0].visible_at - world.clock.now)

    world.clock.sleep = sleep  # type: ignore[method-assign]
    service.turn()
    assert world.clock.now > 200
    assert min(seen) > 0
    assert world.waiting == 0


def test_a_store_that_takes_nothing_lets_the_message_come_back_after_a_pause(world: World, consume: Consume) -> None:
    world.bedrock.troubles = [client_error("InvokeModel", "AccessDeniedException", "no", 403)]
    if consume is by_ecs:
        world.service().turn()
    else:
        consume(world)
    (message,) = world.sqs.queue(QUEUE).messages
    assert message.visible_at - world.clock.now == pytest.approx(3, abs=0.5)


def test_pauses_grow_and_have_an_end() -> None:
    assert [pause(receives, lambda: 1.0) for receives in (1, 2, 3, 7, 100)] == [5, 10, 20, 300, 300]
    assert pause(1, lambda: 0.0) == 1


def test_an_order_to_stop_ends_at_a_whole_part_and_the_message_comes_back_at_once() -> None:
    world = World()
    world.export(line(number) for number in range(6 * PART_RECORDS))
    stop = Stop(world.clock)
    service = world.service(stop=stop, per_second=1)
    embedded = world.bedrock.invoke_model

    def invoke_model(**request: Any) -> Any:
        if len(world.bedrock.texts) == 5:
            stop.ask(15)
        return embedded(**request)

    world.bedrock.invoke_model = invoke_model  # type: ignore[method-assign]
    service.run()
    assert sum(key.endswith(".ndjson") for key in world.files()) == 2
    assert len(world.bedrock.texts) == 2 * PART_RECORDS
    assert world.sqs.queue(QUEUE).messages[0].visible_at <= world.clock.now
    assert "until" not in lease_of(world)


def test_an_order_to_stop_leaves_a_part_that_takes_longer_than_the_grace() -> None:
    world = World()
    world.export(line(number) for number in range(PART_RECORDS))
    stop = Stop(world.clock)
    service = world.service(stop=stop, per_second=0.1)
    embedded = world.bedrock.invoke_model

    def invoke_model(**request: Any) -> Any:
        stop.ask(15)
        return embedded(**request)

    world.bedrock.invoke_model = invoke_model  # type: ignore[method-assign]
    service.run()
    assert world.files() == {}
    assert world.clock.now <= 15 + 10
    assert "until" not in lease_of(world)


def test_a_service_that_waits_for_the_lease_stops_at_once(world: World) -> None:
    world.lease("lambda").take()
    stop = Stop(world.clock)
    service = world.service(stop=stop)
    wait = world.clock.sleep

    def sleep(seconds: float) -> None:
        wait(seconds)
        stop.ask(15)

    world.clock.sleep = sleep  # type: ignore[method-assign]
    service.run()
    assert world.clock.now < 1
