"""Kendra over HTTP: what needs S3, IAM and time."""

from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError

from millrace.local.instance import Instance
from tests.fakes.deployed import allow, eventually, name, policy, role

pytestmark = pytest.mark.network


@pytest.fixture(scope="module")
def bucket(embedded_aws: Instance) -> str:
    s3, called = embedded_aws.client("s3"), name("documents")
    s3.create_bucket(Bucket=called)
    s3.put_object(Bucket=called, Key="a.json", Body=json.dumps({"text": "How to reset a password"}))
    return called


@pytest.fixture(scope="module")
def index(embedded_aws: Instance) -> str:
    kendra = embedded_aws.client("kendra")
    created = kendra.create_index(Name="docs", RoleArn=role(embedded_aws, "kendra"))["Id"]
    eventually(lambda: kendra.describe_index(Id=created)["Status"] == "ACTIVE")
    return created


def settled(aws: Instance, index: str, document_id: str) -> dict:
    kendra = aws.client("kendra")

    def ask():
        request = {"IndexId": index, "DocumentInfoList": [{"DocumentId": document_id}]}
        (status,) = kendra.batch_get_document_status(**request)["DocumentStatusList"]
        return None if status["DocumentStatus"] == "PROCESSING" else status

    return eventually(ask)


def put(aws: Instance, index: str, bucket: str, document_id: str, reader: str) -> dict:
    document = {"Id": document_id, "S3Path": {"Bucket": bucket, "Key": "a.json"}}
    aws.client("kendra").batch_put_document(IndexId=index, RoleArn=reader, Documents=[document])
    return settled(aws, index, document_id)


def test_a_document_goes_from_the_bucket_into_an_answer(embedded_aws: Instance, index, bucket):
    reader = role(embedded_aws, "kendra", allow("s3:GetObject", on=f"arn:aws:s3:::{bucket}/*"))
    assert put(embedded_aws, index, bucket, "a", reader)["DocumentStatus"] == "INDEXED"
    answer = embedded_aws.client("kendra").query(IndexId=index, QueryText="resetting passwords")
    assert [item["DocumentId"] for item in answer["ResultItems"]] == ["a"]


def test_kendra_reads_with_the_role_of_the_request_and_nothing_more(embedded_aws: Instance, index, bucket):
    reader = role(embedded_aws, "kendra", allow("s3:GetObject", on="arn:aws:s3:::another/*"))
    status = put(embedded_aws, index, bucket, "denied", reader)
    assert status["DocumentStatus"] == "FAILED"
    assert status["FailureCode"] == "AccessDenied"
    assert "s3:GetObject" in status["FailureReason"]


def test_a_role_that_does_not_trust_kendra_is_not_used(embedded_aws: Instance, index, bucket):
    reader = role(embedded_aws, "lambda", allow("s3:GetObject"))
    assert "does not trust kendra" in put(embedded_aws, index, bucket, "distrust", reader)["FailureReason"]


def test_a_trust_policys_conditions_hold(embedded_aws: Instance, index, bucket):
    def reader(account: str) -> str:
        condition = {
            "StringEquals": {"aws:SourceAccount": account},
            "ArnLike": {"aws:SourceArn": f"arn:aws:kendra:*:{account}:index/*"},
        }
        return role(embedded_aws, "kendra", allow("s3:GetObject"), condition=condition)

    right, wrong = reader(embedded_aws.account), reader("999999999999")
    assert put(embedded_aws, index, bucket, "right", right)["DocumentStatus"] == "INDEXED"
    assert "does not trust" in put(embedded_aws, index, bucket, "wrong", wrong)["FailureReason"]


def test_a_bucket_policy_that_denies_kendra_holds(embedded_aws: Instance, index):
    s3, called = embedded_aws.client("s3"), name("locked")
    s3.create_bucket(Bucket=called)
    s3.put_object(Bucket=called, Key="a.json", Body=b'{"a": "words"}')
    reader = role(embedded_aws, "kendra", allow("s3:GetObject"))
    tls_only = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [f"arn:aws:s3:::{called}", f"arn:aws:s3:::{called}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    s3.put_bucket_policy(Bucket=called, Policy=policy(tls_only))
    assert put(embedded_aws, index, called, "tls", reader)["DocumentStatus"] == "INDEXED"
    nobody = {"Effect": "Deny", "Principal": {"AWS": reader}, "Action": "s3:GetObject"}
    nobody["Resource"] = f"arn:aws:s3:::{called}/*"
    s3.put_bucket_policy(Bucket=called, Policy=policy(nobody))
    assert put(embedded_aws, index, called, "nobody", reader)["FailureCode"] == "AccessDenied"


def test_an_index_is_called_only_by_who_may(embedded_aws: Instance, index):
    arn = f"arn:aws:kendra:{embedded_aws.region}:{embedded_aws.account}:index/{index}"
    caller = role(embedded_aws, "lambda", allow("kendra:Query", on=arn), condition=None)
    trust = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
    embedded_aws.client("iam").update_assume_role_policy(
        RoleName=caller.rsplit("/", 1)[-1], PolicyDocument=policy(trust)
    )
    client = embedded_aws.client("kendra", role=caller)
    client.query(IndexId=index, QueryText="password")
    with pytest.raises(ClientError, match="AccessDenied"):
        client.batch_delete_document(IndexId=index, DocumentIdList=["a"])


def test_throttled_calls_are_counted(embedded_aws: Instance, index):
    kendra = embedded_aws.client("kendra")
    embedded_aws.set_kendra_pace(requests_per_second=1)
    try:
        codes = []
        for _ in range(4):
            try:
                kendra.batch_delete_document(IndexId=index, DocumentIdList=["nothing"])
            except ClientError as error:
                codes.append(error.response["Error"]["Code"])
    finally:
        embedded_aws.set_kendra_pace(requests_per_second=1000)
    assert "ThrottlingException" in codes
    counts = embedded_aws.kendra_statistics()["indices"][index]["BatchDeleteDocument"]
    assert counts["throttled"] == len(codes)
