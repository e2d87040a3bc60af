from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from kendra_ingestion.calling import Calls, Means, Piece, Reply, patiently
from kendra_ingestion.errors import SinkMisconfigured, SinkRefused, SinkThrottled, SinkUnavailable
from kendra_ingestion.pacing import Pacer
from shared.backoff import Backoff
from shared.clock import SystemClock
from tests.fakes.clock import FakeClock
from tests.fakes.pool import InlinePool

FOR_EVER = float("inf")


class Server:
    """Answers with the number of items. `faults` are raised by the next calls, in order; items in `poison`
    make the whole call a refusal."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.calls: list[tuple[float, list[str]]] = []
        self.faults: list[Exception | None] = []
        self.poison: set[str] = set()

    def __call__(self, items: Sequence[str]) -> int:
        self.calls.append((self.clock.now, list(items)))
        if self.faults and (fault := self.faults.pop(0)):
            raise fault
        if bad := self.poison.intersection(items):
            raise SinkRefused(f"bad: {min(bad)}")
        return len(items)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(1_000_000.0)


@pytest.fixture
def server(clock: FakeClock) -> Server:
    return Server(clock)


def calls_to(
    server: Server, clock: FakeClock, *, rate: float = 10.0, backoff: Backoff | None = None
) -> Calls[str, int]:
    return Calls(server, Means(Pacer(rate), clock, InlinePool(), lambda: 1.0, backoff or Backoff()))


def pieces(number: int) -> Iterator[Piece[str]]:
    return (Piece(origin, (f"item-{origin}",)) for origin in range(number))


def origins(replies: list[Reply[str, int]]) -> list[int]:
    return [reply.piece.origin for reply in replies]


def test_every_piece_is_answered_at_the_pace(server: Server, clock: FakeClock) -> None:
    replies = list(calls_to(server, clock, rate=10).run(pieces(20), stop_at=FOR_EVER))
    assert origins(replies) == list(range(20))
    assert 1.0 < clock.slept < 2.0


def test_no_time_is_waited_after_the_last_piece(server: Server, clock: FakeClock) -> None:
    list(calls_to(server, clock, rate=0.1).run(pieces(1), stop_at=FOR_EVER))
    assert clock.slept == 0


@pytest.mark.parametrize("fault", [SinkThrottled("slow"), SinkUnavailable("down")])
def test_what_the_sink_could_not_take_is_tried_again(server: Server, clock: FakeClock, fault: Exception) -> None:
    server.faults = [None, fault, fault, None]
    replies = list(calls_to(server, clock).run(pieces(3), stop_at=FOR_EVER))
    assert sorted(origins(replies)) == [0, 1, 2]
    assert len(server.calls) == 5


def test_a_spent_budget_raises_after_the_other_replies(server: Server, clock: FakeClock) -> None:
    server.faults = [None, SinkThrottled("slow")]
    run = calls_to(server, clock, backoff=Backoff(attempts=1)).run(pieces(5), stop_at=FOR_EVER)
    assert next(run).piece.origin == 0
    with pytest.raises(SinkThrottled, match="slow"):
        next(run)
    assert len(server.calls) == 2


def test_a_wrong_configuration_is_not_tried_again(server: Server, clock: FakeClock) -> None:
    server.faults = [SinkMisconfigured("denied")]
    with pytest.raises(SinkMisconfigured):
        list(calls_to(server, clock).run(pieces(5), stop_at=FOR_EVER))
    assert len(server.calls) == 1


def test_a_refused_piece_is_halved_until_the_culprit_stands_alone(server: Server, clock: FakeClock) -> None:
    server.poison = {"c", "h"}
    piece = Piece(7, tuple("abcdefghij"))
    replies = list(calls_to(server, clock).run([piece], stop_at=FOR_EVER))
    refused = [reply.piece.items for reply in replies if reply.refusal]
    taken = [item for reply in replies if not reply.refusal for item in reply.piece.items]
    assert sorted(refused) == [("c",), ("h",)]
    assert sorted(taken) == list("abdefgij")
    assert {reply.piece.origin for reply in replies} == {7}


def test_nothing_new_goes_out_once_the_time_is_up(server: Server, clock: FakeClock) -> None:
    replies = list(calls_to(server, clock, rate=1).run(pieces(100), stop_at=clock.now + 5))
    assert 4 <= len(replies) <= 10
    assert all(at < 1_000_005 for at, _ in server.calls)
    assert clock.now <= 1_000_005


def test_a_piece_that_waits_to_be_tried_again_does_not_hold_up_the_end(server: Server, clock: FakeClock) -> None:
    server.faults = [SinkUnavailable("down")]
    backoff = Backoff(first_seconds=1000, most_seconds=1000)
    assert list(calls_to(server, clock, backoff=backoff).run(pieces(1), stop_at=clock.now + 5)) == []
    assert clock.now <= 1_000_005


def test_the_caller_may_have_a_piece_tried_again(server: Server, clock: FakeClock) -> None:
    calls = calls_to(server, clock)
    seen = []
    for reply in calls.run(pieces(1), stop_at=FOR_EVER):
        seen.append(reply.piece.failures)
        if len(seen) < 3:
            assert calls.again(reply.piece)
    assert seen == [0, 1, 2]


def test_pieces_are_asked_for_only_when_they_can_go(server: Server, clock: FakeClock) -> None:
    """They may be expensive to make: Verify reads a chunk for them."""
    asked: list[int] = []

    def lazy() -> Iterator[Piece[str]]:
        for piece in pieces(10):
            asked.append(piece.origin)
            yield piece

    run = calls_to(server, clock, rate=1).run(lazy(), stop_at=FOR_EVER)
    next(run)
    assert len(asked) <= 3


def test_calls_are_under_way_together() -> None:
    """At 0.05 s a call and 100 calls a second, one after the other would take a second."""
    clock = SystemClock()

    def slow(items: Sequence[str]) -> int:
        clock.sleep(0.05)
        return len(items)

    with ThreadPoolExecutor(16) as pool:
        calls: Calls[str, int] = Calls(slow, Means(Pacer(100), clock, pool, lambda: 1.0))
        began = clock.monotonic()
        assert len(list(calls.run(pieces(20), stop_at=FOR_EVER))) == 20
        assert clock.monotonic() - began < 0.9


def failing(*faults: Exception) -> Callable[[], str]:
    left = list(faults)

    def call() -> str:
        if left:
            raise left.pop(0)
        return "answer"

    return call


def test_a_single_call_is_patient_inside_its_budget(clock: FakeClock) -> None:
    means = Means(Pacer(1), clock, InlinePool(), lambda: 1.0)
    assert patiently(failing(SinkThrottled("a"), SinkUnavailable("b")), means) == "answer"
    with pytest.raises(SinkThrottled):
        patiently(failing(*[SinkThrottled("a")] * 12), means)
    with pytest.raises(SinkMisconfigured):
        patiently(failing(SinkMisconfigured("a")), means)
