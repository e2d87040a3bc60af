from __future__ import annotations

import heapq
import random
from itertools import count
from typing import NamedTuple

import pytest

from kendra_ingestion.pacing import Pacer
from tests.fakes.quota import TokenBucket


class Seen(NamedTuple):
    """`used` is the sustained rate over the server's, `throttled` the share of all calls."""

    used: float
    throttled: float


def simulate(
    *, server: float, workers: int, configured: float, latency: float, seconds: float = 300, seed: int = 1
) -> Seen:
    """Workers with a pacer each against one server, in simulated time. The server lets `server` calls a
    second through, with a burst of one second's worth; answers take about `latency` seconds."""
    chance = random.Random(seed)
    bucket = TokenBucket(server, burst=server)
    pacers = [Pacer(configured / workers) for _ in range(workers)]
    order = count()
    events: list[tuple[float, int, str, int, float]] = []

    def plan(at: float, what: str, worker: int, sent_at: float = 0.0) -> None:
        heapq.heappush(events, (at, next(order), what, worker, sent_at))

    for worker in range(workers):
        plan(chance.random() / 10, "send", worker)
    taken = throttled = 0
    while events[0][0] <= seconds:
        now, _, what, worker, sent_at = heapq.heappop(events)
        pacer = pacers[worker]
        if what == "send":
            if (wait := pacer.wait(now)) > 0:
                plan(now + wait, "send", worker)
                continue
            pacer.sent(now)
            answered = now + latency * chance.uniform(0.5, 1.5)
            plan(answered, "taken" if bucket.take(now) else "throttled", worker, now)
            plan(now, "send", worker)
        elif what == "taken":
            taken += 1
            pacer.succeeded(now)
        else:
            throttled += 1
            pacer.throttled(sent_at, now)
    return Seen(taken / seconds / server, throttled / (taken + throttled))


@pytest.mark.parametrize("times_too_high", [1, 4, 0.5])
@pytest.mark.parametrize("latency", [0.05, 0.3])
@pytest.mark.parametrize(("server", "workers"), [(10, 1), (20, 4), (50, 4)])
def test_the_servers_rate_is_used_and_hardly_passed_whatever_was_configured(
    server: float, workers: int, latency: float, times_too_high: float
) -> None:
    seen = simulate(server=server, workers=workers, configured=server * times_too_high, latency=latency)
    assert seen.used >= 0.95
    assert seen.throttled <= 0.05


def test_a_worker_stays_inside_its_bounds() -> None:
    pacer = Pacer(10)
    for number in range(10_000):
        pacer.sent(number)
        pacer.succeeded(number)
    assert pacer.rate == 40
    for number in range(10_000, 10_100):
        pacer.sent(number)
        pacer.throttled(number, number + 0.5)
    assert pacer.rate == pytest.approx(0.2)


def test_calls_that_were_under_way_at_a_cut_cut_nothing_more() -> None:
    pacer = Pacer(10)
    pacer.throttled(sent_at=1.0, now=2.0)
    after_one = pacer.rate
    for sent_at in (1.1, 1.5, 1.9):
        pacer.throttled(sent_at, now=2.5)
    assert pacer.rate == after_one == 5


def test_a_worker_that_was_cut_low_is_back_at_its_share_in_a_minute() -> None:
    """However slow it has become: a share of time, not of calls, or the last chunk would wait for it."""
    pacer, now = Pacer(5), 0.0
    while pacer.rate > 0.2:
        pacer.throttled(sent_at=now, now=now)
        now += 0.1
    began = now
    while pacer.rate < 5:
        now += 1 / pacer.rate
        pacer.succeeded(now)
    assert now - began < 60


def test_calls_are_spaced_by_the_rate() -> None:
    pacer = Pacer(4)
    pacer.sent(100.0)
    assert pacer.wait(100.0) == pytest.approx(0.25)
    assert pacer.wait(100.25) == 0


def test_lateness_is_made_up_for_but_a_pause_does_not_end_in_a_burst() -> None:
    pacer = Pacer(10)
    pacer.sent(0.0)
    pacer.sent(0.15)
    assert pacer.wait(0.15) == pytest.approx(0.05)
    pacer.sent(60.0)
    assert pacer.wait(60.0) == pytest.approx(0.1)
