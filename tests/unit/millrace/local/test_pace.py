from __future__ import annotations

import pytest

from millrace.local.pace import Gate, Pace, TokenBucket
from millrace.local.wire import ApiError


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def taken(bucket: TokenBucket, clock: Clock, seconds: float, calls_per_second: int) -> int:
    count = 0
    for _ in range(int(seconds * calls_per_second)):
        clock.now += 1 / calls_per_second
        count += bucket.take()
    return count


def test_the_rate_holds_over_time_however_hard_it_is_tried():
    clock = Clock()
    bucket = TokenBucket(10, clock)
    assert abs(taken(bucket, clock, 100, 1000) - 1010) <= 1


def test_a_slower_caller_is_never_throttled():
    clock = Clock()
    bucket = TokenBucket(10, clock)
    assert taken(bucket, clock, 100, 10) == 1000
    assert bucket.throttled == 0


def test_a_pause_saves_up_one_second_and_no_more():
    clock = Clock()
    bucket = TokenBucket(10, clock)
    clock.now = 1000
    assert sum(bucket.take() for _ in range(50)) == 10


def test_a_rate_below_one_a_second_still_lets_calls_through():
    clock = Clock()
    bucket = TokenBucket(0.5, clock)
    assert bucket.take()
    assert not bucket.take()
    clock.now += 2
    assert bucket.take()


def test_what_a_pause_saved_up_is_no_part_of_the_sustained_rate():
    clock = Clock()
    bucket = TokenBucket(10, clock)
    clock.now = 1000
    taken(bucket, clock, 20, 1000)
    assert abs(bucket.sustained - 10) < 0.1


def test_a_slower_callers_own_rate_is_sustained():
    clock = Clock()
    bucket = TokenBucket(10, clock)
    taken(bucket, clock, 100, 9)
    assert abs(bucket.sustained - 9) < 0.1


def test_time_in_which_nothing_was_asked_lowers_the_sustained_rate():
    clock = Clock()
    bucket = TokenBucket(10, clock)
    taken(bucket, clock, 10, 100)
    clock.now += 10
    taken(bucket, clock, 10, 100)
    assert abs(bucket.sustained - 7) < 0.2


def test_fewer_than_two_calls_have_no_rate():
    clock = Clock()
    bucket = TokenBucket(10, clock)
    assert bucket.sustained == 0
    bucket.take()
    assert bucket.sustained == 0


class TestGate:
    def gate(self, rate: float) -> Gate:
        return Gate("Kendra", Pace(rate, 0, 0), Clock())

    def outcomes(self, gate: Gate, scope: str, operation: str, calls: int) -> list[str]:
        said = []
        for _ in range(calls):
            try:
                gate.enter(scope, operation)
                said.append("in")
            except ApiError as error:
                said.append(error.code)
        return said

    def test_each_operation_of_each_scope_has_its_own_rate(self):
        gate = self.gate(1)
        assert self.outcomes(gate, "a", "Put", 2) == ["in", "ThrottlingException"]
        assert self.outcomes(gate, "a", "Get", 1) == ["in"]
        assert self.outcomes(gate, "b", "Put", 1) == ["in"]
        assert gate.counts()["a"]["Put"] == {"calls": 2, "throttled": 1, "perSecond": 0.0}
        assert gate.counts()["b"]["Put"]["throttled"] == 0

    def test_a_new_pace_holds_from_now_on(self):
        gate = self.gate(1)
        self.outcomes(gate, "a", "Put", 2)
        gate.set_pace({"requests_per_second": 3})
        assert self.outcomes(gate, "a", "Put", 4) == ["in"] * 3 + ["ThrottlingException"]

    def test_a_rate_that_stays_gives_no_calls_back(self):
        gate = self.gate(1)
        self.outcomes(gate, "a", "Put", 1)
        gate.set_pace({"indexing_seconds": 3, "requests_per_second": 1})
        assert self.outcomes(gate, "a", "Put", 1) == ["ThrottlingException"]

    def test_an_operation_may_have_a_quota_of_its_own(self):
        class Uneven(Pace):
            def requests_per_second_of(self, operation: str) -> float:
                return 2 if operation == "Get" else self.requests_per_second

        gate = Gate("Kendra", Uneven(1, 0, 0), Clock())
        assert self.outcomes(gate, "a", "Get", 3) == ["in", "in", "ThrottlingException"]
        assert self.outcomes(gate, "a", "Put", 2) == ["in", "ThrottlingException"]

    def test_a_setting_that_does_not_exist_is_named(self):
        with pytest.raises(ValueError, match="Kendra has no settings speed; it has requests_per_second"):
            self.gate(1).set_pace({"speed": 3})
