"""S3's events with all the fields that S3 documents for EventBridge.

MiniStack leaves out the version of the object, and gives the size of a deleted one.
"""

from __future__ import annotations

import contextvars
import functools
import json
from collections.abc import Callable
from typing import Any

from millrace.local.anchors import patch

SOURCE = "aws.s3"
_version: contextvars.ContextVar[str | None] = contextvars.ContextVar("version of the object", default=None)


def detail_of(kind: str, detail: dict[str, Any], version: str | None) -> dict[str, Any]:
    """The detail of an event of this detail-type, as documented."""
    described = dict(detail["object"])
    if version:
        described["version-id"] = version
    if kind == "Object Deleted":
        described.pop("size", None)
        described = {name: value for name, value in described.items() if value != ""}
    return {**detail, "object": described}


def install() -> None:
    from ministack.services import eventbridge, s3

    def remembering(original: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(original)
        def fire(*arguments: Any, **named: Any) -> None:
            _version.set(named.get("version_id"))
            original(*arguments, **named)

        return fire

    def completing(original: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(original)
        def dispatch(event: dict[str, Any], view: Any = None) -> None:
            if event.get("Source") == SOURCE:
                detail = detail_of(event["DetailType"], json.loads(event["Detail"]), _version.get())
                event = {**event, "Detail": json.dumps(detail)}
            original(event, view)

        return dispatch

    patch(
        s3,
        "_fire_s3_event",
        remembering,
        "version_id: str | None = None,",
        '"object": {"key": key, "size": size, "etag": clean_etag, "sequencer": sequencer or "0"}',
        "_eb._dispatch_event(eb_event)",
    )
    patch(eventbridge, "_dispatch_event", completing, "def _dispatch_event(event, view=None):")
