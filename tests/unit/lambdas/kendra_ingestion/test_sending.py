from __future__ import annotations

from collections.abc import Sequence

import pytest

from kendra_ingestion.calling import Piece
from kendra_ingestion.documents import Document
from kendra_ingestion.errors import SinkMisconfigured
from kendra_ingestion.metadata import AttributeType
from kendra_ingestion.outcomes import SENT, Outcome
from kendra_ingestion.sending import REJECTION_RETRIES, Sending, misconfigured, unfit
from tests.fakes.pipeline import FOR_EVER, Pipeline


def document(document_id: str, **attributes: object) -> Document:
    return {
        "documentId": document_id,
        "key": f"{document_id}.json",
        "contentType": "JSON",
        "attributes": attributes,
        "accessControlList": [],
        "size": 1,
        "digest": "0",
    }


@pytest.fixture
def pipeline() -> Pipeline:
    return Pipeline()


def sending(pipeline: Pipeline, marked: list[str] | None = None) -> Sending:
    def mark(documents: Sequence[Document]) -> None:
        if marked is not None:
            marked.extend(f"{item['documentId']} after {len(pipeline.index.sent())}" for item in documents)

    return Sending("put", pipeline.sink(), pipeline.means(10.0), mark)


def test_outcomes_come_with_the_origin_of_their_piece_even_where_two_pieces_hold_the_same_document(
    pipeline: Pipeline,
) -> None:
    pieces = [Piece(7, (document("a"), document("b"))), Piece(9, (document("a"),))]
    found = dict(sending(pipeline).send(pieces, stop_at=FOR_EVER))
    assert found == {7: [Outcome("a", SENT), Outcome("b", SENT)], 9: [Outcome("a", SENT)]}


def test_a_document_that_two_pieces_hold_has_its_own_retries_in_each(pipeline: Pipeline) -> None:
    pipeline.index.rejections = {"a": [("InternalError", "oops")] * (REJECTION_RETRIES + 1)}
    found = list(sending(pipeline).send([Piece(1, (document("a"),)), Piece(2, (document("a"),))], stop_at=FOR_EVER))
    assert sorted(origin for origin, _ in found) == [1, 2]
    assert {outcome.outcome for _, outcomes in found for outcome in outcomes} == {SENT}


def test_a_document_is_marked_before_the_sink_hears_of_it_and_again_before_each_retry(pipeline: Pipeline) -> None:
    pipeline.index.rejections = {"a": [("InternalError", "oops")]}
    marked: list[str] = []
    list(sending(pipeline, marked).send([Piece(0, (document("a"), document("b")))], stop_at=FOR_EVER))
    assert marked == ["a after 0", "b after 0", "a after 2"]


def test_what_cannot_be_marked_is_not_sent(pipeline: Pipeline) -> None:
    def refuse(_: Sequence[Document]) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        list(
            Sending("put", pipeline.sink(), pipeline.means(10.0), refuse).send(
                [Piece(0, (document("a"),))], stop_at=FOR_EVER
            )
        )
    assert pipeline.index.sent() == []


def test_attributes_are_compared_where_the_sink_defines_them_and_only_there() -> None:
    documents = [document("good", floor=3), document("bad", dept="x")]
    (row,) = unfit(documents, {"floor": AttributeType.LONG})
    assert (row.document_id, row.error_code) == ("bad", "UnknownAttribute")
    assert unfit(documents, None) == []


def test_a_misconfigured_sink_fails_each_document_with_its_reason() -> None:
    rows = misconfigured([document("a"), document("b")], SinkMisconfigured("no such index"))
    assert [(row.document_id, row.error_code, row.error_message) for row in rows] == [
        ("a", "SinkMisconfigured", "no such index"),
        ("b", "SinkMisconfigured", "no such index"),
    ]
