"""Embeddings over HTTP: what needs the wire, IAM and time."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from millrace.local.instance import Instance
from tests.fakes.deployed import allow, policy, role

pytestmark = pytest.mark.network

MODEL = "amazon.titan-embed-text-v2:0"
ARN = f"arn:aws:bedrock:us-east-1::foundation-model/{MODEL}"


def embed(client: Any, text: str, **more: Any) -> dict[str, Any]:
    answer = client.invoke_model(modelId=MODEL, body=json.dumps({"inputText": text, **more}))
    assert answer["contentType"] == "application/json"
    return json.loads(answer["body"].read())


def test_a_text_becomes_a_vector(embedded_aws: Instance) -> None:
    client = embedded_aws.client("bedrock-runtime")
    one = embed(client, "Bäckerei 12,50 €", dimensions=512)
    assert len(one["embedding"]) == 512
    assert one["inputTextTokenCount"] == 6
    assert embed(client, "Bäckerei 12,50 €", dimensions=512) == one


def test_errors_arrive_as_the_api_has_them(embedded_aws: Instance) -> None:
    client = embedded_aws.client("bedrock-runtime")
    with pytest.raises(client.exceptions.ValidationException, match=r"Too many input tokens. Max input tokens: 8192"):
        embed(client, "a " * 9_000)
    with pytest.raises(ClientError, match="does not emulate bedrock-runtime Converse"):
        client.converse(modelId=MODEL, messages=[{"role": "user", "content": [{"text": "a"}]}])


def test_a_model_is_invoked_only_by_who_may_and_the_calls_are_on_record(embedded_aws: Instance) -> None:
    trust = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
    codes = []
    for resource in (ARN, ARN.replace("v2", "v1")):
        caller = role(embedded_aws, "lambda", allow("bedrock:InvokeModel", on=resource))
        called = caller.rsplit("/", 1)[-1]
        embedded_aws.client("iam").update_assume_role_policy(RoleName=called, PolicyDocument=policy(trust))
        client = embedded_aws.client("bedrock-runtime", role=caller)
        try:
            embed(client, "TOTAL")
        except client.exceptions.AccessDeniedException:
            codes.append("denied")
        else:
            codes.append("allowed")
        calls = [(it["action"], it["resource"]) for it in embedded_aws.calls() if it["principal"] == called]
        assert calls == [("bedrock:InvokeModel", ARN)]
    assert codes == ["allowed", "denied"]


def test_invocations_are_throttled_and_faults_can_be_ordered(embedded_aws: Instance) -> None:
    client = embedded_aws.client("bedrock-runtime")
    pace = embedded_aws.bedrock_statistics()["pace"]["invocations_per_second"]
    embedded_aws.set_bedrock_pace(invocations_per_second=1)
    try:
        embed(client, "a")
        with pytest.raises(client.exceptions.ThrottlingException) as raised:
            embed(client, "a")
    finally:
        embedded_aws.set_bedrock_pace(invocations_per_second=pace)
    assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == 429
    fault = embedded_aws.order_fault("bedrock:InvokeModel", code="ModelErrorException", status=424)
    try:
        with pytest.raises(client.exceptions.ModelErrorException):
            embed(client, "a")
    finally:
        embedded_aws.forget_fault(fault)
