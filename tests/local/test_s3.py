"""What Millrace relies on in S3: conditional writes, copies and deletes, and TLS-only buckets."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from millrace.local.instance import Instance
from tests.fakes.deployed import name, policy

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
