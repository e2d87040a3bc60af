"""The sample is what the demo and the README say of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from millrace import submission

SAMPLE = Path(__file__).parents[3] / "sample" / "kendra_ingestion"
DOCUMENTS = SAMPLE / "documents"
GOOD = sorted(path for path in DOCUMENTS.rglob("*.metadata.json") if "faulty" not in path.parts)


def attributes() -> dict[str, str]:
    return {entry["Name"]: entry["Type"] for entry in json.loads((SAMPLE / "index_attributes.json").read_text())}


def metadata(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text("utf-8"))


def test_a_dozen_documents_are_good_and_three_are_faulty() -> None:
    found = submission.survey(DOCUMENTS)
    assert len(GOOD) == 12
    assert found.pairs == 12 + 2
    assert found.without_metadata == ("faulty/valve-tags.json",)
    assert not found.left_out


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.name.removesuffix(".json.metadata.json"))
def test_a_good_document_is_complete(path: Path) -> None:
    said = metadata(path)
    body = json.loads(Path(str(path).removesuffix(".metadata.json")).read_text("utf-8"))
    assert said["Title"] == body["title"]
    assert said["ContentType"] == "JSON"
    assert said["AccessControlList"]
    assert len(" ".join(section["text"] for section in body["sections"])) > 250


def test_the_ids_are_unique() -> None:
    ids = [metadata(path)["DocumentId"] for path in DOCUMENTS.rglob("*.metadata.json")]
    assert len(set(ids)) == len(ids)


def test_the_index_defines_every_attribute_of_the_good_documents_and_each_type_occurs() -> None:
    used = {name for path in GOOD for name in metadata(path)["Attributes"]}
    own = {name for name in used if not name.startswith("_")}
    assert own <= attributes().keys()
    assert {attributes()[name] for name in own} == {
        "STRING_VALUE",
        "STRING_LIST_VALUE",
        "LONG_VALUE",
        "DATE_VALUE",
    }


def test_both_kinds_of_access_occur() -> None:
    entries = [entry for path in GOOD for entry in metadata(path)["AccessControlList"]]
    assert {entry["Access"] for entry in entries} == {"ALLOW", "DENY"}


def test_each_faulty_document_has_its_fault() -> None:
    assert not (DOCUMENTS / "faulty" / "valve-tags.json.metadata.json").exists()
    unknown = metadata(DOCUMENTS / "faulty" / "night-rounds.json.metadata.json")["Attributes"]
    assert [name for name in unknown if name not in attributes()] == ["departement"]
    with pytest.raises(UnicodeDecodeError):
        (DOCUMENTS / "faulty" / "summer-readings.json").read_text("utf-8")
