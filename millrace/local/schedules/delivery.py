"""One call of a schedule's target: with the schedule's role, tried again as its retry policy says, and kept in its
dead-letter queue when that does not help.
"""

from __future__ import annotations

import json
import logging
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from millrace.local.acting import Acting, Actor, Forbidden, Refused
from millrace.local.targets import ACTIONS, NotDelivered, attributes_of, service_of

SERVICE = "scheduler.amazonaws.com"
CALLED = ("states", "lambda", "sqs")
"""The services whose resources a schedule can call here."""
MOST_ATTEMPTS, MOST_SECONDS = 185, 86_400
"""Retries, and the age of a call, where a schedule says nothing (API reference, RetryPolicy)."""
LONGEST_PAUSE_SECONDS = 60.0
GONE = frozenset({"ResourceNotFoundException", "StateMachineDoesNotExist", "QueueDoesNotExist"})
"""What is not worth another try."""
log = logging.getLogger(__name__)


class Reached(Protocol):
    """What a schedule can do in a target. Each raises targets.NotDelivered."""

    def start_execution(self, machine: str, text: str) -> None: ...

    def invoke_function(self, function: str, event: Any) -> None: ...

    def send_message(self, queue: str, message: Mapping[str, Any]) -> None: ...


@dataclass(frozen=True)
class Firing:
    """`schedule` is MiniStack's record; `due` the moment that it was meant for."""

    schedule: Mapping[str, Any]
    due: float
    id: str

    @classmethod
    def of(cls, schedule: Mapping[str, Any], due: float) -> Firing:
        return cls(schedule, due, uuid.uuid4().hex)

    @property
    def target(self) -> Mapping[str, Any]:
        target: Mapping[str, Any] = self.schedule["Target"]
        return target

    @property
    def arn(self) -> str:
        return str(self.target["Arn"])

    @property
    def actor(self) -> Actor:
        """Scheduler acts on behalf of the schedule's group (user guide, "Confused deputy prevention")."""
        _, _, _, region, account, _ = self.schedule["Arn"].split(":", 5)
        group = f"arn:aws:scheduler:{region}:{account}:schedule-group/{self.schedule['GroupName']}"
        return Actor(SERVICE, self.target["RoleArn"], group, account, region)

    def payload(self, attempt: int) -> str:
        given = self.target.get("Input")
        if given is None:
            return json.dumps(self._event())
        return (
            given.replace("<aws.scheduler.schedule-arn>", self.schedule["Arn"])
            .replace("<aws.scheduler.scheduled-time>", _iso(self.due))
            .replace("<aws.scheduler.execution-id>", self.id)
            .replace("<aws.scheduler.attempt-number>", str(attempt))
        )

    def _event(self) -> dict[str, Any]:
        """What a target gets that has no input of its own."""
        return {
            "version": "0",
            "id": self.id,
            "detail-type": "Scheduled Event",
            "source": "aws.scheduler",
            "account": self.actor.account,
            "time": _iso(self.due),
            "region": self.actor.region,
            "resources": [self.schedule["Arn"]],
            "detail": "{}",
        }


class Delivery:
    def __init__(
        self,
        acting: Acting,
        targets: Reached,
        *,
        clock: Callable[[], float] = time.time,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._acting = acting
        self._targets = targets
        self._clock = clock
        self._pause = pause

    def deliver(self, firing: Firing) -> str:
        """Call the target until it takes the call or the retry policy says that it is over; what became of it."""
        policy = firing.target.get("RetryPolicy") or {}
        most = policy.get("MaximumRetryAttempts", MOST_ATTEMPTS)
        until = self._clock() + policy.get("MaximumEventAgeInSeconds", MOST_SECONDS)
        attempt = 1
        while True:
            try:
                self._call(firing, attempt)
            except (NotDelivered, Forbidden, Refused) as error:
                pause = min(2.0 ** (attempt - 1), LONGEST_PAUSE_SECONDS)
                again = not is_final(error) and attempt <= most and self._clock() + pause <= until
                log.warning("schedule %s, attempt %d: %s", firing.schedule["Name"], attempt, error)
                if not again:
                    self._set_aside(firing, attempt, error)
                    return f"PROBLEM: {error}"
                self._pause(pause)
                attempt += 1
            else:
                return "OK"

    def _call(self, firing: Firing, attempt: int) -> None:
        service, text, targets = service_of(firing.arn), firing.payload(attempt), self._targets

        def call() -> None:
            if service == "states":
                targets.start_execution(firing.arn, text)
            elif service == "lambda":
                targets.invoke_function(firing.arn, json.loads(text))
            else:
                group = (firing.target.get("SqsParameters") or {}).get("MessageGroupId")
                grouped = {"MessageGroupId": group} if group else {}
                targets.send_message(firing.arn, {"MessageBody": text, **grouped})

        self._acting.perform(firing.actor, ACTIONS[service], firing.arn, call)

    def _set_aside(self, firing: Firing, attempt: int, error: Exception) -> None:
        queue = (firing.target.get("DeadLetterConfig") or {}).get("Arn")
        if not queue:
            return
        told = {
            "ERROR_CODE": error.code if isinstance(error, NotDelivered) else type(error).__name__,
            "ERROR_MESSAGE": str(error),
            "EXECUTION_ID": firing.id,
            "RETRY_ATTEMPTS": str(attempt - 1),
            "SCHEDULED_TIME": _iso(firing.due),
            "SCHEDULE_ARN": firing.schedule["Arn"],
            "TARGET_ARN": firing.arn,
        }
        message = {
            "MessageBody": firing.payload(attempt),
            "MessageAttributes": attributes_of(told),
        }
        try:
            self._acting.perform(
                firing.actor, "sqs:SendMessage", queue, lambda: self._targets.send_message(queue, message)
            )
        except (NotDelivered, Forbidden, Refused):
            log.exception("a call of schedule %s is lost", firing.schedule["Name"])


def is_final(error: Exception) -> bool:
    """Whether another try cannot help."""
    return isinstance(error, Forbidden) or (isinstance(error, NotDelivered) and error.code in GONE)


def _iso(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
