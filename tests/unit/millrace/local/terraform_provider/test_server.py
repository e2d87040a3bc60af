from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tf.gen import tfplugin_pb2 as pb

from millrace.local.terraform_provider import schema, server
from millrace.local.terraform_provider.server import Provider
from millrace.local.terraform_provider.wire import UNKNOWN, encode

HERE = Path()
EMBEDDED = {
    "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_REGION": "eu-west-1",
}


def null(block: schema.Block, **values: Any) -> pb.DynamicValue:
    empty = dict.fromkeys(schema.attributes(block)) | {name: [] for name in schema.blocks(block)}
    return encode(empty | values)


def configure(provider: Provider, **values: Any) -> list[str]:
    config = null(schema.load()["provider"]["block"], **values)
    answer = provider.ConfigureProvider(pb.ConfigureProvider.Request(config=config), None)
    return [diagnostic.summary for diagnostic in answer.diagnostics]


def plan_topic(provider: Provider) -> list[str]:
    config = null(schema.resource_block("aws_sns_topic"), name="n")
    request = pb.PlanResourceChange.Request(
        type_name="aws_sns_topic", prior_state=encode(None), proposed_new_state=config, config=config
    )
    return [diagnostic.summary for diagnostic in provider.PlanResourceChange(request, None).diagnostics]


def test_without_an_endpoint_nothing_is_configured_so_no_real_account_is_ever_reached() -> None:
    (said,) = configure(Provider({**EMBEDDED, "AWS_ENDPOINT_URL": ""}, HERE))
    assert "AWS_ENDPOINT_URL is not set" in said


def test_a_region_that_is_not_known_yet_is_refused() -> None:
    (said,) = configure(Provider(EMBEDDED, HERE), region=UNKNOWN)
    assert "must be known" in said


def test_the_region_of_the_environment_holds_where_the_configuration_names_none() -> None:
    provider = Provider(EMBEDDED, HERE)
    assert configure(provider) == []
    assert plan_topic(provider) == []


def test_a_plan_before_the_provider_is_configured_is_an_error_not_a_crash() -> None:
    assert plan_topic(Provider(EMBEDDED, HERE)) == [
        "aws_sns_topic: asked for a resource before the provider was configured"
    ]


def test_a_fault_of_our_own_reaches_the_person_with_its_name(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    provider = Provider(EMBEDDED, HERE)
    configure(provider)

    def broken(_name: str) -> Any:
        raise ZeroDivisionError("of our own")

    monkeypatch.setattr(server, "resource_type", broken)
    assert plan_topic(provider) == ["aws_sns_topic: ZeroDivisionError"]
    assert "of our own" in caplog.text


def test_a_refusal_points_at_the_argument() -> None:
    provider = Provider(EMBEDDED, HERE)
    configure(provider)
    config = null(schema.resource_block("aws_sns_topic"), name="n", archive_policy="{}")
    request = pb.PlanResourceChange.Request(
        type_name="aws_sns_topic", prior_state=encode(None), proposed_new_state=config, config=config
    )
    (diagnostic,) = provider.PlanResourceChange(request, None).diagnostics
    assert diagnostic.summary == 'aws_sns_topic: the local provider does not send "archive_policy"'
    assert diagnostic.attribute.steps[0].attribute_name == "archive_policy"


def test_nothing_is_imported() -> None:
    request = pb.ImportResourceState.Request(type_name="aws_sns_topic", id="x")
    (diagnostic,) = Provider(EMBEDDED, HERE).ImportResourceState(request, None).diagnostics
    assert "imports nothing" in diagnostic.summary


def test_the_schema_is_sent_whole() -> None:
    message = Provider({}, HERE).GetProviderSchema(pb.GetProviderSchema.Request(), None)
    assert message.resource_schemas.keys() == schema.load()["resource_schemas"].keys()
    rule = message.resource_schemas["aws_s3_bucket_ownership_controls"].block.block_types[0]
    assert (rule.type_name, rule.nesting, rule.min_items, rule.max_items) == ("rule", pb.Schema.NestedBlock.LIST, 1, 1)
    name = next(each for each in message.resource_schemas["aws_sqs_queue"].block.attributes if each.name == "name")
    assert (name.type, name.optional, name.computed, name.required) == (b'"string"', True, True, False)
