"""A data source for kb_sync on an embedded AWS. On AWS bucket, knowledge base and data source are the user's own and no
part of `terraform/`, so a deployment to a laptop makes them before it, once, and finds them again by name."""

from __future__ import annotations

from typing import Any

from millrace.local.instance import Instance
from millrace.local.knowledge_bases import Say, knowledge_base

NAME = "images"
BUCKET = "millrace-data"
PREFIX = "images/"
BASE = "millrace-images"


def variables(instance: Instance, say: Say) -> dict[str, Any]:
    """The variables of `terraform/` that name the source and let its bucket send events."""
    _bucket(instance)
    place = {"bucketArn": f"arn:aws:s3:::{BUCKET}", "inclusionPrefixes": [PREFIX]}
    base, data_source = knowledge_base(instance, BASE, BUCKET, {"type": "S3", "s3Configuration": place}, say)
    source = {"knowledge_base_id": base, "data_source_id": data_source, "bucket": BUCKET, "prefix": PREFIX}
    return {"sync_sources": {NAME: source}, "enable_eventbridge_on_data_buckets": True}


def _bucket(instance: Instance) -> None:
    client = instance.client("s3")
    there = client.list_buckets()["Buckets"]
    if BUCKET not in [bucket["Name"] for bucket in there]:
        # S3 takes us-east-1 as the place where none is named, and refuses it as a name.
        elsewhere = {} if instance.region == "us-east-1" else {"LocationConstraint": instance.region}
        client.create_bucket(Bucket=BUCKET, **({"CreateBucketConfiguration": elsewhere} if elsewhere else {}))
