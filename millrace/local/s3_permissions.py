"""What S3 asks of a caller that MiniStack does not: an object that comes with tags needs the right to tag."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from millrace.local.anchors import patch

Checks = list[tuple[str, str]]


def install() -> None:
    from ministack.core import iam_actions

    def asking_for_tagging(original: Callable[..., Checks]) -> Callable[..., Checks]:
        @functools.wraps(original)
        def additional_checks(
            method: str, path: str, headers: dict[str, str], body: bytes, query_params: dict[str, Any]
        ) -> Checks:
            checks = original(method, path, headers, body, query_params)
            action = iam_actions._s3_action(method, path, query_params)
            if action == "PutObject" and headers.get("x-amz-tagging"):
                checks = [*checks, ("s3:PutObjectTagging", f"arn:aws:s3:::{path.strip('/')}")]
            return checks

        return additional_checks

    patch(
        iam_actions,
        "s3_additional_checks",
        asking_for_tagging,
        "action = _s3_action(method, path, query_params)",
        'if action == "PutObject":',
        'key_arn = f"arn:aws:s3:::{parts[0]}/',
    )
