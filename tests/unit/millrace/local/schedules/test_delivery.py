from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from millrace.local.acting import Acting
from millrace.local.faults import Faults, Rule
from millrace.local.schedules.delivery import Delivery, Firing
from millrace.local.targets import NotDelivered

MACHINE = "arn:aws:states:us-east-1:123456789012:stateMachine:m"
FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:f"
QUEUE = "arn:aws:sqs:us-east-1:123456789012:q"


class Authority:
    """Remembers what it was asked, and refuses one action."""

    def __init__(self, refused: str = "") -> None:
        self.asked: list[tuple[str, str, str, str]] = []
        self.refused = refused

    def refusal(self, role_arn: str, service: str, action: str, resource: str, *, source: str) -> str | None:
        self.asked.append((role_arn, service, action, source))
        return "no" if action == self.refused else None

    def refusal_of_service(self, *_about: str, source: str) -> str | None:
        raise AssertionError("a schedule never acts in its own name")


class Targets:
    def __init__(self, failures: int = 0, code: str = "Throttled") -> None:
        self.failures = failures
        self.code = code
        self.got: list[Any] = []

    def _take(self, what: Any) -> None:
        if self.failures:
            self.failures -= 1
            raise NotDelivered(self.code, "try again")
        self.got.append(what)

    def start_execution(self, machine: str, text: str) -> None:
        self._take((machine, text))

    def invoke_function(self, function: str, event: Any) -> None:
        self._take((function, event))

    def send_message(self, queue: str, message: Mapping[str, Any]) -> None:
        self.got.append((queue, message))


class Called:
    def __init__(self, targets: Targets | None = None, authority: Authority | None = None) -> None:
        self.now = 1_767_225_600.0
        self.targets = targets or Targets()
        self.authority = authority or Authority()
        self.pauses: list[float] = []
        self.faults = Faults()
        acting = Acting(self.authority, self.faults)
        self.delivery = Delivery(acting, self.targets, clock=lambda: self.now, pause=self._pause)

    def _pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds

    def deliver(self, arn: str, **target: Any) -> str:
        schedule = {
            "Name": "s",
            "GroupName": "g",
            "Arn": "arn:aws:scheduler:us-east-1:123456789012:schedule/g/s",
            "Target": {"Arn": arn, "RoleArn": "role", **target},
        }
        return self.delivery.deliver(Firing.of(schedule, self.now))


def test_a_machine_gets_the_input_and_the_role_is_asked_on_behalf_of_the_group():
    called = Called()
    assert called.deliver(MACHINE, Input='{"at": "<aws.scheduler.scheduled-time>"}') == "OK"
    assert called.targets.got == [(MACHINE, '{"at": "2026-01-01T00:00:00Z"}')]
    group = "arn:aws:scheduler:us-east-1:123456789012:schedule-group/g"
    assert called.authority.asked == [("role", "scheduler.amazonaws.com", "states:StartExecution", group)]


def test_without_an_input_a_target_gets_an_event():
    called = Called()
    called.deliver(FUNCTION)
    ((function, event),) = called.targets.got
    assert function == FUNCTION
    assert (event["source"], event["time"], event["detail"]) == ("aws.scheduler", "2026-01-01T00:00:00Z", "{}")


def test_a_call_that_fails_is_tried_again_after_longer_and_longer_pauses():
    called = Called(Targets(failures=3))
    assert called.deliver(MACHINE) == "OK"
    assert called.pauses == [1, 2, 4]


@pytest.mark.parametrize(
    ("policy", "pauses"),
    [
        ({"MaximumRetryAttempts": 2}, [1, 2]),
        ({"MaximumRetryAttempts": 0}, []),
        ({"MaximumEventAgeInSeconds": 60}, [1, 2, 4, 8, 16]),
    ],
)
def test_what_the_retry_policy_ends_becomes_a_dead_letter(policy, pauses):
    called = Called(Targets(failures=1000))
    outcome = called.deliver(MACHINE, Input="{}", RetryPolicy=policy, DeadLetterConfig={"Arn": QUEUE})
    assert outcome == "PROBLEM: Throttled: try again"
    assert called.pauses == pauses
    ((queue, message),) = called.targets.got
    told = {name: value["StringValue"] for name, value in message["MessageAttributes"].items()}
    assert (queue, message["MessageBody"]) == (QUEUE, "{}")
    assert (told["ERROR_CODE"], told["TARGET_ARN"]) == ("Throttled", MACHINE)
    assert told["RETRY_ATTEMPTS"] == str(len(pauses))


@pytest.mark.parametrize(
    "called", [Called(Targets(1, "StateMachineDoesNotExist")), Called(None, Authority("states:StartExecution"))]
)
def test_what_cannot_get_better_is_not_tried_again(called):
    assert called.deliver(MACHINE, DeadLetterConfig={"Arn": QUEUE}).startswith("PROBLEM")
    assert called.pauses == []
    assert [queue for queue, _ in called.targets.got] == [QUEUE]


def test_an_ordered_fault_of_the_call_is_tried_again():
    called = Called()
    called.faults.order(Rule("states:StartExecution", nth=(1,), code="ServiceUnavailable"))
    assert called.deliver(MACHINE) == "OK"
    assert len(called.targets.got) == 1


def test_a_dead_letter_queue_that_the_role_may_not_use_gets_nothing(caplog):
    called = Called(Targets(1000), Authority("sqs:SendMessage"))
    called.deliver(MACHINE, RetryPolicy={"MaximumRetryAttempts": 0}, DeadLetterConfig={"Arn": QUEUE})
    assert called.targets.got == []
    assert "is lost" in caplog.text


def test_a_queue_gets_a_message():
    called = Called()
    called.deliver(QUEUE, Input="hello", SqsParameters={"MessageGroupId": "g"})
    assert called.targets.got == [(QUEUE, {"MessageBody": "hello", "MessageGroupId": "g"})]
