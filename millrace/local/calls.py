"""Who called which action on which resource, and whether it was allowed: for comparing policies with use.

What is recorded is what the IAM evaluator decided, so an instance that does not enforce IAM records nothing.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from millrace.local.anchors import patch

ROOT = "root"


@dataclass(frozen=True)
class Call:
    """`principal` is a role's name, a user's ARN, or `root`; `action` as IAM spells it (`s3:GetObject`)."""

    principal: str
    action: str
    resource: str
    allowed: bool


class CallLog:
    """Counts equal calls; keeps the order in which each was first seen. Safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[Call, int] = {}

    def add(self, call: Call) -> None:
        with self._lock:
            self._counts[call] = self._counts.get(call, 0) + 1

    def all(self) -> list[dict[str, Any]]:
        """`[{"principal", "action", "resource", "allowed", "count"}]`."""
        with self._lock:
            return [{**asdict(call), "count": count} for call, count in self._counts.items()]

    def clear(self) -> None:
        with self._lock:
            self._counts.clear()


def principal_of(arn: str) -> str:
    """The role's name of a session's ARN (`arn:aws:sts::1:assumed-role/NAME/SESSION`)."""
    if ":assumed-role/" in arn:
        return arn.split("/")[1]
    return ROOT if arn.endswith(":root") or not arn else arn


def record(log: CallLog) -> None:
    """Write every decision of MiniStack's IAM evaluator into the log."""
    from ministack.core import iam_evaluator

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def enforce(
            access_key_id: str,
            iam_action: str,
            service: str,
            region: str,
            resource_arn: str = "*",
            service_context: dict[str, Any] | None = None,
        ) -> Any:
            denied = original(access_key_id, iam_action, service, region, resource_arn, service_context)
            identity = iam_evaluator.resolve_caller_identity(access_key_id) or {}
            principal = principal_of(identity.get("userArn", ""))
            log.add(Call(principal, iam_action, resource_arn, denied is None))
            return denied

        return enforce

    patch(
        iam_evaluator,
        "enforce",
        make,
        "def enforce(access_key_id: str, iam_action: str, service: str,",
        'region: str, resource_arn: str = "*",',
    )
