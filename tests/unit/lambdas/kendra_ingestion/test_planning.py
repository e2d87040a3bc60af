from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kendra_ingestion.documents import Chunk, Document
from kendra_ingestion.errors import DocumentInvalid
from kendra_ingestion.failures import FailureCode
from kendra_ingestion.outcomes import UNCHANGED, Outcome
from kendra_ingestion.packing import KENDRA_LIMITS
from kendra_ingestion.pairing import Found, Listed
from kendra_ingestion.planning import Plan, SeenIds, unpaired

texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)


def document(document_id: str, key: str = "") -> Document:
    return {"documentId": document_id, "key": key or f"{document_id}.json", "size": 1}


def ids_of(chunks: list[Chunk]) -> list[str]:
    return [item["documentId"] for chunk in chunks for request in chunk["requests"] for item in request]


def end_of(plan: Plan) -> list[Chunk]:
    chunks = [*plan.end_of_folder()]
    chunks += [chunk for document_id in plan.deletes for chunk in plan.delete(document_id)]
    return [*chunks, *plan.end_of_deletes()]


def plan_of(ids: list[str], deletes: list[str]) -> tuple[Plan, list[Chunk], list[Outcome]]:
    plan = Plan("in", deletes, KENDRA_LIMITS)
    chunks = [chunk for place, i in enumerate(ids) for chunk in plan.put(document(i, f"{place:05}.json"))]
    chunks += end_of(plan)
    return plan, chunks, plan.outcomes


@given(st.lists(st.tuples(st.sampled_from("abcdefgh"), st.booleans())), st.sets(st.sampled_from("fghijk")))
def test_everything_planned_is_sent_once_or_has_an_outcome(found: list[tuple[str, bool]], deletes: set[str]) -> None:
    plan = Plan("in", sorted(deletes), KENDRA_LIMITS)
    chunks: list[Chunk] = []
    for place, (document_id, known) in enumerate(found):
        item = document(document_id, f"{place:05}.json")
        if known:
            plan.keep(item)
        else:
            chunks += plan.put(item)
    chunks += end_of(plan)
    failures = [outcome for outcome in plan.outcomes if outcome.outcome == "failed"]
    kept = [outcome.document_id for outcome in plan.outcomes if outcome.outcome == UNCHANGED]
    assert plan.planned == len(found) + len(deletes) == len(ids_of(chunks)) + len(plan.outcomes)
    assert (plan.failed, plan.unchanged) == (len(failures), len(kept))
    assert len(ids_of(chunks) + kept) == len({*ids_of(chunks), *kept})


def test_chunks_fill_in_order_and_deletes_have_their_own() -> None:
    _, chunks, _ = plan_of([f"d{number:03}" for number in range(250)], ["x", "y"])
    assert [(chunk["chunk"], chunk["action"], len(chunk["requests"])) for chunk in chunks] == [
        (0, "put", 10),
        (1, "put", 10),
        (2, "put", 5),
        (3, "delete", 1),
    ]


def test_the_first_of_two_documents_with_the_same_id_wins_and_is_named() -> None:
    _, chunks, failures = plan_of(["a", "b", "a"], [])
    assert ids_of(chunks) == ["a", "b"]
    (failure,) = failures
    assert failure.error_code == FailureCode.DUPLICATE_DOCUMENT_ID
    assert failure.error_message == "00002.json has the same DocumentId as 00000.json, which comes first and counts"


def test_an_id_that_the_folder_holds_is_not_deleted() -> None:
    _, chunks, failures = plan_of(["a"], ["a", "b"])
    assert ids_of(chunks) == ["a", "b"]
    assert [(failure.document_id, failure.error_code) for failure in failures] == [("a", "ConflictingDelete")]


def test_not_even_where_its_document_failed() -> None:
    plan = Plan("in", ["a"], KENDRA_LIMITS)
    plan.refuse("a.json", DocumentInvalid("DocumentTooLarge", "6 MB", "a"))
    assert end_of(plan) == []
    assert [failure.error_code for failure in plan.outcomes] == ["DocumentTooLarge", "ConflictingDelete"]


@pytest.mark.parametrize("left_out", [document("a"), DocumentInvalid("DocumentTooLarge", "6 MB", "a")])
def test_nor_where_its_document_is_left_out_of_the_plan(left_out: Document | DocumentInvalid) -> None:
    plan = Plan("in", ["a"], KENDRA_LIMITS)
    plan.pass_over(left_out)
    assert plan.planned == 0
    assert end_of(plan) == []
    assert [failure.error_code for failure in plan.outcomes] == ["ConflictingDelete"]


def test_a_document_without_a_readable_id_is_reported_by_its_place() -> None:
    plan = Plan("in", [], KENDRA_LIMITS)
    plan.refuse("p/batches/x.json", unpaired(Found(Listed("p/batches/x.json", 1, "", 0), None)))
    assert plan.outcomes == [
        Outcome(
            "s3://in/p/batches/x.json",
            "failed",
            "MissingMetadata",
            "p/batches/x.json is there, p/batches/x.json.metadata.json is not",
        )
    ]


def test_an_orphan_names_the_document_that_it_misses() -> None:
    error = unpaired(Found(Listed("x.json.metadata.json", 1, "", 0), None))
    assert error.message == "x.json.metadata.json is there, x.json is not"


@given(st.lists(st.sampled_from([f"d{n}" for n in range(300)]), max_size=300), st.integers(0, 300))
def test_a_plan_that_is_saved_and_resumed_is_the_same_plan(ids: list[str], cut: int) -> None:
    deletes = ["d1", "d999"]
    whole, chunks, failures = plan_of(ids, deletes)
    first = Plan("in", deletes, KENDRA_LIMITS)
    found = [(i, f"{place:05}.json") for place, i in enumerate(ids)]
    resumed_chunks = [chunk for i, key in found[:cut] for chunk in first.put(document(i, key))]
    second = Plan.resume("in", deletes, KENDRA_LIMITS, first.state(), first.seen.packed())
    resumed_chunks += [chunk for i, key in found[cut:] for chunk in second.put(document(i, key))]
    resumed_chunks += end_of(second)
    assert resumed_chunks == chunks
    assert first.outcomes + second.outcomes == failures
    assert second.state() == whole.state()


@given(st.dictionaries(texts, texts))
def test_the_ids_seen_survive_packing(keys: dict[str, str]) -> None:
    seen = SeenIds()
    for document_id, key in keys.items():
        assert seen.claim(document_id, key) is None
    again = SeenIds(seen.packed())
    for document_id, key in keys.items():
        assert again.claim(document_id, "other") == key


def test_packed_ids_are_small() -> None:
    seen = SeenIds()
    for number in range(10_000):
        seen.claim(f"emp-{number}", f"KendraDocuments/phonebook/2025-10-05/batches/emp-{number}.json")
    assert len(seen.packed()) / 10_000 < 50
