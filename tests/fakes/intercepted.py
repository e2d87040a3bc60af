"""A client between whose calls and their effect something else may happen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Call = Callable[..., Any]
Interceptor = Callable[[str, Call, dict[str, Any]], Any]
"""Makes a call, by its name, or whatever it wants instead."""


class Intercepted:
    """Every call of the client goes by `meet`."""

    def __init__(self, client: Any, meet: Interceptor) -> None:
        self._client = client
        self._meet = meet

    def __getattr__(self, name: str) -> Any:
        function = getattr(self._client, name)
        return lambda **arguments: self._meet(name, function, arguments)
