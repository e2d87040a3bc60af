from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from millrace.local import lambda_environment
from millrace.local.faults import Faults, InvalidRule, Rule, apply, kill_caller, refusal


class Service:
    """Remembers what took effect, and who was killed when."""

    def __init__(self) -> None:
        self.events: list[str] = []

    async def call(self) -> Any:
        self.events.append("effect")
        return 200, {}, b"well"

    def kill(self) -> None:
        self.events.append("kill")

    def ask(self, *rules: Rule) -> tuple[int, str]:
        def refuse(rule: Rule) -> Any:
            return rule.status, {}, (rule.code or "").encode()

        status, _, body = asyncio.run(apply(list(rules), self.call, self.kill, refuse))
        return status, body.decode()


@pytest.mark.parametrize(
    ("rule", "answer", "events"),
    [
        (Rule("*", code="Slow", status=503), (503, "Slow"), []),
        (Rule("*", code="Lost", when="after"), (500, "Lost"), ["effect"]),
        (Rule("*", kill=True), (500, ""), ["kill"]),
        (Rule("*", kill=True, when="after"), (500, ""), ["effect", "kill"]),
        (Rule("*", delay_seconds=0.01), (200, "well"), ["effect"]),
    ],
)
def test_a_rule_acts_on_its_side_of_the_effect(rule, answer, events):
    service = Service()
    assert service.ask(rule) == answer
    assert service.events == events


def test_without_rules_the_call_is_made():
    assert Service().ask() == (200, "well")


def test_nth_counts_matching_calls_only():
    faults = Faults()
    faults.order(Rule("s3:Put*", nth=(2, 3), code="x"))
    actions = ["s3:PutObject", "s3:GetObject", "s3:PutObject", "s3:putobject", "s3:PutObject"]
    assert [len(faults.matching(action)) for action in actions] == [0, 0, 1, 1, 0]
    (told,) = faults.all()
    assert (told["seen"], told["applied"]) == (4, 2)


def test_every_third_call():
    faults = Faults()
    faults.order(Rule("s3:*", every=3, code="x"))
    assert [len(faults.matching("s3:GetObject")) for _ in range(7)] == [0, 0, 1, 0, 0, 1, 0]


def test_cleared_rules_act_no_more():
    faults = Faults()
    faults.order(Rule("*", code="x"))
    faults.clear()
    assert faults.matching("s3:GetObject") == []
    assert faults.all() == []


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"action": "*"}, "needs a code"),
        ({"code": "x"}, "action"),
        ({"action": "*", "code": "x", "nht": [1]}, "nht"),
        ({"action": "*", "code": "x", "when": "during"}, "during"),
        ({"action": "*", "code": "x", "nth": [0]}, "count from 1"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(given, said):
    with pytest.raises(InvalidRule, match=said):
        Rule.of(given)


def test_an_error_speaks_the_services_protocol():
    rule = Rule("*", code="SlowDown", status=503, message="a < b")
    status, headers, body = refusal(rule, "s3", {}, "id")
    assert (status, headers["Content-Type"]) == (503, "application/xml")
    assert b"<Code>SlowDown</Code><Message>a &lt; b</Message>" in body
    _, _, body = refusal(rule, "sns", {}, "id")
    assert body.startswith(b"<ErrorResponse><Error>")
    _, headers, body = refusal(rule, "dynamodb", {"x-amz-target": "DynamoDB_20120810.PutItem"}, "id")
    assert headers["x-amzn-ErrorType"] == "SlowDown"
    assert json.loads(body)["__type"] == "SlowDown"


def test_the_process_that_called_is_found_by_its_trace(monkeypatch):
    killed = []

    class Process:
        def kill(self) -> None:
            killed.append(True)

    monkeypatch.setitem(lambda_environment.running, "1-abc-def", Process())
    kill_caller({"x-amzn-trace-id": "Root=1-other-one;Parent=1;Sampled=0"})
    kill_caller({})
    assert killed == []
    kill_caller({"x-amzn-trace-id": "Root%3D1-abc-def%3BParent%3D1%3BSampled%3D0"})
    assert killed == [True]
