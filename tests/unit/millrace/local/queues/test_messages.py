from __future__ import annotations

import random
import threading
from typing import Any

import pytest

from millrace.local.queues.messages import Counts, HandleExpired, Message, Messages, NotInFlight, size_of


class Held:
    """A queue at a time that the test sets; messages are named by their bodies."""

    def __init__(self, *, fifo: bool = True) -> None:
        self.now = 1000.0
        self.changes = 0
        self.messages = Messages(threading.RLock(), fifo=fifo, complete=lambda _: None, changed=self._changed)

    def _changed(self) -> None:
        self.changes += 1

    def send(self, *bodies: str, group: str = "g", delay: float = 0) -> None:
        for body in bodies:
            self.messages.append(
                {
                    "body": body,
                    "group_id": group,
                    "sent_at": self.now,
                    "visible_at": self.now + delay,
                    "receive_count": 0,
                    "first_receive_at": None,
                    "receipt_handle": None,
                }
            )

    def take(self, most: int = 10, visibility: float = 30, **limits: Any) -> list[str]:
        return [message["body"] for message in self.messages.take(most, self.now, visibility, **limits).messages]

    def handle(self, body: str) -> str:
        return str(self.one(body)["receipt_handle"])

    def one(self, body: str) -> Message:
        (found,) = [message for message in self.messages if message["body"] == body]
        return found

    def delete(self, *bodies: str) -> None:
        for body in bodies:
            assert self.messages.delete(self.handle(body), self.now)


def test_messages_of_one_group_fill_a_batch_in_order():
    held = Held()
    held.send("a1", "a2", "a3", group="a")
    held.send("b1", group="b")
    assert held.take(2) == ["a1", "a2"]


def test_while_a_message_is_in_flight_its_group_waits_and_others_do_not():
    held = Held()
    held.send("a1", "a2", group="a")
    held.send("b1", group="b")
    assert held.take(1) == ["a1"]
    assert held.take() == ["b1"]
    assert held.take() == []
    held.delete("a1")
    assert held.take() == ["a2"]


def test_what_comes_back_comes_before_what_was_sent_later():
    held = Held()
    held.send("1", "2", "3")
    assert held.take(2) == ["1", "2"]
    held.delete("1")
    assert held.take() == []
    held.now += 30
    assert held.take() == ["2", "3"]


def test_a_group_waits_for_the_last_of_its_messages_in_flight():
    held = Held()
    held.send("1", "2", "3")
    held.take(2)
    held.messages.change_visibility(held.handle("1"), held.now, 0)
    assert held.take() == []
    held.now += 30
    assert held.take() == ["1", "2", "3"]


def test_the_oldest_group_is_next():
    held = Held()
    for group in ("a", "b", "c"):
        held.send(f"{group}1", f"{group}2", group=group)
    assert held.take(1) == ["a1"]
    held.delete("a1")
    assert [held.take(1) for _ in range(3)] == [["a2"], ["b1"], ["c1"]]


def test_a_standard_queue_keeps_no_order_by_group_and_delivers_around_what_is_in_flight():
    held = Held(fifo=False)
    held.send("1", "2", "3")
    assert held.take(1) == ["1"]
    assert held.take() == ["2", "3"]
    held.now += 30
    assert sorted(held.take()) == ["1", "2", "3"]


def test_a_delayed_message_is_not_seen_before_its_time():
    held = Held()
    held.send("late", delay=5)
    assert held.take() == []
    assert held.messages.next_change(held.now) == held.now + 5
    assert held.messages.counts(held.now) == Counts(visible=0, in_flight=0, delayed=1)
    held.now += 5
    assert held.take() == ["late"]


def test_each_reception_has_a_handle_of_its_own_and_is_counted():
    held = Held()
    held.send("a")
    held.take(visibility=5)
    first, received_at = held.handle("a"), held.now
    held.now += 5
    held.take(visibility=5)
    message = held.one("a")
    assert (message["receive_count"], message["first_receive_at"]) == (2, received_at)
    assert message["receipt_handle"] != first
    assert not held.messages.delete(first, held.now)
    assert held.messages.delete(message["receipt_handle"], held.now)
    assert len(held.messages) == 0


def test_in_a_fifo_queue_a_handle_expires_with_the_visibility():
    held = Held()
    held.send("a")
    held.take(visibility=5)
    held.now += 5
    with pytest.raises(HandleExpired):
        held.messages.delete(held.handle("a"), held.now)
    with pytest.raises(NotInFlight):
        held.messages.change_visibility(held.handle("a"), held.now, 5)


def test_in_a_standard_queue_a_handle_deletes_until_somebody_else_has_the_message():
    held = Held(fifo=False)
    held.send("a")
    held.take(visibility=5)
    held.now += 5
    held.delete("a")
    assert held.take() == []


def test_visibility_can_be_shortened_and_lengthened():
    held = Held()
    held.send("a")
    held.take(visibility=30)
    held.messages.change_visibility(held.handle("a"), held.now, 60)
    held.now += 59
    assert held.take() == []
    held.messages.change_visibility(held.handle("a"), held.now, 0)
    assert held.messages.ready(held.now)
    assert held.take() == ["a"]


