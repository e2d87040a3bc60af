from __future__ import annotations

from millrace.local.event_targets import Failure, dead_letter, refusal

RULE = "arn:aws:events:us-east-1:123456789012:rule/r"
MACHINE = "arn:aws:states:us-east-1:123456789012:stateMachine:m"
QUEUE = "arn:aws:sqs:us-east-1:123456789012:q"


class Authority:
    """Refuses everything, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, ...]] = []

    def refusal(self, role_arn: str, service: str, action: str, resource: str, *, source: str) -> str | None:
        self.asked.append((role_arn, service, action, resource, source))
        return "no"

    def refusal_of_service(self, service: str, action: str, resource: str, *, source: str) -> str | None:
        self.asked.append((service, action, resource, source))
        return "no"


def test_a_state_machine_is_started_with_the_targets_role():
    authority = Authority()
    assert refusal({"Arn": MACHINE, "RoleArn": "role"}, RULE, authority) == Failure("NO_PERMISSIONS", "no")
    assert authority.asked == [("role", "events.amazonaws.com", "states:StartExecution", MACHINE, RULE)]


def test_a_state_machine_without_a_role_is_not_started():
    failure = refusal({"Arn": MACHINE}, RULE, Authority())
    assert failure is not None
    assert "needs a role" in failure.message


def test_a_queue_is_asked_by_its_own_policy():
    authority = Authority()
    assert refusal({"Arn": QUEUE}, RULE, authority) == Failure("NO_PERMISSIONS", "no")
    assert authority.asked == [("events.amazonaws.com", "sqs:SendMessage", QUEUE, RULE)]


def test_a_dead_letter_says_what_failed_and_why():
    attributes = dead_letter(Failure("NO_RESOURCE", "gone"), {"Arn": MACHINE}, RULE)
    assert {name: value["StringValue"] for name, value in attributes.items()} == {
        "RULE_ARN": RULE,
        "TARGET_ARN": MACHINE,
        "ERROR_CODE": "NO_RESOURCE",
        "ERROR_MESSAGE": "gone",
    }
