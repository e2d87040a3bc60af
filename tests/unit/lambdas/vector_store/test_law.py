from __future__ import annotations

from collections.abc import Iterable, Mapping

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fakes.histories import LABELS, RECORDS, VALUES, Event, at, vector
from tests.fakes.stores import Store, explained
from vector_store import law
from vector_store.changes import Change, VectorRow, canonical, receipt_of, repairing
from vector_store.law import NOTHING, Known

RECORD, WORD, RECEIPT = "R1/00001", "R1/00001/00001", "R1"
VECTOR = vector(1, 2)

FEW = settings(max_examples=60, deadline=None)
"""The seeded histories try more; these find the smallest that fails."""

moments = st.builds(at, st.integers(0, 8)) | st.builds(lambda number: repairing(at(number), 1), st.integers(0, 8))
records = st.sampled_from(RECORDS[:3])
fields = st.dictionaries(st.sampled_from(("x", "text", *LABELS)), st.sampled_from(VALUES), max_size=3).map(
    lambda said: {name: value if name != "text" or isinstance(value, str) else None for name, value in said.items()}
)
events: st.SearchStrategy[Event] = st.one_of(
    st.builds(lambda record, moment, said: Change(record, moment, born=True, set=said), records, moments, fields),
    st.builds(lambda record, moment: Change(record, moment, died=True), records, moments),
    st.builds(lambda record, moment, said: Change(record, moment, set=said), records, moments, fields),
    st.builds(lambda moment: Change(RECEIPT, moment, died=True), moments),
    st.builds(lambda moment, value: Change(RECEIPT, moment, set={"x": value}), moments, st.sampled_from(VALUES)),
    st.builds(
        lambda record, moment, number: VectorRow(record, moment, "text", vector(number)),
        records,
        moments,
        st.integers(0, 2),
    ),
)
deltas = st.lists(events, max_size=8)


def told(*delta: Event) -> dict[str, Known]:
    changes = [it for it in delta if isinstance(it, Change)]
    return law.heard(changes, [it for it in delta if isinstance(it, VectorRow)])


def merged(*delta: Event) -> dict[str, Known]:
    return law.merge({}, told(*delta))


def text(store: Mapping[str, Known]) -> list[str]:
    """What is known, as texts that tell true from 1; where a vector's bytes are is no part of it."""
    return sorted(
        canonical([owner, it.born, it.died, it.vector.at, it.vector.mark.hex(), dict(it.fields)])
        for owner, it in store.items()
    )


def visible(store: Mapping[str, Known]) -> list[str]:
    return sorted(owner for owner, known in store.items() if known.visible)


@FEW
@given(deltas, deltas)
def test_the_order_of_two_deltas_does_not_matter(one: list[Event], other: list[Event]) -> None:
    assert text(law.merge(merged(*one), told(*other))) == text(law.merge(merged(*other), told(*one)))


@FEW
@given(deltas, deltas, deltas)
def test_how_deltas_are_grouped_does_not_matter(one: list[Event], two: list[Event], three: list[Event]) -> None:
    one_by_one = law.merge(law.merge(merged(*one), told(*two)), told(*three))
    assert text(one_by_one) == text(merged(*one, *two, *three)) == text(law.merge(merged(*one), merged(*two, *three)))


@FEW
@given(deltas, deltas)
def test_a_delta_that_comes_again_changes_nothing(one: list[Event], other: list[Event]) -> None:
    store = law.merge(merged(*one), told(*other))
    again = law.merge(store, told(*one))
    assert all(again[owner] is known for owner, known in store.items())
    assert again.keys() == store.keys()


@FEW
@given(deltas)
def test_what_is_visible_is_what_the_law_says_in_words(delta: list[Event]) -> None:
    assert visible(merged(*delta)) == sorted(explained(delta))


@FEW
@given(st.lists(deltas, max_size=4))
def test_the_file_holds_what_the_pure_law_says(told_in: list[list[Event]]) -> None:
    store, seen = Store(), list[Event]()
    for delta in told_in:
        store.take(*delta)
        seen += delta
        assert text(store.state.known({RECEIPT, *RECORDS})) == text(merged(*seen))
        assert store.is_explained_by(seen)


@FEW
@given(st.lists(deltas, min_size=1, max_size=4))
def test_the_reverse_order_event_by_event_gives_the_same_bytes(told_in: list[list[Event]]) -> None:
    straight, shuffled = Store(), Store()
    for delta in told_in:
        straight.take(*delta)
    for delta in [*reversed(told_in), told_in[0]]:
        for event in reversed(delta):
            shuffled.take(event)
    assert shuffled.contents() == straight.contents()


