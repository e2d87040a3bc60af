"""The adapter for the knowledge base: what became of documents."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from incident_sync.documents import object_key
from shared.batching import cut
from shared.clock import Clock
from shared.store_errors import ask_for_all

AT_ONCE = 10
"""Documents of one GetKnowledgeBaseDocuments (API model)."""

SECONDS_BETWEEN_REQUESTS = 0.2
"""GetKnowledgeBaseDocuments has five requests a second (Bedrock quotas), and other workflows ask as well."""

NOT_FOUND = "NOT_FOUND"


class Status(NamedTuple):
    """What Bedrock says of a document: one of its DocumentStatus, and why."""

    name: str
    reason: str | None = None


class KnowledgeBase:
    """One S3 data source of one knowledge base."""

    def __init__(
        self, client: Any, *, knowledge_base_id: str, data_source_id: str, bucket: str, prefix: str, clock: Clock
    ) -> None:
        self._client = client
        self._where = {"knowledgeBaseId": knowledge_base_id, "dataSourceId": data_source_id}
        self._bucket = bucket
        self._prefix = prefix
        self._clock = clock

    def statuses(self, incident_ids: Iterable[str]) -> dict[str, Status]:
        """What became of each incident's document; NOT_FOUND where Bedrock says nothing. Raises StoreUnavailable."""
        ids = {self._uri(incident_id): incident_id for incident_id in incident_ids}
        found = {incident_id: Status(NOT_FOUND) for incident_id in ids.values()}
        for number, uris in enumerate(cut(ids, AT_ONCE)):
            if number:
                self._clock.sleep(SECONDS_BETWEEN_REQUESTS)
            reply = ask_for_all(
                "the knowledge base",
                self._client.get_knowledge_base_documents,
                **self._where,
                documentIdentifiers=[{"dataSourceType": "S3", "s3": {"uri": uri}} for uri in uris],
            )
            for detail in reply.get("documentDetails", []):
                uri = detail["identifier"].get("s3", {}).get("uri")
                if uri in ids:
                    found[ids[uri]] = Status(detail["status"], detail.get("statusReason"))
        return found

    def _uri(self, incident_id: str) -> str:
        return f"s3://{self._bucket}/{object_key(self._prefix, incident_id)}"
