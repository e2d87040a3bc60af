from __future__ import annotations

from typing import Any

import pytest

from tests.fakes.embedding import VECTOR_STORE, World
from tests.fakes.s3 import client_error
from vector_store.errors import ConsumerBusy, StoreUnavailable
from vector_store.lease import EMBED, GRACE_SECONDS, LEASE_SECONDS, Holder, Lease, LeaseHeld, LeaseLost


@pytest.fixture
def world() -> World:
    return World()


def item(world: World) -> dict[str, Any]:
    return world.dynamodb.tables[VECTOR_STORE].items[EMBED]


class Faulty:
    """A client whose writes fail, after they took effect or before, while `how` says so."""

    def __init__(self, world: World) -> None:
        self._client = world.dynamodb
        self.how = ""
        self.writes = 0

    def transact_write_items(self, **asked: Any) -> Any:
        self.writes += 1
        if self.how != "before":
            answer = self._client.transact_write_items(**asked)
        if self.how:
            raise client_error("TransactWriteItems", "InternalServerError", status=500)
        return answer

    def get_item(self, **asked: Any) -> Any:
        return self._client.get_item(**asked)


def test_one_of_two_has_the_lease_and_the_other_is_told_who(world: World) -> None:
    first, second = world.lease("ecs"), world.lease("lambda")
    first.take()
    assert item(world)["holder"] == {"S": "process-1"}
    assert item(world)["kind"] == {"S": "ecs"}
    with pytest.raises(LeaseHeld, match="ecs process-1 has the lease for 90 s more") as raised:
        second.take()
    assert isinstance(raised.value, ConsumerBusy)
    assert (raised.value.holder, raised.value.seconds) == (Holder("ecs", "process-1"), LEASE_SECONDS)


def test_the_holder_takes_it_again_and_has_it_for_longer(world: World) -> None:
    lease = world.lease("ecs")
    lease.take()
    world.clock.now += 60
    lease.take()
    world.clock.now += 60
    with pytest.raises(LeaseHeld):
        world.lease("ecs").take()


def test_what_is_given_back_can_be_taken_at_once(world: World) -> None:
    first, second = world.lease("ecs"), world.lease("lambda")
    first.take()
    first.give_back()
    second.take()
    first.give_back()
    with pytest.raises(LeaseHeld, match="process-2"):
        first.take()


def test_a_lease_whose_time_is_over_goes_to_the_next_and_is_lost_to_the_first(world: World) -> None:
    first, second = world.lease("ecs"), world.lease("ecs")
    first.take()
    world.clock.now += LEASE_SECONDS
    second.take()
    with pytest.raises(LeaseLost):
        first.keep()
    first.give_back()
    assert item(world)["holder"] == {"S": "process-2"}
    assert "until" in item(world)


def test_the_holder_gives_up_before_another_can_begin(world: World) -> None:
    lease = world.lease("ecs")
    lease.take()
    world.clock.now += LEASE_SECONDS - GRACE_SECONDS
    with pytest.raises(LeaseLost):
        lease.keep()


def test_it_is_renewed_when_a_third_of_its_time_is_over_and_not_before(world: World) -> None:
    client = Faulty(world)
    lease = Lease(client, VECTOR_STORE, Holder("ecs", "me"), clock=world.clock)
    lease.take()
    for _ in range(100):
        world.clock.now += 5
        lease.keep()
    assert client.writes == 1 + 500 // 30
    with pytest.raises(LeaseHeld):
        world.lease("lambda").take()


def test_a_lease_that_another_has_taken_is_lost(world: World) -> None:
    first, second = world.lease("ecs"), world.lease("lambda")
    first.take()
    world.dynamodb.tables[VECTOR_STORE].items = {}
    second.take()
    world.clock.now += 40
    with pytest.raises(LeaseLost, match="another consumer's"):
        first.keep()


def test_a_lease_that_was_never_taken_is_not_kept(world: World) -> None:
    with pytest.raises(LeaseLost):
        world.lease("ecs").keep()


def test_a_table_that_does_not_answer_costs_the_lease_only_when_its_time_is_over(world: World) -> None:
    client = Faulty(world)
    lease = Lease(client, VECTOR_STORE, Holder("ecs", "me"), clock=world.clock)
    lease.take()
    client.how = "before"
    world.clock.now += 70
    lease.keep()
    world.clock.now += 10
    with pytest.raises(LeaseLost):
        lease.keep()


def test_a_lease_whose_answer_was_lost_is_given_back(world: World) -> None:
    client = Faulty(world)
    lease = Lease(client, VECTOR_STORE, Holder("lambda", "me"), clock=world.clock)
    client.how = "after"
    with pytest.raises(StoreUnavailable):
        lease.take()
    assert "until" in item(world)
    lease.give_back()
    world.lease("ecs").take()


def test_who_was_refused_gives_nothing_back(world: World) -> None:
    world.lease("ecs").take()
    client = Faulty(world)
    lease = Lease(client, VECTOR_STORE, Holder("lambda", "me"), clock=world.clock)
    with pytest.raises(LeaseHeld):
        lease.take()
    writes = client.writes
    lease.give_back()
    assert client.writes == writes
