"""The bucket, knowledge base and data source that a deployment of kb_sync to a laptop makes for itself."""

from __future__ import annotations

from typing import Any

from millrace.local import sync_sources
from tests.fakes.operator.instance import FakeInstance


def variables(instance: FakeInstance) -> dict[str, Any]:
    return sync_sources.variables(instance, lambda _line: None)  # type: ignore[arg-type]


def test_all_is_made_once_and_named_as_terraform_takes_it() -> None:
    instance = FakeInstance()
    for _ in range(2):
        found = variables(instance)
        assert found["sync_sources"] == {
            "images": {
                "knowledge_base_id": "KB12345678",
                "data_source_id": "DS12345678",
                "bucket": "millrace-data",
                "prefix": "images/",
            }
        }
        assert found["enable_eventbridge_on_data_buckets"], "its uploads would start nothing"
    assert instance.s3.made == [{"Bucket": "millrace-data"}]
    assert len(instance.bedrock_agent.bases) == 1


def test_the_data_source_scans_what_sends_the_events_and_its_role_may_read_that() -> None:
    instance = FakeInstance()
    source = variables(instance)["sync_sources"]["images"]
    (made,) = instance.bedrock_agent.sources
    assert made["dataSourceConfiguration"] == {
        "type": "S3",
        "s3Configuration": {
            "bucketArn": f"arn:aws:s3:::{source['bucket']}",
            "inclusionPrefixes": [source["prefix"]],
        },
    }
    (policy,) = instance.iam.policies.values()
    assert {statement["Resource"].split("/")[0] for statement in policy["Statement"]} == {"arn:aws:s3:::millrace-data"}


def test_the_incidents_come_beside_the_sources_that_are_there_and_their_uploads_ask_for_nothing() -> None:
    instance = FakeInstance()
    images = variables(instance)["sync_sources"]
    found = sync_sources.with_incidents(instance, images, lambda _line: None)  # type: ignore[arg-type]
    assert found["incident_source"] == "incidents"
    assert found["sync_sources"].keys() == {"images", "incidents"}
    assert found["sync_sources"]["images"] == images["images"]
    assert found["sync_sources"]["incidents"] == {
        "knowledge_base_id": "KB12345678",
        "data_source_id": "DS12345678",
        "bucket": "millrace-data",
        "prefix": "incidents/",
        "events": False,
    }
    assert len(instance.bedrock_agent.bases) == 2, "a knowledge base of its own"
    assert len(instance.s3.made) == 1


def test_a_bucket_in_another_region_names_it() -> None:
    instance = FakeInstance()
    instance.region = "eu-west-1"
    variables(instance)
    assert instance.s3.made[0]["CreateBucketConfiguration"] == {"LocationConstraint": "eu-west-1"}
