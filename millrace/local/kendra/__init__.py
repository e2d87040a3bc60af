"""Kendra, which MiniStack lacks: what Millrace calls of it, on SQLite, with the real API's limits."""

from __future__ import annotations

import functools
import json
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from millrace.local.anchors import hold, patch
from millrace.local.emulated import Emulated, register
from millrace.local.iam import Authority
from millrace.local.kendra.indexing import Indexer
from millrace.local.kendra.service import Kendra, content_of_blob
from millrace.local.kendra.store import Store
from millrace.local.pace import Pace
from millrace.local.search.indexing import Background
from millrace.local.search.reading import EmbeddedS3

__all__ = ["Kendra", "install"]

PRINCIPAL = "kendra.amazonaws.com"


def install(
    substrate: ModuleType, folder: Path, pace: Pace, *, authority: Authority, region: str, account: str
) -> Kendra:
    """Add Kendra to MiniStack; its database is in the folder."""
    from ministack.core import responses

    hold(responses, "get_region")
    store = Store(folder / "kendra.sqlite")

    def arn(index: Any) -> str:
        return f"arn:aws:kendra:{index.region}:{account}:index/{index.id}"

    reader = EmbeddedS3(authority, PRINCIPAL, region, account)
    background = Background(Indexer(store, reader, content_of_blob, arn), time.time, "kendra-indexing")
    kendra = Kendra(
        store,
        pace,
        clock=time.time,
        ticks=time.monotonic,
        scope=lambda: (responses.get_region(), account),
        wake=background.wake,
    )
    register(substrate, "kendra", Emulated("kendra", kendra.operations()), "AWSKendraFrontendService")
    _tell_iam_the_resource()
    return kendra


def _tell_iam_the_resource() -> None:
    """Calls of Kendra concern an index; without this every call would be evaluated on the resource `*`."""
    from ministack.core import iam_actions

    def make(original: Callable[..., str]) -> Callable[..., str]:
        @functools.wraps(original)
        def extract_resource_arn(
            service: str,
            method: str,
            path: str,
            headers: dict[str, str],
            body: bytes,
            query_params: dict[str, Any],
            region: str,
            account_id: str,
        ) -> str:
            if service != "kendra":
                return original(service, method, path, headers, body, query_params, region, account_id)
            return resource_of(body, region, account_id)

        return extract_resource_arn

    patch(
        iam_actions,
        "extract_resource_arn",
        make,
        "def extract_resource_arn(service: str, method: str, path: str,",
        "headers: dict, body: bytes,",
    )


def resource_of(body: bytes, region: str, account: str) -> str:
    """The ARN that a Kendra request is about, `*` for those about none."""
    try:
        request = json.loads(body or b"{}")
    except ValueError:
        return "*"
    if not isinstance(request, dict):
        return "*"
    if isinstance(request.get("ResourceARN"), str):
        return request["ResourceARN"]
    index_id = request.get("IndexId") or request.get("Id")
    return f"arn:aws:kendra:{region}:{account}:index/{index_id}" if isinstance(index_id, str) else "*"
