"""Data sources for kb_sync and incident_sync on an embedded AWS. On AWS bucket, knowledge base and data source are the
user's own and no part of `terraform/`, so a deployment to a laptop makes them before it, once, and finds them again by
name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from millrace.deployment import SyncSource
from millrace.local.instance import Instance
from millrace.local.knowledge_bases import Say, knowledge_base

NAME = "images"
INCIDENTS = "incidents"
BUCKET = "millrace-data"


def variables(instance: Instance, say: Say) -> dict[str, Any]:
    """The variables of `terraform/` that name the source and let its bucket send events."""
    _bucket(instance)
    return variables_of([made(instance, NAME, BUCKET, base=f"millrace-{NAME}", say=say)])


def with_incidents(instance: Instance, sources: Mapping[str, Any], say: Say) -> dict[str, Any]:
    """The variables that name these sources and one for the incidents: its only writer is incident_sync, which asks for
    syncs by itself, so the objects' events ask for none."""
    _bucket(instance)
    named = variables_of([made(instance, INCIDENTS, BUCKET, base=f"millrace-{INCIDENTS}", say=say)])
    own = {**named["sync_sources"][INCIDENTS], "events": False}
    return {"sync_sources": {**sources, INCIDENTS: own}, "incident_source": INCIDENTS}


def made(instance: Instance, name: str, bucket: str, *, base: str, say: Say = lambda _line: None) -> SyncSource:
    """A source that reads the bucket's folder of its name into the knowledge base that is called `base`."""
    prefix = f"{name}/"
    ids = knowledge_base(instance, base, bucket, folder_of(bucket, prefix), say)
    return SyncSource(name, *ids, bucket, prefix)


def folder_of(bucket: str, prefix: str) -> dict[str, Any]:
    """The configuration of a data source that reads what is under the prefix."""
    place = {"bucketArn": f"arn:aws:s3:::{bucket}", "inclusionPrefixes": [prefix]}
    return {"type": "S3", "s3Configuration": place}


def variables_of(sources: Iterable[SyncSource]) -> dict[str, Any]:
    """The variables of `terraform/` that name these sources and let their buckets send events."""
    named = {source.name: asdict(source) for source in sources}
    for settings in named.values():
        del settings["name"]
    return {"sync_sources": named, "enable_eventbridge_on_data_buckets": True}


def _bucket(instance: Instance) -> None:
    client = instance.client("s3")
    there = client.list_buckets()["Buckets"]
    if BUCKET not in [bucket["Name"] for bucket in there]:
        # S3 takes us-east-1 as the place where none is named, and refuses it as a name.
        elsewhere = {} if instance.region == "us-east-1" else {"LocationConstraint": instance.region}
        client.create_bucket(Bucket=BUCKET, **({"CreateBucketConfiguration": elsewhere} if elsewhere else {}))
