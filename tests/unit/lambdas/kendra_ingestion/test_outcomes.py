from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kendra_ingestion.errors import LawBroken
from kendra_ingestion.failures import FailureCode
from kendra_ingestion.outcomes import (
    DELETED,
    FAILED,
    FINAL,
    INDEXED,
    SENT,
    UNVERIFIED,
    UPDATED,
    Outcome,
    Tally,
    failed,
    final,
    from_lines,
    latest,
    pending,
    to_lines,
)

IDS = [f"doc-{number}" for number in range(8)]

outcomes = st.builds(
    Outcome,
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1),
    st.sampled_from([SENT, *FINAL]),
    st.none() | st.text(st.characters(exclude_categories=["Cs"])),
    st.none() | st.text(st.characters(exclude_categories=["Cs"])),
)


def parts(*words: str) -> st.SearchStrategy[list[list[Outcome]]]:
    """Part files as a run may leave them: any of them lost, doubled, out of order, about strangers."""
    ids = st.sampled_from([*IDS, "stranger"])
    return st.lists(st.lists(st.builds(Outcome, ids, st.sampled_from(words)), max_size=6), max_size=6)


def flat(parts: list[list[Outcome]]) -> list[Outcome]:
    return [outcome for part in parts for outcome in part]


@given(st.lists(outcomes))
def test_what_is_written_as_lines_is_read_again(written: list[Outcome]) -> None:
    assert list(from_lines(to_lines(written))) == written


@given(parts(SENT, FAILED), parts(INDEXED, UPDATED, DELETED, FAILED))
def test_the_law_holds_whatever_became_of_the_part_files(
    sends: list[list[Outcome]], verdicts: list[list[Outcome]]
) -> None:
    settled = list(final(latest(IDS, flat(sends), flat(verdicts))))
    assert [outcome.document_id for outcome in settled] == IDS
    tally = Tally()
    for outcome in settled:
        tally.add(outcome)
    counts = tally.counts(len(IDS))
    assert counts["planned"] == sum(counts[name] for name in FINAL) == len(IDS)


@given(parts(SENT, FAILED), st.randoms())
def test_the_order_of_parts_and_their_doubles_change_nothing(sends: list[list[Outcome]], random: object) -> None:
    shuffled = [*sends, *sends]
    random.shuffle(shuffled)  # type: ignore[attr-defined]

    def words(parts: list[list[Outcome]]) -> list[str | None]:
        return [outcome and outcome.outcome for outcome in latest(IDS, flat(parts), []).values()]

    assert words(sends) == words(shuffled)


def test_a_document_without_any_outcome_is_a_failure_that_says_what_to_do() -> None:
    (outcome,) = final(latest(["a"], [], []))
    assert outcome.error_code == FailureCode.NOT_PROCESSED
    assert "may or may not be in the index; retry the job" in (outcome.error_message or "")


def test_what_was_only_sent_is_unverified() -> None:
    assert list(final(latest(["a"], [Outcome("a", SENT)], []))) == [Outcome("a", UNVERIFIED)]


def test_the_indexs_word_stands_above_the_senders() -> None:
    known = latest(["a", "b"], [Outcome("a", SENT), Outcome("b", SENT)], [failed("a", "X", "y")])
    assert list(final(known)) == [failed("a", "X", "y"), Outcome("b", UNVERIFIED)]


def test_accepted_once_is_accepted() -> None:
    for order in ([Outcome("a", SENT), failed("a", "X", "y")], [failed("a", "X", "y"), Outcome("a", SENT)]):
        assert pending(latest(["a"], order, [])) == ["a"]


def test_only_what_was_sent_and_not_answered_is_pending() -> None:
    known = latest(
        ["a", "b", "c", "d"],
        [Outcome("a", SENT), Outcome("b", SENT), failed("c", "X", "y")],
        [Outcome("b", INDEXED)],
    )
    assert pending(known) == ["a"]


def test_a_tally_that_does_not_add_up_breaks_the_law() -> None:
    tally = Tally()
    tally.add(Outcome("a", INDEXED))
    with pytest.raises(LawBroken, match="2 documents were planned and 1 have an outcome"):
        tally.counts(2)


def test_an_outcome_that_is_not_final_breaks_the_law() -> None:
    tally = Tally()
    tally.add(Outcome("a", SENT))
    with pytest.raises(LawBroken, match="not final: sent"):
        tally.counts(1)


def test_failures_are_counted_by_code_and_their_messages_bounded() -> None:
    tally = Tally()
    outcome = failed("a", FailureCode.REFUSED, "x" * 10_000)
    tally.add(outcome)
    assert tally.codes == {"Refused": 1}
    assert len(outcome.error_message or "") == 2_000
