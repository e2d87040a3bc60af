"""Calls that executions make, and what may become of them."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

CHANGING = {"dynamodb:UpdateItem", "bedrock:StartIngestionJob", "lambda:InvokeFunction", "states:StartExecution"}
"""Calls whose effect the invariants are about; a message that is sent twice breaks none."""
ERRORS = {
    "dynamodb": {"code": "InternalServerError", "status": 500},
    "bedrock": {"code": "InternalServerException", "status": 500},
    "lambda": {"code": "ServiceException", "status": 500},
    "states": {"code": "InternalFailure", "status": 500},
    "sns": {"code": "InternalError", "status": 500},
}
THROTTLES = {
    "dynamodb": {"code": "ProvisionedThroughputExceededException", "status": 400},
    "bedrock": {"code": "ThrottlingException", "status": 429},
    "lambda": {"code": "TooManyRequestsException", "status": 429},
    "states": {"code": "ThrottlingException", "status": 400},
    "sns": {"code": "Throttled", "status": 429},
}


class How(enum.Enum):
    """What becomes of a call, and of who makes it."""

    WELL = "goes well"
    FAILS = "fails without effect"
    THROTTLED = "is throttled"
    LOST = "has its effect, and the answer is lost"
    DIES_BEFORE = "does not come to be, because the execution is stopped"
    DIES_AFTER = "has its effect, and the execution is stopped"
    LANDS_LATE = "is under way when the execution is stopped, and has its effect much later"
    SILENT = "is not answered in time, and has its effect much later"

    @property
    def kills(self) -> bool:
        return self in (How.DIES_BEFORE, How.DIES_AFTER, How.LANDS_LATE)


@dataclass(frozen=True)
class Call:
    """A call that waits to be let go."""

    id: int
    action: str
    execution: str
    state: str
    body: str

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Call:
        return cls(told["id"], told["action"], told["execution"], told["state"], told["body"])

    @property
    def service(self) -> str:
        return self.action.partition(":")[0]

    @property
    def changes(self) -> bool:
        return self.action in CHANGING

    def trouble(self, how: How) -> dict[str, Any]:
        """What is told when it is let go."""
        if how is How.WELL:
            return {}
        after = how in (How.LOST, How.DIES_AFTER)
        told = THROTTLES if how is How.THROTTLED else ERRORS
        return {**told[self.service], "when": "after" if after else "before"}
