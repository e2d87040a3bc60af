"""The sample of kb_sync is what the demo and its README say of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

SAMPLE = Path(__file__).parents[3] / "sample" / "kb_sync"
QUESTIONS: dict[str, str] = json.loads((SAMPLE / "questions.json").read_text("utf-8"))
FACTS = {
    "heron-on-the-screens.jpg.txt": "Bartholomew",
    "whiteboard-control-room.png.txt": "pump two",
    "level-chart-of-the-race.png.txt": "41 centimetres",
    "valve-plate-under-the-tank.jpg.txt": "eleven millimetres",
    "map-of-the-footpath.png.txt": "310",
}
"""What each question asks for."""


def test_five_images_have_a_text_its_metadata_and_a_question_each() -> None:
    there = {path.name for path in (SAMPLE / "images").iterdir()}
    assert len(QUESTIONS) == 5
    assert there == {*QUESTIONS, *(f"{name}.metadata.json" for name in QUESTIONS)}


@pytest.mark.parametrize("name", QUESTIONS)
def test_the_metadata_are_in_the_format_of_a_knowledge_base(name: str) -> None:
    said = json.loads((SAMPLE / "images" / f"{name}.metadata.json").read_text("utf-8"))
    assert said.keys() == {"metadataAttributes"}
    assert said["metadataAttributes"]["image"] == name.removesuffix(".txt")
    assert said["metadataAttributes"]["_document_title"]


@pytest.mark.parametrize(("name", "fact"), FACTS.items())
def test_only_one_text_holds_what_its_question_asks_for(name: str, fact: str) -> None:
    holding = {other for other in QUESTIONS if fact in (SAMPLE / "images" / other).read_text("utf-8")}
    assert holding == {name}