@FEW
@given(deltas, st.sampled_from(RECORDS[:3]))
def test_an_older_update_never_resurrects(before: list[Event], record: str) -> None:
    dead = law.merge(merged(*before), told(Change(record, at(9), died=True)))
    late: Iterable[Event] = (
        Change(record, at(8), born=True, set={"x": 1}),
        VectorRow(record, at(8), "text", VECTOR),
        VectorRow(record, at(10), "text", VECTOR),
        Change(record, at(10), set={"x": 1}),
    )
    for number, event in enumerate(late):
        dead = law.merge(dead, told(event))
        assert record not in visible(dead), number


def test_a_vector_alone_makes_nothing_exist() -> None:
    assert visible(merged(VectorRow(RECORD, at(5), "text", VECTOR))) == []
    assert visible(merged(VectorRow(RECORD, at(5), "text", VECTOR), Change(RECORD, at(3), born=True))) == [RECORD]


def test_a_birth_alone_shows_nothing_until_its_vector_comes() -> None:
    store = merged(Change(RECORD, at(1), born=True))
    assert store[RECORD].exists
    assert visible(store) == []


def test_a_late_label_of_a_deleted_word_waits_for_its_rebirth() -> None:
    deleted = merged(Change(WORD, at(1), born=True), Change(WORD, at(2), died=True), Change(WORD, at(3), set={"l": 1}))
    reborn = law.merge(deleted, told(Change(WORD, at(4), born=True)))
    assert not deleted[WORD].exists
    assert reborn[WORD].exists
    assert reborn[WORD].fields["l"] == (at(3), 1)


def test_what_was_said_before_a_death_does_not_count_after_a_rebirth() -> None:
    lives: list[Event] = [
        Change(RECORD, at(1), born=True, set={"x": 1, "y": 1}),
        VectorRow(RECORD, at(1), "text", VECTOR),
    ]
    store = merged(*lives, Change(RECORD, at(2), died=True), Change(RECORD, at(3), born=True, set={"x": 2}))
    assert store[RECORD].fields == {"x": (at(3), 2)}
    assert visible(store) == []


def test_what_is_said_at_the_moment_of_a_death_does_not_count() -> None:
    said: list[Event] = [Change(RECORD, at(1), born=True, set={"x": 1}), VectorRow(RECORD, at(1), "text", VECTOR)]
    for owner in (RECORD, RECEIPT):
        death = Change(owner, at(1), died=True)
        assert merged(*said, death) == merged(death, *said) == merged(death)


def test_a_receipts_death_ends_what_came_before_and_nothing_that_comes_after() -> None:
    early, later = "R1/00001", "R1/00002"
    store = merged(
        Change(early, at(1), born=True),
        Change(RECEIPT, at(2), died=True),
        Change(later, at(3), born=True),
        Change("R2/00001", at(1), born=True),
    )
    assert sorted(owner for owner, known in store.items() if known.exists) == [later, "R2/00001"]


def test_a_receipts_death_ends_its_own_fields() -> None:
    place = Change(RECEIPT, at(1), set={"merchant_name": "MART"})
    assert merged(place, Change(RECEIPT, at(2), died=True))[RECEIPT].fields == {}
    assert merged(place, Change(RECEIPT, at(0), died=True))[RECEIPT].fields == {"merchant_name": (at(1), "MART")}


def test_nothing_is_kept_of_a_record_that_its_receipt_has_outlived() -> None:
    lives = [Change(RECORD, at(1), born=True, set={"x": 1}), Change(RECORD, at(2), died=True)]
    assert merged(*lives, Change(RECEIPT, at(3), died=True)).keys() == {RECEIPT}


def test_at_the_same_time_the_greater_json_counts() -> None:
    for one, other, greater in ((1, True, True), ("b", "a", "b"), (1.0, 1, 1.0), (None, "x", None), (9, 10, 9)):
        both = [Change(RECORD, at(1), set={"x": value}) for value in (one, other)]
        for order in (both, both[::-1]):
            assert repr(merged(*order)[RECORD].fields["x"][1]) == repr(greater)


def test_at_the_same_time_the_vector_with_the_greater_digest_counts() -> None:
    both = [VectorRow(RECORD, at(1), "text", vector(number)) for number in (1, 2)]
    marks = [law.mark_of(it.vector) for it in both]
    for order in (both, both[::-1]):
        assert merged(*order)[RECORD].vector.mark == max(marks)


def test_a_repair_counts_until_the_stream_tells_something_later() -> None:
    broken, repair = Change(RECORD, at(1), set={"x": 1}), Change(RECORD, repairing(at(1), 1), set={"x": 2})
    assert merged(repair, broken)[RECORD].fields["x"][1] == 2
    assert merged(repair, broken, Change(RECORD, at(2), set={"x": 3}))[RECORD].fields["x"][1] == 3


def test_who_is_unknown_to_the_news_stays_the_same_object() -> None:
    store = merged(Change("R2/00001", at(1), born=True), Change(RECORD, at(1), born=True))
    after = law.merge(store, told(Change(RECORD, at(2), set={"x": 1})))
    assert after["R2/00001"] is store["R2/00001"]
    assert receipt_of(RECORD) not in after
    assert NOTHING not in after.values()
