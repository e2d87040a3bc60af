"""Executions of the state machine, as EventBridge and Step Functions tell of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kb_sync.errors import EventInvalid
from kb_sync.readings import Ended


class Executions:
    """Step Functions, asked for what an event leaves out."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def of_event(self, event: Mapping[str, Any]) -> Ended:
        """The execution that a "Step Functions Execution Status Change" tells of.

        An event leaves out data that is too long, and all of an execution that a key of the customer's encrypts (Step
        Functions developer guide): then Step Functions is asked. Raises EventInvalid."""
        detail = event.get("detail")
        if not isinstance(detail, Mapping) or not {"executionArn", "status"} <= detail.keys():
            raise EventInvalid("neither a tick nor a status change of an execution")
        if detail.get("input") is None or (detail["status"] == "SUCCEEDED" and detail.get("output") is None):
            detail = self._described(detail["executionArn"])
        return Ended(detail["status"], detail["input"], detail.get("output"))

    def _described(self, arn: str) -> Mapping[str, Any]:
        try:
            described: Mapping[str, Any] = self._client.describe_execution(executionArn=arn)
        except (self._client.exceptions.ExecutionDoesNotExist, self._client.exceptions.InvalidArn) as error:
            raise EventInvalid(f"Step Functions does not know the execution: {error}") from error
        return described
