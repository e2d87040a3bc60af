"""S3's events with all the fields that S3 documents for EventBridge, sent by a few threads that stay.

MiniStack leaves out the version of the object, gives the size of a deleted one, and starts a thread for each event, for
which the whole server waits: a third of what an upload cost.
"""

from __future__ import annotations

import contextvars
import functools
import json
import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from millrace.local.anchors import patch

SOURCE = "aws.s3"
EVENTS_AT_ONCE = 8
log = logging.getLogger(__name__)
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


def log_failure(sent: Future[None]) -> None:
    if error := sent.exception():
        log.error("an S3 event was not delivered", exc_info=error)


def install() -> None:
    from ministack.services import eventbridge, s3

    def remembering(original: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(original)
        def fire(*arguments: Any, **named: Any) -> None:
            _version.set(named.get("version_id"))
            original(*arguments, **named)

        return fire

    def by_threads_that_stay(original: Callable[..., None]) -> Callable[..., None]:
        threads = ThreadPoolExecutor(EVENTS_AT_ONCE, thread_name_prefix="s3-events")

        @functools.wraps(original)
        def fire_async(bucket_name: str, key: str, event_name: str, **about: Any) -> None:
            if bucket_name not in s3._bucket_notifications:
                return
            about["sequencer"] = s3._next_event_sequencer(event_name)
            scope = contextvars.copy_context()
            fire = functools.partial(s3._fire_s3_event, bucket_name, key, event_name, **about)
            sent = threads.submit(scope.run, fire)
            sent.add_done_callback(log_failure)

        return fire_async

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
    patch(
        s3,
        "_fire_s3_event_async",
        by_threads_that_stay,
        "if bucket_name not in _bucket_notifications:",
        "sequencer = _next_event_sequencer(event_name)",
        "args=(_fire_s3_event, bucket_name, key, event_name, size, etag, deletion_type),",
        '"sequencer": sequencer,',
    )
    patch(eventbridge, "_dispatch_event", completing, "def _dispatch_event(event, view=None):")
