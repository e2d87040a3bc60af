from __future__ import annotations

from typing import Any

import pytest

from millrace.errors import UsageError
from millrace.search import Answer, KendraIndex, KnowledgeBase, of, shortened
from tests.fakes.operator.aws import BEDROCK, FakeAws, FakeKendra, FakeKnowledgeBase

INDEX = "0d3b1c8e-0000-4000-8000-000000000000"
BASE = "KB12345678"


def passage(document_id: str, text: str, **metadata: Any) -> dict[str, Any]:
    return {
        "content": {"type": "TEXT", "text": text},
        "location": {"type": "CUSTOM", "customDocumentLocation": {"id": document_id}},
        "metadata": metadata,
        "score": 0.7,
    }


def test_a_result_of_kendra_is_an_answer() -> None:
    item = {
        "DocumentId": "handbook-screens",
        "DocumentTitle": {"Text": "Raking the screens"},
        "DocumentExcerpt": {"Text": "the rake  runs\nevery twenty minutes"},
        "DocumentURI": "s3://ingestion/screens.json",
    }
    (answer,) = KendraIndex(FakeKendra([item]), INDEX).ask("rake")
    assert answer == Answer(
        "handbook-screens", "Raking the screens", "the rake runs every twenty minutes", "s3://ingestion/screens.json"
    )


def test_a_passage_of_a_knowledge_base_is_an_answer() -> None:
    base = KnowledgeBase(
        FakeKnowledgeBase([passage("handbook-screens", "the rake\nruns", _document_title="Raking the screens")]), BASE
    )
    assert base.ask("rake") == [Answer("handbook-screens", "Raking the screens", "the rake runs", "")]


@pytest.mark.parametrize(
    ("where", "sent"),
    [
        ({}, None),
        ({"service": "intake"}, {"equals": {"key": "service", "value": "intake"}}),
        (
            {"service": "intake", "attempts": 2},
            {
                "andAll": [
                    {"equals": {"key": "service", "value": "intake"}},
                    {"equals": {"key": "attempts", "value": 2}},
                ]
            },
        ),
    ],
)
def test_metadata_is_asked_for_as_retrieve_takes_it(where: dict[str, Any], sent: dict[str, Any] | None) -> None:
    fake = FakeKnowledgeBase()
    KnowledgeBase(fake, BASE).ask("rake", where=where)
    assert fake.filters == [sent]


def test_kendra_is_not_asked_by_metadata_and_says_who_is() -> None:
    with pytest.raises(UsageError, match="--source"):
        KendraIndex(FakeKendra(), INDEX).ask("rake", where={"service": "intake"})


def test_a_document_answers_once_with_its_best_passage() -> None:
    base = KnowledgeBase(
        FakeKnowledgeBase([passage("a", "best"), passage("a", "second"), passage("b", "third"), passage("c", "last")]),
        BASE,
    )
    assert [(answer.document_id, answer.excerpt) for answer in base.ask("rake", limit=2)] == [
        ("a", "best"),
        ("b", "third"),
    ]


def test_a_passage_of_a_file_is_known_by_its_place() -> None:
    uri = "s3://elsewhere/x.txt"
    found = {"content": {"text": "x"}, "location": {"type": "S3", "s3Location": {"uri": uri}}}
    (answer,) = KnowledgeBase(FakeKnowledgeBase([found]), BASE).ask("x")
    assert (answer.document_id, answer.title, answer.uri) == (uri, "", uri)


def test_the_deployments_sink_is_asked() -> None:
    aws = FakeAws()
    aws.bedrock_agent_runtime.passages = [passage("from-bedrock", "x")]
    aws.kendra.items = [{"DocumentId": "from-kendra"}]
    deployed = aws.deployment
    assert [answer.document_id for answer in of(deployed, deployed.client).ask("x")] == ["from-kendra"]
    aws.outputs = dict(BEDROCK)
    deployed = aws.deployment
    assert [answer.document_id for answer in of(deployed, deployed.client).ask("x")] == ["from-bedrock"]


def test_a_long_passage_is_cut_to_where_the_question_is_answered() -> None:
    text = "turns " + "of the weather " * 50 + "the race gate takes 140 turns of the crank " + "and so on " * 50
    said = shortened(text, "How many turns does the crank of the race gate take?", most=60)
    assert "race gate takes 140 turns of the crank" in said
    assert said.startswith("...")
    assert said.endswith("...")
    assert len(said) <= 66


def test_a_short_passage_stays_and_one_without_a_word_of_the_question_shows_its_beginning() -> None:
    assert shortened("as it is", "anything") == "as it is"
    assert shortened("a beginning " + "x" * 400, "nothing in common", most=11) == "a beginning..."
    assert shortened("x" * 400 + " crank", "crank", most=11).endswith("x crank")