def test_a_message_received_often_enough_leaves_the_queue_and_its_group_goes_on():
    held = Held()
    held.send("poison", "good")
    for _ in range(2):
        assert held.take(1, 1, most_received=2) == ["poison"]
        held.now += 1
    taken = held.messages.take(10, held.now, 1, most_received=2)
    assert [message["body"] for message in taken.dead] == ["poison"]
    assert [message["body"] for message in taken.messages] == ["good"]


def test_a_batch_ends_before_it_is_too_large_and_never_before_its_first_message():
    held = Held()
    held.send("large", "a", "b", "c")
    each = size_of({"body": "a"})
    assert held.take(most_bytes=each) == ["large"]
    held.delete("large")
    assert held.take(most_bytes=2 * each) == ["a", "b"]
    held.delete("a", "b")
    assert held.take() == ["c"]


def test_a_messages_attributes_count_as_well():
    attributes = {"trace": {"DataType": "String", "StringValue": "x" * 5_000}}
    assert size_of({"body": "a", "message_attributes": attributes}) > size_of({"body": "a"}) + 5_000


def test_a_batch_is_filled_by_as_many_visible_messages_or_bytes():
    held = Held(fifo=False)
    held.send("a", "b")
    held.send("later", delay=5)
    each = size_of({"body": "a"})
    assert held.messages.fills(2, 10 * each, held.now)
    assert not held.messages.fills(3, 10 * each, held.now)
    assert held.messages.fills(3, 2 * each, held.now)
    held.take(1)
    assert not held.messages.fills(3, 2 * each, held.now)
    held.delete("a")
    held.now += 5
    assert held.messages.fills(3, 2 * each, held.now)
    held.messages.clear()
    assert not held.messages.fills(1, 1, held.now)


def test_what_is_older_than_the_retention_is_gone():
    held = Held()
    held.send("old")
    held.now += 60
    held.send("new")
    held.messages.forget_older(held.now - 60)
    assert held.take() == ["new"]


def test_the_oldest_message_is_the_one_that_came_first_whether_it_is_in_flight_or_not():
    held = Held()
    assert held.messages.oldest() is None
    held.send("first", group="a")
    held.now += 60
    held.send("second", group="b")
    held.take(1)
    assert held.messages.oldest() == 1000
    held.delete("first")
    assert held.messages.oldest() == 1060


@pytest.mark.parametrize(("fifo", "oldest"), [(True, 1000), (False, 1060)])
def test_a_standard_queue_overlooks_what_nobody_can_work(fifo: bool, oldest: float):
    held = Held(fifo=fifo)
    held.send("poison")
    for _ in range(3):
        held.take(1, visibility=10)
        held.now += 20
    held.send("well")
    assert held.messages.oldest() == oldest


def test_a_cleared_queue_is_empty_and_usable():
    held = Held()
    held.send("1", "2", "3")
    held.take(1)
    held.messages.clear()
    assert held.messages.counts(held.now) == Counts(0, 0, 0)
    held.send("4")
    assert held.take() == ["4"]


def test_who_waits_hears_of_everything_that_may_be_delivered():
    held = Held()
    held.send("a", "b")
    sent = held.changes
    held.take(1)
    held.messages.change_visibility(held.handle("a"), held.now, 5)
    held.delete("a")
    assert (sent, held.changes) == (2, 4)
    assert held.messages.next_change(held.now) is None


@pytest.mark.parametrize("seed", range(20))
def test_whatever_happens_a_group_stays_in_order_and_nothing_is_lost(seed):
    chance, held = random.Random(seed), Held()
    sent: dict[str, list[int]] = {group: [] for group in "abc"}
    done: dict[str, list[int]] = {group: [] for group in "abc"}
    flying: dict[str, tuple[str, float]] = {}
    number = 0
    for _ in range(600):
        held.now += chance.choice((0, 0.5, 3))
        flying = {body: told for body, told in flying.items() if told[1] > held.now}
        match chance.randrange(4):
            case 0:
                group = chance.choice("abc")
                held.send(f"{group}{number}", group=group)
                sent[group].append(number)
                number += 1
            case 1:
                for body in held.take(chance.randint(1, 4), visibility=5):
                    group, this = body[0], int(body[1:])
                    assert this not in done[group]
                    assert all(earlier in done[group] or f"{group}{earlier}" in flying or earlier >= this
                               for earlier in sent[group])  # fmt: skip
                    flying[body] = (held.handle(body), held.now + 5)
            case 2 if flying:
                body = min(flying)
                assert held.messages.delete(flying.pop(body)[0], held.now)
                done[body[0]].append(int(body[1:]))
            case 3 if flying:
                body = chance.choice(sorted(flying))
                held.messages.change_visibility(flying[body][0], held.now, 1)
                flying[body] = (flying[body][0], held.now + 1)
        counts = held.messages.counts(held.now)
        assert counts.in_flight == len(flying)
        assert (
            counts.visible + counts.in_flight
            == len(held.messages)
            == sum(map(len, sent.values())) - sum(map(len, done.values()))
        )
    while len(held.messages):
        held.now += 10
        for body in held.take(visibility=5):
            held.delete(body)
            done[body[0]].append(int(body[1:]))
    assert {group: sorted(numbers) for group, numbers in done.items()} == sent
