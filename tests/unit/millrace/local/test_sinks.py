"""The index and the knowledge base that a deployment to a laptop makes for itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from millrace.local import knowledge_bases, sinks
from tests.fakes.operator.instance import FakeInstance

ATTRIBUTES = [{"Name": "department", "Type": "STRING_VALUE"}, {"Name": "revision", "Type": "LONG_VALUE"}]


@pytest.fixture
def attributes(tmp_path: Path) -> Path:
    path = tmp_path / "attributes.json"
    path.write_text(json.dumps(ATTRIBUTES))
    return path


def variables(instance: FakeInstance, attributes: Path, **chosen: str) -> dict[str, Any]:
    said: list[str] = []
    given = {"ingestion_bucket": "millrace-ingestion", **chosen}
    return sinks.variables(instance, given, attributes, said.append)  # type: ignore[arg-type]


def test_an_index_is_made_once_and_knows_the_attributes(attributes: Path) -> None:
    instance = FakeInstance()
    for _ in range(2):
        assert variables(instance, attributes) == {"kendra_index_id": "an-index"}
    assert instance.kendra.made == ["an-index"]
    assert instance.kendra.known == ["_category", "department", "revision"]


def test_a_knowledge_base_and_its_data_source_are_made_once(attributes: Path) -> None:
    instance = FakeInstance()
    for _ in range(2):
        found = variables(instance, attributes, sink="bedrock")
        assert (found["knowledge_base_id"], found["data_source_id"]) == ("KB12345678", "DS12345678")
    (source,) = instance.bedrock_agent.sources
    assert len(instance.bedrock_agent.bases) == 1
    assert source["dataSourceConfiguration"] == {"type": "CUSTOM"}
    assert "kendra_index_id" not in found


def test_a_knowledge_base_takes_the_attributes_that_an_index_would(attributes: Path) -> None:
    types = variables(FakeInstance(), attributes, sink="bedrock")["attribute_types"]
    assert (types["department"], types["revision"]) == ("STRING_VALUE", "LONG_VALUE")
    assert (types["_category"], types["_created_at"]) == ("STRING_VALUE", "DATE_VALUE")


def test_a_knowledge_bases_role_may_read_the_ingestion_bucket_and_nothing_else(attributes: Path) -> None:
    instance = FakeInstance()
    variables(instance, attributes, sink="bedrock")
    (role,) = instance.iam.roles
    assert instance.bedrock_agent.bases[0]["roleArn"] == f"arn:aws:iam::123456789012:role/{role}"
    (trust,) = instance.iam.roles[role]["Statement"]
    assert trust["Principal"] == {"Service": "bedrock.amazonaws.com"}
    allowed = {statement["Action"]: statement["Resource"] for statement in instance.iam.policies[role]["Statement"]}
    assert allowed == {
        "s3:GetObject": "arn:aws:s3:::millrace-ingestion/*",
        "s3:ListBucket": "arn:aws:s3:::millrace-ingestion",
    }


def test_what_never_becomes_ready_is_named_and_ends(attributes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(knowledge_bases, "READY_SECONDS", 0.0)
    instance = FakeInstance()
    instance.kendra.states = ["FAILED"]
    with pytest.raises(knowledge_bases.SinkNotReady, match=r"Kendra index an-index is FAILED .* not ACTIVE"):
        variables(instance, attributes)


@pytest.mark.parametrize(
    ("chosen", "named"),
    [
        ({}, False),
        ({"kendra_index_id": "mine"}, True),
        ({"sink": "bedrock"}, False),
        ({"sink": "bedrock", "kendra_index_id": "mine"}, False),
        ({"sink": "bedrock", "knowledge_base_id": "MINE123456"}, True),
    ],
)
def test_who_names_the_chosen_sink_has_one_of_his_own(chosen: dict[str, str], named: bool) -> None:
    assert sinks.is_named(chosen) is named
