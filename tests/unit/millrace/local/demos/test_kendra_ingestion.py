"""How the story of kendra_ingestion is judged."""

from __future__ import annotations

import json
from pathlib import Path

from millrace import submission
from millrace.local.demos.kendra_ingestion import (
    ANSWER,
    FAULTS,
    SAMPLE,
    Story,
    flaws,
    place_of,
    silent_documents,
)
from millrace.search import Answer


def test_the_story_as_the_sample_means_it_has_no_flaw() -> None:
    assert flaws(Story(FAULTS, [], ANSWER)) == []


def test_each_departure_from_the_story_is_named() -> None:
    failed = {**FAULTS, "handbook-welcome": "Refused", "handbook-night-rounds": "NotProcessed"}
    del failed["faulty/valve-tags.json"]
    assert sorted(flaws(Story(failed, ["handbook-screens"], None))) == [
        "faulty/valve-tags.json did not fail; it should, with MissingMetadata",
        "handbook-night-rounds failed with NotProcessed, not with UnknownAttribute",
        "handbook-screens does not answer for its own title",
        "handbook-welcome failed with Refused",
        f"the question was answered by nothing, not by {ANSWER}",
    ]


def test_a_document_without_an_id_is_named_by_its_place() -> None:
    assert place_of("s3://millrace-ingestion/of/mine/batches/faulty/x.json", "of/mine") == "faulty/x.json"
    assert place_of("handbook-screens", "of/mine") == "handbook-screens"
    assert place_of("s3://elsewhere/x.json", "of/mine") == "s3://elsewhere/x.json"


def test_a_document_that_did_not_fail_must_answer_for_its_title(tmp_path: Path) -> None:
    for name in ("found", "lost", "failed"):
        (tmp_path / f"{name}.json").write_text("{}")
        (tmp_path / f"{name}.json.metadata.json").write_text(json.dumps({"DocumentId": name, "Title": name}))

    def ask(question: str) -> list[Answer]:
        return [Answer("found", question, "", "")]

    assert silent_documents(submission.survey(tmp_path), ["failed"], ask) == ["lost"]


def test_the_question_is_answered_in_the_sample() -> None:
    bodies = [path for path in SAMPLE.rglob("*.metadata.json") if ANSWER in path.read_text("utf-8")]
    assert len(bodies) == 1
    assert "140 turns of the crank" in Path(str(bodies[0]).removesuffix(".metadata.json")).read_text("utf-8")
