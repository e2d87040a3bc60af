"""What SQS asks of a caller under another name than MiniStack does: a batch needs the right to do it one by one."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from millrace.local.anchors import patch

Extract = Callable[..., str | None]

ASKED_AS = {
    "sqs:ChangeMessageVisibilityBatch": "sqs:ChangeMessageVisibility",
    "sqs:DeleteMessageBatch": "sqs:DeleteMessage",
    "sqs:SendMessageBatch": "sqs:SendMessage",
}
"""There are no permissions for the batch operations (developer guide, "Amazon SQS API permissions")."""


def install() -> None:
    from ministack.core import iam_actions

    def by_its_own_name(original: Extract) -> Extract:
        @functools.wraps(original)
        def extract_iam_action(*request: Any) -> str | None:
            action = original(*request)
            return ASKED_AS.get(action, action) if action else None

        return extract_iam_action

    patch(
        iam_actions,
        "extract_iam_action",
        by_its_own_name,
        "def extract_iam_action(service: str, method: str, path: str,",
    )
