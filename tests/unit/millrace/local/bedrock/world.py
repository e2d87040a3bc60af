"""Knowledge bases with a clock of their own: nothing waits, nothing is read from anywhere."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from millrace.local.bedrock import Bedrock, Pace
from millrace.local.bedrock.indexing import Indexer
from millrace.local.bedrock.ingestion import Ingestion
from millrace.local.bedrock.store import KnowledgeBase, Store
from millrace.local.emulated import ApiError
from millrace.local.search.reading import Stored
from millrace.local.search.text import Unindexable

ACCOUNT = "123456789012"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/reader"
MODEL = "arn:aws:bedrock:us-east-1::foundation-model/amazon.titan-embed-text-v2:0"
VECTOR = {"type": "VECTOR", "vectorKnowledgeBaseConfiguration": {"embeddingModelArn": MODEL}}
STORAGE = {
    "type": "OPENSEARCH_SERVERLESS",
    "opensearchServerlessConfiguration": {
        "collectionArn": f"arn:aws:aoss:us-east-1:{ACCOUNT}:collection/abcdefghij0123456789",
        "vectorIndexName": "index",
        "fieldMapping": {"vectorField": "vector", "textField": "text", "metadataField": "metadata"},
    },
}
TOKEN = "t" * 33
BUCKET = "documents"


class Objects:
    """S3, as a knowledge base sees it: what is there, and what may not be read (the empty key: not be listed).

    `asked` are the keys that were read, in order."""

    def __init__(self) -> None:
        self.content: dict[str, bytes] = {}
        self.denied: set[str] = set()
        self.asked: list[str] = []

    def check_readable(self, bucket: str, key: str, role_arn: str, source_arn: str) -> None:
        self.asked.append(key)
        assert role_arn == ROLE
        assert ":knowledge-base/" in source_arn
        if key in self.denied:
            raise Unindexable(f"Access to s3://{bucket}/{key} is denied", "AccessDenied")

    def listing(self, bucket: str, prefix: str, role_arn: str, source_arn: str) -> list[Stored]:
        self.check_readable(bucket, "", role_arn, source_arn)
        if bucket != BUCKET:
            raise Unindexable(f"The bucket {bucket} does not exist", "NoSuchBucket")
        return [
            Stored(key, {"etag": f'"{etag(content)}"', "body": content})
            for key, content in self.content.items()
            if key.startswith(prefix)
        ]

    def read(self, bucket: str, key: str, role_arn: str, source_arn: str) -> bytes:
        self.check_readable(bucket, key, role_arn, source_arn)
        if key not in self.content:
            raise Unindexable(f"The object s3://{bucket}/{key} does not exist", "NoSuchKey")
        return self.content[key]


class World:
    """Emulated knowledge bases, one of them with a data source of each type, and the time."""

    def __init__(self, folder: Path) -> None:
        self.now = 1_000_000.0
        self.region = "us-east-1"
        self.store = Store(folder / "bedrock.sqlite")
        self.objects = Objects()
        self.indexer = Indexer(self.store, self.objects, arn, ACCOUNT)
        self.ingestion = Ingestion(self.store, self.objects, arn, ACCOUNT)
        self.woken = 0
        self.bedrock = Bedrock(
            self.store,
            Pace(
                requests_per_second=1000,
                indexing_seconds=5,
                creating_seconds=60,
                ingestion_seconds=100,
                ingestion_starts_per_second=1000,
                ingestion_reads_per_second=1000,
                invocations_per_second=1000,
            ),
            self.ingestion,
            clock=lambda: self.now,
            ticks=lambda: self.now,
            scope=lambda: (self.region, ACCOUNT),
            wake=lambda: None,
            wake_ingestion=self._count_wake,
        )
        self.agent = self.bedrock.agent()
        self.runtime = self.bedrock.agent_runtime()
        self.base = self.create_base("docs")["knowledgeBaseId"]
        self.now += 60
        self.custom = self.create_source("custom", {"type": "CUSTOM"})["dataSourceId"]
        bucket = {"type": "S3", "s3Configuration": {"bucketArn": f"arn:aws:s3:::{BUCKET}"}}
        self.bucket = self.create_source("bucket", bucket)["dataSourceId"]

    def _count_wake(self) -> None:
        self.woken += 1

    def call(self, operation: str, **request: Any) -> dict[str, Any]:
        return self.agent.perform(operation, json.loads(json.dumps(request)))

    def refusal(self, operation: str, **request: Any) -> ApiError:
        with pytest.raises(ApiError) as raised:
            self.call(operation, **request)
        return raised.value

    def create_base(self, name: str, **more: Any) -> dict[str, Any]:
        request = {
            "name": name,
            "roleArn": ROLE,
            "knowledgeBaseConfiguration": VECTOR,
            "storageConfiguration": STORAGE,
            **more,
        }
        return self.call("CreateKnowledgeBase", **request)["knowledgeBase"]

    def create_source(self, name: str, configuration: dict[str, Any], **more: Any) -> dict[str, Any]:
        request = {"knowledgeBaseId": self.base, "name": name, "dataSourceConfiguration": configuration, **more}
        return self.call("CreateDataSource", **request)["dataSource"]

    def ingest(self, *documents: dict[str, Any], **more: Any) -> list[dict[str, Any]]:
        request = {"knowledgeBaseId": self.base, "dataSourceId": self.custom, "documents": list(documents), **more}
        return self.call("IngestKnowledgeBaseDocuments", **request)["documentDetails"]

    def delete(self, *ids: str, **more: Any) -> list[dict[str, Any]]:
        request = {
            "knowledgeBaseId": self.base,
            "dataSourceId": self.custom,
            "documentIdentifiers": [{"dataSourceType": "CUSTOM", "custom": {"id": one}} for one in ids],
            **more,
        }
        return self.call("DeleteKnowledgeBaseDocuments", **request)["documentDetails"]

    def settle(self) -> None:
        self.now += 5
        while self.indexer.run_due(self.now):
            pass

    def work(self) -> None:
        """Let the ingestion jobs do all that is due."""
        while self.ingestion.run_due(self.now):
            pass

    def detail(self, document_id: str) -> dict[str, Any]:
        request = {
            "knowledgeBaseId": self.base,
            "dataSourceId": self.custom,
            "documentIdentifiers": [{"dataSourceType": "CUSTOM", "custom": {"id": document_id}}],
        }
        (detail,) = self.call("GetKnowledgeBaseDocuments", **request)["documentDetails"]
        assert detail["identifier"] == request["documentIdentifiers"][0]
        return detail

    def status(self, document_id: str) -> str:
        return self.detail(document_id)["status"]

    def retrieve(self, text: str, user: str | None = None, **search: Any) -> list[dict[str, Any]]:
        request: dict[str, Any] = {
            "knowledgeBaseId": self.base,
            "retrievalQuery": {"text": text},
            "retrievalConfiguration": {"vectorSearchConfiguration": search},
        }
        if user is not None:
            request["userContext"] = {"userId": user}
        return self.runtime.perform("Retrieve", request)["retrievalResults"]

    def find(self, text: str, user: str | None = None, **search: Any) -> list[str]:
        found = self.retrieve(text, user, **search)
        return [result["location"]["customDocumentLocation"]["id"] for result in found]


def arn(base: KnowledgeBase) -> str:
    return f"arn:aws:bedrock:{base.region}:{ACCOUNT}:knowledge-base/{base.id}"


def etag(content: bytes) -> str:
    return hashlib.md5(content).hexdigest()
