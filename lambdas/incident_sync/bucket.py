"""The adapter for the bucket: an incident's two objects."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from incident_sync.documents import Document, metadata_key, object_key
from incident_sync.errors import StoreUnavailable
from shared.store_errors import ask

CONTENT_TYPE = "application/json"


class Bucket:
    """S3, as one invocation writes to it. Safe to use from several threads. Both methods raise Refused and
    StoreUnavailable."""

    def __init__(self, client: Any, bucket: str, prefix: str) -> None:
        self._client = client
        self._bucket = bucket
        self._prefix = prefix
        self.in_doubt = False
        """Whether a write was sent and not answered: it may still take effect."""

    def put(self, document: Document) -> str:
        """Write both objects and return the document's key. Metadata first: a job that scans in between must not find a
        document that no filter finds."""
        key = object_key(self._prefix, document.incident_id)
        self._do(self._client.put_object, metadata_key(key), Body=document.metadata, ContentType=CONTENT_TYPE)
        self._do(self._client.put_object, key, Body=document.body, ContentType=CONTENT_TYPE)
        return key

    def remove(self, incident_id: str) -> None:
        """Remove both objects, if they are there, the document first."""
        key = object_key(self._prefix, incident_id)
        self._do(self._client.delete_object, key)
        self._do(self._client.delete_object, metadata_key(key))

    def _do(self, operation: Callable[..., Any], key: str, **parameters: Any) -> None:
        try:
            ask(f"the bucket {self._bucket}", operation, Bucket=self._bucket, Key=key, **parameters)
        except StoreUnavailable as error:
            self.in_doubt = self.in_doubt or is_unanswered(error)
            raise


def is_unanswered(error: StoreUnavailable) -> bool:
    """Whether nobody knows what became of a request."""
    return not isinstance(error.__cause__, ClientError)
