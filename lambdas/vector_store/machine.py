"""The adapter for the state machine that compacts."""

from __future__ import annotations

import json
from typing import Any

from shared.store_errors import ask_for_all


class Machine:
    """The state machine `compaction`."""

    def __init__(self, client: Any, arn: str) -> None:
        self._client = client
        self._arn = arn

    def request(self, collection: str) -> None:
        """Ask for a compaction that begins after now. Requests coalesce there, so one more costs a few transitions.

        The execution has no name of ours: one that was started and has failed would not start again by that name.
        Raises StoreUnavailable."""
        ask_for_all(
            "Step Functions",
            self._client.start_execution,
            stateMachineArn=self._arn,
            input=json.dumps({"collection": collection}),
        )
