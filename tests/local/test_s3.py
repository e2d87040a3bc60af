"""What Millrace relies on in S3: conditional writes, copies and deletes, and TLS-only buckets."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError

from millrace.local.instance import Instance
from tests.fakes.deployed import allow, name, policy, role

pytestmark = pytest.mark.network

WRONG = '"00000000000000000000000000000000"'


@pytest.fixture
def bucket(embedded_aws: Instance) -> str:
    called = name("bucket")
    embedded_aws.client("s3").create_bucket(Bucket=called)
    return called


def code_of(raised: pytest.ExceptionInfo[ClientError]) -> str:
    return raised.value.response["Error"]["Code"]


def test_a_delete_happens_only_to_the_object_that_was_meant(embedded_aws: Instance, bucket):
    s3 = embedded_aws.client("s3")
    etag = s3.put_object(Bucket=bucket, Key="k", Body=b"1")["ETag"]
    with pytest.raises(ClientError) as raised:
        s3.delete_object(Bucket=bucket, Key="k", IfMatch=WRONG)
    assert code_of(raised) == "PreconditionFailed"
    s3.head_object(Bucket=bucket, Key="k")
    s3.delete_object(Bucket=bucket, Key="k", IfMatch=etag)
    with pytest.raises(ClientError, match="404"):
        s3.head_object(Bucket=bucket, Key="k")


def test_a_copy_happens_only_from_the_object_that_was_meant(embedded_aws: Instance, bucket):
    s3 = embedded_aws.client("s3")
    etag = s3.put_object(Bucket=bucket, Key="k", Body=b"1")["ETag"]
    source = {"Bucket": bucket, "Key": "k"}
    with pytest.raises(ClientError) as raised:
        s3.copy_object(Bucket=bucket, Key="copy", CopySource=source, CopySourceIfMatch=WRONG)
    assert code_of(raised) == "PreconditionFailed"
    s3.copy_object(Bucket=bucket, Key="copy", CopySource=source, CopySourceIfMatch=etag)
    assert s3.get_object(Bucket=bucket, Key="copy")["Body"].read() == b"1"


def test_a_write_can_be_the_first_or_not_at_all(embedded_aws: Instance, bucket):
    s3 = embedded_aws.client("s3")
    s3.put_object(Bucket=bucket, Key="k", Body=b"1", IfNoneMatch="*")
    with pytest.raises(ClientError) as raised:
        s3.put_object(Bucket=bucket, Key="k", Body=b"2", IfNoneMatch="*")
    assert code_of(raised) == "PreconditionFailed"


def test_a_bucket_that_demands_tls_can_be_used(embedded_aws: Instance, bucket):
    s3 = embedded_aws.client("s3")
    statement = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    s3.put_bucket_policy(Bucket=bucket, Policy=policy(statement))
    s3.put_object(Bucket=bucket, Key="k", Body=b"1")


def test_of_writers_at_the_same_time_one_is_the_first(embedded_aws: Instance, bucket):
    s3 = embedded_aws.client("s3")

    def write(body: int) -> tuple[int, str | None]:
        try:
            s3.put_object(Bucket=bucket, Key="plan.json", Body=str(body).encode(), IfNoneMatch="*")
        except ClientError as error:
            return body, f"{error.response['ResponseMetadata']['HTTPStatusCode']} {error.response['Error']['Code']}"
        return body, None

    with ThreadPoolExecutor(8) as pool:
        written = dict(pool.map(write, range(32)))
    (first,) = [body for body, refusal in written.items() if refusal is None]
    assert {refusal for body, refusal in written.items() if body != first} == {"412 PreconditionFailed"}
    assert s3.get_object(Bucket=bucket, Key="plan.json")["Body"].read() == str(first).encode()


def test_an_object_is_written_with_its_tags_by_who_may_tag(embedded_aws: Instance, bucket):
    objects = f"arn:aws:s3:::{bucket}/*"
    both = role(embedded_aws, "lambda", allow("s3:PutObject", "s3:PutObjectTagging", on=objects))
    tagged = {"Bucket": bucket, "Key": "k", "Body": b"1", "Tagging": "millrace=part"}
    embedded_aws.client("s3", role=both).put_object(**tagged)
    told = embedded_aws.client("s3").get_object_tagging(Bucket=bucket, Key="k")["TagSet"]
    assert told == [{"Key": "millrace", "Value": "part"}]
    only_writes = embedded_aws.client("s3", role=role(embedded_aws, "lambda", allow("s3:PutObject", on=objects)))
    with pytest.raises(ClientError) as raised:
        only_writes.put_object(**tagged)
    assert code_of(raised) == "AccessDenied"
    only_writes.put_object(Bucket=bucket, Key="k", Body=b"2")
    denied = [call for call in embedded_aws.calls() if call["action"] == "s3:PutObjectTagging" and not call["allowed"]]
    assert [call["resource"] for call in denied] == [f"arn:aws:s3:::{bucket}/k"]


@pytest.mark.parametrize(
    "chosen",
    [
        {"Tag": {"Key": "millrace", "Value": "part"}},
        {"And": {"Prefix": "_reports/", "Tags": [{"Key": "millrace", "Value": "part"}]}},
    ],
    ids=["tag", "prefix and tag"],
)
def test_a_lifecycle_rule_may_choose_by_tag(embedded_aws: Instance, bucket, chosen):
    s3 = embedded_aws.client("s3")
    rule = {"ID": "parts", "Status": "Enabled", "Filter": chosen, "Expiration": {"Days": 30}}
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": [rule]})
    (told,) = s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    said = told.pop("Filter")
    assert {**told, "Filter": chosen} == rule
    assert said.get("And", said).items() >= chosen.get("And", chosen).items()
