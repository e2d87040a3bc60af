"""What lies under a prefix of a bucket."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from shared.store_errors import ask_for_all


def listed(client: Any, bucket: str, prefix: str) -> Iterator[Mapping[str, Any]]:
    """The objects under a prefix, as ListObjectsV2 tells of them, in the order of keys. Raises StoreUnavailable."""
    asked: dict[str, Any] = {"Bucket": bucket, "Prefix": prefix}
    while True:
        reply = ask_for_all(f"the bucket {bucket}", client.list_objects_v2, **asked)
        yield from reply.get("Contents", [])
        if not reply["IsTruncated"]:
            return
        asked["ContinuationToken"] = reply["NextContinuationToken"]
