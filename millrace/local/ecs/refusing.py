"""What a request asks for that the embedded AWS does not do is refused by name, never left out."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from millrace.local.wire import ApiError

NAME = re.compile(r"[A-Za-z0-9_-]{1,255}")


def check_name(name: str, what: str) -> None:
    """Raise ApiError for a name that AWS does not take for a `what`: `Family`, `Cluster name`."""
    if not NAME.fullmatch(name):
        raise ApiError("InvalidParameterException", f"{what} contains invalid characters.")


def refuse(asked: Mapping[str, Any], taken: Collection[str], where: str) -> None:
    """Raise ApiError for the first member that is set and not taken. What is false or empty asks for nothing."""
    for name, value in asked.items():
        if value and name not in taken:
            raise ApiError("ClientException", f"The embedded AWS does not emulate {name} of {where}.")
