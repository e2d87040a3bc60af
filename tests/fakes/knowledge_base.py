"""A client of a knowledge base in memory with an S3 data source: jobs that read a bucket as it is, and
GetKnowledgeBaseDocuments. It takes and gives only what the service model knows."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import count
from typing import Any

from tests.fakes.api_model import check_parameters, check_request, checked_answer
from tests.fakes.s3 import client_error

SERVICE, OPERATION = "bedrock-agent", "GetKnowledgeBaseDocuments"
KNOWLEDGE_BASE_ID, DATA_SOURCE_ID = "KB12345678", "DS12345678"
WHERE = {"knowledgeBaseId": KNOWLEDGE_BASE_ID, "dataSourceId": DATA_SOURCE_ID}
SIDECAR = ".metadata.json"


class FakeKnowledgeBase:
    """`failing` gives the (status, reason) that a document's next job ends with, by its uri."""

    def __init__(self) -> None:
        self.documents: dict[str, bytes] = {}
        """What a search finds, by uri."""
        self.failing: dict[str, tuple[str, str | None]] = {}
        self.statuses: dict[str, tuple[str, str | None]] = {}
        self.jobs: dict[str, dict[str, bytes]] = {}
        """What each job has read, by uri."""
        self.requests: list[list[str]] = []
        self.errors: list[str] = []
        self._numbers = count(1)

    def run_job(self, bucket: str, contents: Mapping[str, bytes]) -> dict[str, Any]:
        """Run an ingestion job over a bucket to its end; the job as kb_sync's output has it."""
        job_id = f"JOB{next(self._numbers):07}"
        read = {f"s3://{bucket}/{key}": body for key, body in contents.items() if not key.endswith(SIDECAR)}
        failed = {uri: self.failing.pop(uri) for uri in list(self.failing) if uri in read}
        self.jobs[job_id] = read
        for uri in self.documents.keys() | self.statuses.keys():
            if uri not in read:
                self.documents.pop(uri, None)
                self.statuses.pop(uri, None)
        for uri, body in read.items():
            self.statuses[uri] = failed.get(uri, ("INDEXED", None))
            if uri not in failed:
                self.documents[uri] = body
        statistics = {"NumberOfDocumentsScanned": len(read), "NumberOfDocumentsFailed": len(failed)}
        result = {"IngestionJobId": job_id, "Status": "COMPLETE", "Statistics": statistics, "FailureReasons": []}
        return {"id": job_id, "covers": 1, "result": result}

    def get_knowledge_base_documents(self, **parameters: Any) -> dict[str, Any]:
        check_parameters(SERVICE, OPERATION, parameters)
        if self.errors:
            raise client_error(OPERATION, self.errors.pop(0), "for the test")
        check_request(SERVICE, OPERATION, parameters)
        if {name: parameters[name] for name in WHERE} != WHERE:
            raise client_error(OPERATION, "ResourceNotFoundException", "no such data source", status=404)
        uris = [item["s3"]["uri"] for item in parameters["documentIdentifiers"]]
        self.requests.append(uris)
        details = [_detail(uri, *self.statuses.get(uri, ("NOT_FOUND", None))) for uri in uris]
        return checked_answer(SERVICE, OPERATION, {"documentDetails": details})


def _detail(uri: str, status: str, reason: str | None) -> dict[str, Any]:
    detail: dict[str, Any] = {**WHERE, "identifier": {"dataSourceType": "S3", "s3": {"uri": uri}}, "status": status}
    return detail if reason is None else detail | {"statusReason": reason}
