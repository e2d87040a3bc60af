from __future__ import annotations

import datetime as dt
import io
from typing import Any

import pytest

from millrace.local.states.integrations import service_model
from millrace.local.states.naming import client_name, exception_name, member_name, pascal_case
from millrace.local.states.shapes import UnknownParameter, names, to_answer, to_request

SDK, OPTIMIZED = names(sdk=True), names(sdk=False)


def request(service: str, operation: str, parameters: dict[str, Any], name: Any = SDK) -> Any:
    return to_request(parameters, service_model(service).operation_model(operation).input_shape, name)


def answer(service: str, operation: str, said: dict[str, Any], name: Any = SDK) -> Any:
    return to_answer(said, service_model(service).operation_model(operation).output_shape, name)


@pytest.mark.parametrize(
    ("name", "pascal"),
    [
        ("DynamoDB", "DynamoDb"),
        ("SSEKMSKeyId", "SsekmsKeyId"),
        ("ETag", "ETag"),
        ("executionArn", "ExecutionArn"),
        ("S3Path", "S3Path"),
        ("MD5OfMessageBody", "Md5OfMessageBody"),
        ("CloudWatch Logs", "CloudWatchLogs"),
    ],
)
def test_names_are_those_of_the_java_sdk(name: str, pascal: str) -> None:
    assert pascal_case(name) == pascal


def test_a_word_of_java_is_cut() -> None:
    assert (member_name("NULL"), member_name("BOOL")) == ("Nul", "Bool")


@pytest.mark.parametrize(
    ("service_id", "client"),
    [("SFN", "Sfn"), ("Application Discovery Service", "ApplicationDiscovery"), ("kendra", "Kendra")],
)
def test_a_client_is_named_as_in_the_java_sdk(service_id: str, client: str) -> None:
    assert client_name(service_id) == client


def test_an_exception_ends_in_exception() -> None:
    assert exception_name("NoSuchKey") == "NoSuchKeyException"
    assert exception_name("ClusterNotFoundFault") == "ClusterNotFoundException"


def test_parameters_reach_botocore_under_its_names() -> None:
    given = {"IndexId": "i", "Documents": [{"Id": "d", "S3Path": {"Bucket": "b", "Key": "k"}}]}
    assert request("kendra", "BatchPutDocument", given) == given
    assert request("stepfunctions", "DescribeExecution", {"ExecutionArn": "a"}) == {"executionArn": "a"}


def test_a_map_keeps_its_keys() -> None:
    given = {"TableName": "t", "Key": {"jobId": {"S": "a"}}}
    assert request("dynamodb", "GetItem", given) == given


def test_attribute_values_have_their_sdk_names() -> None:
    item = {"flag": {"BOOL": True}, "none": {"NULL": True}, "set": {"SS": ["a"]}}
    assert answer("dynamodb", "GetItem", {"Item": item}) == {
        "Item": {"flag": {"Bool": True}, "none": {"Nul": True}, "set": {"Ss": ["a"]}}
    }
    assert answer("dynamodb", "GetItem", {"Item": item}, OPTIMIZED) == {"Item": item}
    sdk_item = {"flag": {"Bool": True}, "none": {"Nul": True}}
    assert request("dynamodb", "PutItem", {"TableName": "t", "Item": sdk_item})["Item"] == {
        "flag": {"BOOL": True},
        "none": {"NULL": True},
    }


def test_a_parameter_that_is_not_the_operations_is_named() -> None:
    with pytest.raises(UnknownParameter, match=r"Parameters\.Documents\[0\]\.Ident is not supported"):
        request("kendra", "BatchPutDocument", {"IndexId": "i", "Documents": [{"Ident": "d"}]})


def test_json_goes_to_a_string_or_blob_as_text() -> None:
    assert request("sns", "Publish", {"Message": {"a": "é"}}, OPTIMIZED) == {"Message": '{"a":"é"}'}
    assert request("s3", "PutObject", {"Bucket": "b", "Key": "k", "Body": {"a": 1}})["Body"] == b'{"a":1}'


def test_a_stream_is_text_and_a_time_is_iso() -> None:
    said = {"Body": io.BytesIO(b"text"), "LastModified": dt.datetime(2026, 1, 2, 3, 4, 5, 250_000, tzinfo=dt.UTC)}
    assert answer("s3", "GetObject", said) == {"Body": "text", "LastModified": "2026-01-02T03:04:05.250Z"}


def test_a_blob_that_is_no_text_is_base64() -> None:
    assert answer("s3", "GetObject", {"Body": io.BytesIO(b"\xff\x00")}) == {"Body": "/wA="}


def test_what_has_no_value_is_left_out() -> None:
    assert answer("dynamodb", "GetItem", {"Item": None}) == {}
