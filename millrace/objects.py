"""An object of S3 that may not be there."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError


def find_object(s3: Any, bucket: str, key: str) -> bytes | None:
    """What lies there; None where nothing does. Whoever may not list the bucket is refused instead (ClientError)."""
    try:
        body: bytes = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchKey":
            raise
        return None
    return body
