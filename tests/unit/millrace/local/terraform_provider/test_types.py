"""The tables of facts, held against the schema and botocore's models: a name that is wrong in either is found here."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from millrace.local.terraform_provider import naming, schema
from millrace.local.terraform_provider.aws import operation
from millrace.local.terraform_provider.data_sources import DATA_SOURCES
from millrace.local.terraform_provider.resource import ResourceType
from millrace.local.terraform_provider.types import FAMILIES, TYPES

every_type = pytest.mark.parametrize("kind", TYPES.values(), ids=list(TYPES))

READ_BY_OWN_CODE = {
    "aws_dynamodb_table": {"billing_mode", "server_side_encryption"},
    "aws_lambda_event_source_mapping": {"enabled", "function_name"},
    "aws_lambda_permission": {"action", "principal", "source_account", "source_arn"},
    "aws_s3_bucket_versioning": {"versioning_configuration"},
}
"""Arguments that the answer holds under another name, which the type's own code reads."""


def paths(block: schema.Block, path: str = "") -> Iterator[str]:
    for name in schema.attributes(block):
        yield path + name
    for name, nested in schema.blocks(block).items():
        yield path + name
        yield from paths(nested["block"], f"{path}{name}.")


def test_what_the_schema_describes_is_what_the_provider_can_do() -> None:
    whole = schema.load()
    assert whole["resource_schemas"].keys() == TYPES.keys()
    assert whole["data_source_schemas"].keys() == DATA_SOURCES.keys()


def test_the_list_of_types_is_the_list_that_the_schema_was_made_from() -> None:
    listed = set(schema.TYPES_FILE.read_text("utf-8").split())
    assert listed == TYPES.keys() | {f"data.{name}" for name in DATA_SOURCES}


def test_no_type_stands_in_two_families() -> None:
    assert sum(len(family.TYPES) for family in FAMILIES) == len(TYPES)


@every_type
def test_every_operation_exists(kind: ResourceType) -> None:
    methods = [kind.create, kind.read, kind.update, kind.delete]
    if kind.tagging:
        methods += [kind.tagging.list, kind.tagging.tag, kind.tagging.untag]
    for method in filter(None, methods):
        assert operation(kind.service, method)


@every_type
def test_every_name_in_the_row_is_in_the_schema(kind: ResourceType) -> None:
    known = set(paths(kind.block))
    own = {path.removesuffix(".*") for path in kind.elsewhere | kind.in_place}
    used = {*kind.sent, *kind.answered, *own, *kind.fixed, *kind.cleared, *kind.defaults, *kind.silent, *kind.volatile}
    assert used | set(kind.key.values()) | {kind.invented} - {""} <= known | {""}


@every_type
def test_every_place_is_in_a_request_or_an_answer(kind: ResourceType) -> None:
    for path, place in kind.sent.items():
        if place and "." not in path:
            assert naming.shape_at(kind.body(kind.create), place.split(".")), f"{path} is sent to {place}"
    for path, place in kind.answered.items():
        if place and "." not in path:
            assert naming.shape_at(kind.answer(), place.split(".")), f"{path} is read from {place}"


@every_type
def test_the_members_that_name_the_object_are_in_the_requests(kind: ResourceType) -> None:
    members = {
        name
        for method in (kind.create, kind.read, kind.delete, kind.update)
        if method
        for name in operation(kind.service, method).input_shape.members
    }
    assert kind.key.keys() - {"Id"} <= members


@every_type
def test_every_argument_that_is_sent_can_be_seen_again(kind: ResourceType) -> None:
    places = {**kind.sent, **kind.answered}
    unseen = {
        name
        for name, spec in (*schema.attributes(kind.block).items(), *schema.blocks(kind.block).items())
        if (spec.get("optional") or spec.get("required") or "block" in spec)
        and name not in kind.elsewhere | kind.in_place | set(kind.key.values())
        and naming.place_of(kind.body(kind.create), name, kind.sent)
        and not naming.place_of(kind.answer(), name, places)
    }
    assert unseen == READ_BY_OWN_CODE.get(kind.name, set())


@every_type
def test_a_type_with_tags_can_tag(kind: ResourceType) -> None:
    assert (kind.tagging is not None) == ("tags" in schema.attributes(kind.block))


def test_a_pipes_parameters_are_sent_in_the_services_words() -> None:
    """The embedded AWS keeps none of them, so only botocore's model can say that they are right."""
    pipe = TYPES["aws_pipes_pipe"]
    batches = {"batch_size": 10, "maximum_batching_window_in_seconds": 5}
    arguments = {
        "name": "changes",
        "source_parameters": [
            {"sqs_queue_parameters": [batches], "filter_criteria": [{"filter": [{"pattern": "{}"}]}]},
        ],
        "target_parameters": [
            {
                "input_template": "<$.body>",
                "step_function_state_machine_parameters": [{"invocation_type": "FIRE_AND_FORGET"}],
            }
        ],
    }
    assert list(naming.unsent(pipe.block, arguments, pipe.body(pipe.create), pipe.sent, frozenset({"name"}))) == []
    assert naming.to_request(pipe.block, arguments, pipe.body(pipe.create), pipe.sent) == {
        "Name": "changes",
        "SourceParameters": {
            "SqsQueueParameters": {"BatchSize": 10, "MaximumBatchingWindowInSeconds": 5},
            "FilterCriteria": {"Filters": [{"Pattern": "{}"}]},
        },
        "TargetParameters": {
            "InputTemplate": "<$.body>",
            "StepFunctionStateMachineParameters": {"InvocationType": "FIRE_AND_FORGET"},
        },
    }
