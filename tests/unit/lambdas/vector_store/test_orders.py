"""The key promise: a store is a function of the set of changes that it has seen, whatever their order, duplication and
split into deltas. What that function is, is read here from docs/vector_store.md a second time, over whole sets."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import pytest

from tests.conftest import Tell
from tests.fakes.histories import Event, history
from tests.fakes.stores import Store


def split(random: Random, events: Sequence[Event]) -> list[list[Event]]:
    """The events in a random order, some of them more than once, in deltas of random sizes."""
    told = [*events, *random.choices(events, k=random.randrange(len(events) // 2))]
    random.shuffle(told)
    cuts = sorted(random.sample(range(1, len(told)), random.randrange(1, 9)))
    return [told[start:end] for start, end in zip([0, *cuts], [*cuts, len(told)], strict=True)]


def keeps_the_promise(seed: int, *, orders: int, length: int) -> str:
    """Whatever the order, the contents are those of the history told straight; the digest of them."""
    random = Random(seed)
    events = history(random, length)
    straight = Store()
    for event in events:
        straight.take(event)
    assert straight.is_explained_by(events)
    for _ in range(orders):
        store = Store()
        for delta in split(random, events):
            store.take(*delta)
        assert store.contents() == straight.contents(), f"seed {seed}"
    return straight.contents()


def test_a_thousand_orders_duplications_and_splits_of_a_history_give_the_same_bytes(tell: Tell) -> None:
    digest = keeps_the_promise(1, orders=1_000, length=60)
    tell(f"1,000 random orders of one history, each cut and doubled at random: contents {digest[:12]} every time")


@pytest.mark.parametrize("seed", range(2, 12))
def test_other_histories_keep_the_promise(seed: int) -> None:
    keeps_the_promise(seed, orders=20, length=100)


@pytest.mark.parametrize("seed", range(20))
def test_every_prefix_of_every_order_is_a_store_that_the_law_explains(seed: int) -> None:
    random = Random(seed)
    store, seen = Store(), list[Event]()
    for delta in split(random, history(random, 100)):
        store.take(*delta)
        seen += delta
        assert store.is_explained_by(seen)
        at_once = Store()
        at_once.take(*seen)
        assert at_once.contents() == store.contents()


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(100, 140))
def test_long_histories_keep_the_promise(seed: int) -> None:
    keeps_the_promise(seed, orders=200, length=400)
