from __future__ import annotations

import asyncio
import json
import subprocess
from typing import Any, cast

import pytest

from millrace.local import lambda_environment
from millrace.local.faults import (
    Call,
    Faults,
    InvalidRule,
    NotAtRest,
    Refused,
    Rule,
    apply,
    caller_of,
    end,
    refusal,
    without_entries,
)
from millrace.local.lambda_environment import Invocation
from millrace.local.task_caller import TaskCaller


class Service:
    """Remembers what took effect, and who was killed when."""

    def __init__(self) -> None:
        self.events: list[str] = []

    async def call(self) -> Any:
        self.events.append("effect")
        return 200, {}, b"well"

    def kill(self, _rule: Rule) -> None:
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


def test_who_is_to_die_dies_though_the_call_is_refused():
    service = Service()
    assert service.ask(Rule("*", code="Slow", status=503), Rule("*", kill=True)) == (503, "Slow")
    assert service.events == ["kill"]


def test_without_rules_the_call_is_made():
    assert Service().ask() == (200, "well")


def test_nth_counts_matching_calls_only():
    faults = Faults()
    faults.order(Rule("s3:Put*", nth=(2, 3), code="x"))
    actions = ["s3:PutObject", "s3:GetObject", "s3:PutObject", "s3:putobject", "s3:PutObject"]
    assert [len(faults.matching(Call(action, "*"))) for action in actions] == [0, 0, 1, 1, 0]
    (told,) = faults.all()
    assert (told["seen"], told["applied"]) == (4, 2)


def test_every_third_call():
    faults = Faults()
    faults.order(Rule("s3:*", every=3, code="x"))
    assert [len(faults.matching(Call("s3:GetObject", "*"))) for _ in range(7)] == [0, 0, 1, 0, 0, 1, 0]


def test_cleared_rules_act_no_more():
    faults = Faults()
    faults.order(Rule("*", code="x"))
    faults.clear()
    assert faults.matching(Call("s3:GetObject", "*")) == []
    assert faults.all() == []


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"action": "*"}, "needs a code"),
        ({"code": "x"}, "action"),
        ({"action": "*", "code": "x", "nht": [1]}, "nht"),
        ({"action": "*", "code": "x", "when": "during"}, "during"),
        ({"action": "*", "code": "x", "nth": [0]}, "count from 1"),
        ({"action": "*", "code": "x", "redeliver_seconds": 1}, "goes with kill"),
        ({"action": "*", "kill": True, "entries": [1]}, "entries go with a code"),
        ({"action": "history:*", "code": "x"}, "an event of a history"),
        ({"action": "history:*", "kill": True, "hold": True}, "an event of a history"),
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


def test_a_rule_counts_the_calls_of_its_function_on_its_resource_only():
    faults = Faults()
    faults.order(Rule("s3:PutObject", function="*-put-worker", resource="*/put/part-*", nth=(2,), kill=True))
    part, other = "arn:aws:s3:::reports/_reports/j/put/part-1.csv", "arn:aws:s3:::reports/_work/j/send-1.jsonl"
    calls = [
        ("s3:PutObject", part, "millrace-put-worker"),
        ("s3:PutObject", other, "millrace-put-worker"),
        ("s3:GetObject", part, "millrace-put-worker"),
        ("s3:PutObject", part, "millrace-del-worker"),
        ("s3:PutObject", part, None),
        ("s3:PutObject", part, "millrace-put-worker"),
    ]
    assert [len(faults.matching(Call(*call))) for call in calls] == [0, 0, 0, 0, 0, 1]


def test_a_rule_may_be_about_one_job_or_one_document():
    faults = Faults()
    faults.order(Rule("kendra:*", event="job-1", body="doc-7", code="x"))
    asked = [("job-1", b"doc-7"), ("job-2", b"doc-7"), ("job-1", b"doc-8")]
    calls = [Call("kendra:BatchPutDocument", "*", "f", event, body) for event, body in asked]
    assert [len(faults.matching(call)) for call in calls] == [1, 0, 0]


def test_a_rule_may_be_about_one_execution_and_one_state():
    faults = Faults()
    faults.order(Rule("dynamodb:*", execution="*:kb-sync:one", state="Mark", code="x"))
    calls = [("one", "Mark"), ("one", "Release"), ("two", "Mark")]
    asked = [
        Call("dynamodb:UpdateItem", "*", execution=f"execution:kb-sync:{name}", state=state) for name, state in calls
    ]
    assert [len(faults.matching(call)) for call in [*asked, Call("dynamodb:UpdateItem", "*")]] == [1, 0, 0, 0]


