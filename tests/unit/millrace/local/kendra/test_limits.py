from __future__ import annotations

from millrace.local.kendra.limits import TokenBucket


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