def test_an_execution_dies_at_the_event_that_a_rule_names():
    faults = Faults()
    faults.order(Rule("*", code="x"))
    assert not faults.dies_at("execution:one", "PassStateEntered")
    faults.order(Rule.of({"action": "history:*StateEntered", "execution": "*:one", "nth": [2], "kill": True}))
    heard = [
        ("one", "PassStateEntered"),
        ("two", "PassStateEntered"),
        ("one", "TaskStarted"),
        ("one", "TaskStateEntered"),
    ]
    assert [faults.dies_at(f"execution:{name}", event) for name, event in heard] == [False, False, False, True]


def test_one_rule_can_be_forgotten():
    faults = Faults()
    first, second = faults.order(Rule("*", code="x")), faults.order(Rule("*", code="y"))
    faults.forget(first)
    assert [told["id"] for told in faults.all()] == [second]


def test_an_execution_that_is_to_die_at_its_call_is_stopped():
    faults, stopped = Faults(), list[str]()
    faults.abort = stopped.append
    end(TaskCaller("execution:one", "Mark"), Rule("*", kill=True), faults)
    end(None, Rule("*", kill=True), faults)
    assert stopped == ["execution:one"]


def test_an_execution_is_at_rest_when_it_makes_a_call_that_is_held_or_has_ended():
    async def scenario() -> None:
        faults = Faults()
        faults.status_of = lambda execution: "SUCCEEDED" if execution == "over" else "RUNNING"
        assert await faults.at_rest("over", 1) == {"status": "SUCCEEDED", "held": []}
        with pytest.raises(NotAtRest, match="moving still moves"):
            await faults.at_rest("moving", 0.01)
        made = asyncio.create_task(hold(faults, "waiting"))
        assert await faults.at_rest("waiting", 1) == {"status": "RUNNING", "held": [{"id": 1, "execution": "waiting"}]}
        with pytest.raises(NotAtRest):
            await faults.at_rest("waiting", 0.01, besides=[1])
        await faults.let_go({"id": 1, "code": "Slow", "when": "after"})
        assert await made == [Rule("*", code="Slow", when="after")]

    async def hold(faults: Faults, execution: str) -> list[Rule]:
        async with faults.held.until_told({"execution": execution}) as told:
            return told

    asyncio.run(scenario())


def test_a_watching_rule_lists_the_calls_and_changes_nothing():
    faults, service = Faults(), Service()
    faults.order(Rule.of({"action": "s3:*", "watch": True}))
    assert service.ask(*faults.matching(Call("s3:PutObject", "arn", "f"))) == (200, "well")
    faults.matching(Call("sqs:SendMessage", "arn"))
    (told,) = faults.all()
    (call,) = told["calls"]
    assert (call["action"], call["resource"], call["function"]) == ("s3:PutObject", "arn", "f")


@pytest.mark.parametrize(("when", "done"), [("before", []), ("after", ["effect"])])
def test_what_a_service_does_by_itself_is_refused_on_its_side_of_the_effect(when, done):
    faults, effects = Faults(), []
    faults.order(Rule("sqs:DeleteMessage", when=when, code="InternalFailure", nth=(1,)))
    with pytest.raises(Refused, match="InternalFailure"):
        faults.perform("sqs:DeleteMessage", "arn", lambda: effects.append("effect"))
    assert effects == done
    faults.perform("sqs:DeleteMessage", "arn", lambda: effects.append("next"))
    assert effects == [*done, "next"]


def test_the_invocation_that_called_is_found_by_its_trace(monkeypatch):
    invocation = Invocation("worker", cast("subprocess.Popen[bytes]", object()), "{}")
    monkeypatch.setitem(lambda_environment.running, "1-abc-def", invocation)
    assert caller_of({"x-amzn-trace-id": "Root=1-other-one;Parent=1;Sampled=0"}) is None
    assert caller_of({}) is None
    assert caller_of({"x-amzn-trace-id": "Root%3D1-abc-def%3BParent%3D1%3BSampled%3D0"}) is invocation


@pytest.mark.parametrize(("entries", "taken"), [((2,), ["a", "c"]), ((1, 2, 3), [])])
def test_some_entries_of_a_batch_fail_and_the_others_are_taken(entries, taken):
    sent: list[str] = []

    async def call(body: bytes) -> Any:
        sent.extend(entry["Id"] for entry in json.loads(body)["Entries"])
        return 200, {}, json.dumps({"Successful": [{"Id": each} for each in sent]}).encode()

    body = json.dumps({"QueueUrl": "q", "Entries": [{"Id": "a"}, {"Id": "b"}, {"Id": "c"}]}).encode()
    rule = Rule("sqs:SendMessage", code="InternalError", entries=entries)
    _, _, said = asyncio.run(without_entries(rule, body, call))
    assert sent == taken
    failed = json.loads(said)["Failed"]
    assert {item["Id"] for item in failed} == {"a", "b", "c"} - set(taken)
    assert not any(item["SenderFault"] for item in failed)
