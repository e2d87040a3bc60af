"""Faults to order: what goes wrong with the calls that a rule matches. For tests of everything above.

A rule names an IAM action (`kendra:BatchPutDocument`, `s3:*`) and does one of these to the calls it matches:

* error before   the call has no effect and the caller gets an error
* error after    the call has its effect, but the caller gets an error: a lost answer
* delay          the call is late
* kill           who called ends, before or after the call has its effect: a Lambda process at once, an execution as by
                 StopExecution
* hold           the call waits until it is let go, and then a fault of its own may be told for it
* watch          nothing; the calls are listed, so that a test knows of every one where something may go wrong

A rule may ask for more than the action: `function` names who called (a Lambda function, however it was started),
`execution` and `state` the Task of a state machine that did (not of a function that it invokes), `resource` what was
called (an ARN; `*` stands for anything in both), `event` a text that the event of the function's
invocation holds (a job's id, so that jobs may run at once), `body` one that the call's own body holds. What it counts
(`nth`) are the calls that match all of these, over all processes of a function. So a worker dies when its third part
file is written, before it does anything else, by

    instance.order_fault(
        "s3:PutObject", function="*-put-worker", resource="*/put/part-*", nth=[3], when="after", kill=True
    )

What services do by themselves is under rules as well, as calls of no function: Lambda's `sqs:ReceiveMessage` and
`sqs:DeleteMessage` for an event source mapping (a deletion that is refused delivers the messages again). So is each
event that an execution writes into its history: `history:PassStateEntered`. A rule that names such an action kills the
execution right there; nothing else can go wrong with it.
"""

from __future__ import annotations

import asyncio
import fnmatch
import functools
import itertools
import json
import threading
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import asdict, dataclass, field, fields
from types import ModuleType
from typing import Any, Literal, NamedTuple, TypeVar
from urllib.parse import unquote
from xml.sax.saxutils import escape

from millrace.local import lambda_environment
from millrace.local.anchors import hold, patch
from millrace.local.held_calls import HeldCalls
from millrace.local.lambda_environment import Invocation
from millrace.local.task_caller import TaskCaller, task_of

T = TypeVar("T")
Answer = tuple[int, dict[str, str], Any]
QUERY_SERVICES = frozenset({"iam", "sns", "sts"})
HISTORY = "history:"
"""Begins the actions that stand for events of an execution's history; a pattern of calls (`*`) does not mean them."""
LOOK_SECONDS = 0.001
"""Pause between two looks at an execution that has to come to rest."""


class InvalidRule(ValueError):
    pass


class NotAtRest(ValueError):
    pass


class Call(NamedTuple):
    """One call: by which function (None: by none), and in which of its invocations, by the text of the event; or by
    which execution (its ARN), and in which state."""

    action: str
    resource: str
    function: str | None = None
    event: str = ""
    body: bytes = b""
    execution: str | None = None
    state: str = ""

    @property
    def told(self) -> dict[str, str | None]:
        """What a list of calls says of it."""
        return {
            "action": self.action,
            "resource": self.resource,
            "function": self.function,
            "execution": self.execution,
            "state": self.state,
        }


@dataclass(frozen=True)
class Rule:
    """Which calls, and what happens to them.

    `nth` counts the matching calls from 1; none given means all of them, or each `every`-th. `when` tells on
    which side of the call's effect the error or the death comes. `code` without `kill` is the error's name. Messages of
    a worker that is killed come back when the queue says, or `redeliver_seconds` later where that is given. `entries`
    are those of an SQS batch call, from 1, that fail while the others are taken; none given means the whole call.
    `function` and `execution` None mean any caller; `event` and `body` are texts, empty means any.
    """

    action: str
    function: str | None = None
    execution: str | None = None
    state: str = "*"
    resource: str = "*"
    event: str = ""
    body: str = ""
    nth: tuple[int, ...] = ()
    every: int = 1
    when: Literal["before", "after"] = "before"
    code: str | None = None
    status: int = 500
    message: str = "A fault that was ordered"
    delay_seconds: float = 0.0
    kill: bool = False
    redeliver_seconds: float | None = None
    entries: tuple[int, ...] = ()
    hold: bool = False
    watch: bool = False

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Rule:
        """Raises InvalidRule."""
        unknown = given.keys() - {known.name for known in fields(cls)}
        if unknown:
            raise InvalidRule(f"a rule has no {', '.join(sorted(unknown))}")
        try:
            rule = cls(**{**given, **{name: tuple(given.get(name, ())) for name in ("nth", "entries")}})
        except TypeError as error:
            raise InvalidRule(str(error)) from None
        if rule.when not in ("before", "after"):
            raise InvalidRule(f"when is before or after, not {rule.when!r}")
        if rule.every < 1 or any(number < 1 for number in rule.nth):
            raise InvalidRule("every and nth count from 1")
        if not (rule.code or rule.kill or rule.delay_seconds or rule.hold or rule.watch):
            raise InvalidRule("a rule needs a code, a delay_seconds, kill, hold or watch")
        if rule.action.startswith(HISTORY) and (rule.code or rule.hold or rule.delay_seconds):
            raise InvalidRule("an event of a history can be a death or watched, nothing else")
        if rule.redeliver_seconds is not None and not rule.kill:
            raise InvalidRule("redeliver_seconds goes with kill")
        if rule.entries and not rule.code:
            raise InvalidRule("entries go with a code")
        return rule

    def is_about(self, call: Call) -> bool:
        """Whether the call is one that the rule counts."""
        return (
            self.action.startswith(HISTORY) == call.action.startswith(HISTORY)
            and self.event in call.event
            and fnmatch.fnmatchcase(call.action.lower(), self.action.lower())
            and fnmatch.fnmatchcase(call.resource, self.resource)
            and (self.function is None or fnmatch.fnmatchcase(call.function or "", self.function))
            and (self.execution is None or fnmatch.fnmatchcase(call.execution or "", self.execution))
            and fnmatch.fnmatchcase(call.state, self.state)
            and self.body.encode() in call.body
        )

    def concerns(self, number: int) -> bool:
        """Whether the rule acts on the matching call of this number."""
        return number in self.nth if self.nth else number % self.every == 0


@dataclass
class Ordered:
    """A rule with what has happened so far. `calls` are those that a watching rule has seen, in their order."""

    rule: Rule
    seen: int = 0
    applied: int = 0
    calls: list[dict[str, str | None]] = field(default_factory=list)


class Faults:
    """The rules of one instance. Safe to use from any thread.

    `redeliver` is told of the event of an invocation whose process was killed, and after how many seconds its messages
    come back; who serves queues sets it. `abort` ends the execution of that ARN, `status_of` tells its status; who runs
    executions sets them. `held` are the calls that wait to be let go.
    """

    def __init__(self) -> None:
        self.redeliver: Callable[[str, float], None] = lambda _event, _seconds: None
        self.abort: Callable[[str], None] = lambda _execution: None
        self.status_of: Callable[[str], str] = lambda _execution: "RUNNING"
        self.held: HeldCalls[Rule] = HeldCalls()
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._ordered: dict[int, Ordered] = {}

    def order(self, rule: Rule) -> int:
        with self._lock:
            number = next(self._numbers)
            self._ordered[number] = Ordered(rule)
            return number

    def all(self) -> list[dict[str, Any]]:
        """`[{"id", "rule", "seen", "applied", "calls"}]`: how many calls matched, how many of them the rule acted on,
        and those that it watched."""
        with self._lock:
            return [{"id": number, **asdict(ordered)} for number, ordered in self._ordered.items()]

    def forget(self, number: int) -> None:
        """Forget the rule of that number; a call that it holds is held on."""
        with self._lock:
            self._ordered.pop(number, None)

    def clear(self) -> None:
        """Forget all rules; the calls that they hold are made."""
        with self._lock:
            self._ordered.clear()
        self.held.let_all_go()

    async def let_go(self, told: Mapping[str, Any]) -> None:
        """Let a held call go, and wait until it is answered: `id`, and what a rule says of what goes wrong with it, if
        anything does. Raises InvalidRule, NotHeld.
        """
        trouble = {name: value for name, value in told.items() if name != "id"}
        await self.held.let_go(told["id"], [Rule.of({"action": "*", **trouble})] if trouble else [])

    @property
    def ordered(self) -> bool:
        """Whether there are any."""
        return bool(self._ordered)

    def matching(self, call: Call) -> list[Rule]:
        """Count a call, and give the rules that act on it, in the order in which they were given."""
        with self._lock:
            acting = []
            for ordered in self._ordered.values():
                if ordered.rule.is_about(call):
                    ordered.seen += 1
                    if ordered.rule.watch:
                        ordered.calls.append(call.told)
                    if ordered.rule.concerns(ordered.seen):
                        ordered.applied += 1
                        acting.append(ordered.rule)
            return acting

    async def at_rest(self, execution: str, seconds: float, besides: Collection[int] = ()) -> dict[str, Any]:
        """`{"status", "held": [...]}` of the execution as soon as it makes a call that is held, `besides` those of
        these ids, or has ended.

        Raises NotAtRest when it still moves after so many seconds.
        """
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            status = self.status_of(execution)
            held = [call for call in self.held.all() if call["execution"] == execution and call["id"] not in besides]
            if held or status != "RUNNING":
                return {"status": status, "held": held}
            await asyncio.sleep(LOOK_SECONDS)
        raise NotAtRest(f"{execution} still moves after {seconds:g} s")

    def dies_at(self, execution: str, event: str) -> bool:
        """Whether the execution of that ARN ends right after it has written an event of that type."""
        call = Call(f"{HISTORY}{event}", execution, execution=execution)
        return self.ordered and any(rule.kill for rule in self.matching(call))

    def perform(self, action: str, resource: str, call: Callable[[], T]) -> T:
        """Do what a service does by itself, as the rules have it. Raises Refused."""
        rules = self.matching(Call(action, resource))
        for rule in rules:
            time.sleep(rule.delay_seconds)
        refusing = [rule for rule in rules if rule.kill or rule.code]
        if any(rule.when == "before" for rule in refusing):
            raise Refused(f"{refusing[0].code}: {refusing[0].message}")
        answer = call()
        if refusing:
            raise Refused(f"{refusing[0].code}: {refusing[0].message}")
        return answer


class Refused(Exception):
    """What a service does by itself (Lambda reading a queue) has met an ordered fault."""


async def apply(
    rules: list[Rule],
    call: Callable[[], Awaitable[Answer]],
    kill: Callable[[Rule], None],
    refuse: Callable[[Rule], Answer],
) -> Answer:
    """Make the call as the rules have it. Where one rule kills and another refuses, both happen."""
    for rule in rules:
        await asyncio.sleep(rule.delay_seconds)
    before, after = (
        [rule for rule in rules if rule.when == side and (rule.kill or rule.code)] for side in ("before", "after")
    )
    answer = None if before else await call()
    acting = before or after
    for rule in acting:
        if rule.kill:
            kill(rule)
    return refuse(acting[0]) if answer is None or acting else answer


def install(substrate: ModuleType, faults: Faults) -> None:
    """Put the rules in front of every call that MiniStack dispatches."""
    from ministack.core import iam_actions, router

    hold(iam_actions, "extract_iam_action", "def extract_iam_action(service: str, method: str, path: str,")
    hold(iam_actions, "extract_resource_arn", "def extract_resource_arn(service: str, method: str, path: str,")
    hold(iam_actions, "dynamodb_transaction_checks", "Per-item ``(action, table ARN)`` checks")
    hold(router, "detect_service")
    hold(router, "extract_region", "def extract_region(headers: dict, query_params=None)")
    hold(router, "extract_account_id", "def extract_account_id(headers: dict)")
    hold(substrate, "_routing_params")

    def make(original: Callable[..., Awaitable[Answer]]) -> Callable[..., Awaitable[Answer]]:
        @functools.wraps(original)
        async def dispatch(
            method: str,
            path: str,
            headers: dict[str, str],
            body: bytes,
            query_params: dict[str, Any],
            request_id: str,
        ) -> Answer:
            def call(asked: bytes = body) -> Awaitable[Answer]:
                return original(method, path, headers, asked, query_params, request_id)

            if not faults.ordered:
                return await call()
            params = substrate._routing_params(method, path, headers, body, query_params)
            service = router.detect_service(method, path, headers, params)
            action = iam_actions.extract_iam_action(service, method, path, headers, body, params)
            if not action:
                return await call()
            region, account = router.extract_region(headers, query_params), router.extract_account_id(headers)
            resource = iam_actions.extract_resource_arn(service, method, path, headers, body, params, region, account)
            if transaction := iam_actions.dynamodb_transaction_checks(action, body, region, account):
                resource = transaction[0][1]
            caller, task = caller_of(headers), task_of(headers)
            asked = Call(action, resource, body=body)
            if caller:
                asked = asked._replace(function=caller.function, event=caller.event)
            if task:
                asked = asked._replace(execution=task.execution, state=task.state)
            rules = faults.matching(asked)

            async def answer(rules: list[Rule]) -> Answer:
                partial = next((rule for rule in rules if rule.entries), None)
                return await apply(
                    [rule for rule in rules if not rule.entries],
                    functools.partial(without_entries, partial, body, call) if partial else call,
                    lambda rule: end(caller or task, rule, faults),
                    lambda rule: refusal(rule, service, headers, request_id),
                )

            if not any(rule.hold for rule in rules):
                return await answer(rules)
            async with faults.held.until_told({**asked.told, "body": body.decode(errors="replace")}) as told:
                return await answer([*rules, *told])

        return dispatch

    patch(
        substrate,
        "_dispatch_service_request",
        make,
        "method: str, path: str, headers: dict, body: bytes, query_params: dict, request_id: str",
    )


def caller_of(headers: Mapping[str, str]) -> Invocation | None:
    """The invocation that made this call; the SDK's trace header tells which one it is. None for any other caller."""
    trace = unquote(headers.get("x-amzn-trace-id", ""))
    root = next((part.removeprefix("Root=") for part in trace.split(";") if part.startswith("Root=")), "")
    return lambda_environment.running.get(root)


def end(caller: Invocation | TaskCaller | None, rule: Rule, faults: Faults) -> None:
    """End who called, as the rule has it; nobody else can be ended."""
    if isinstance(caller, TaskCaller):
        faults.abort(caller.execution)
    elif caller is not None:
        caller.process.kill()
        if rule.redeliver_seconds is not None:
            faults.redeliver(caller.event, rule.redeliver_seconds)


async def without_entries(rule: Rule, body: bytes, call: Callable[[bytes], Awaitable[Answer]]) -> Answer:
    """Make a batch call of SQS for all entries but the rule's, and answer that those failed for no fault of theirs."""
    asked = json.loads(body)
    numbered = list(enumerate(asked["Entries"], start=1))
    kept = [entry for number, entry in numbered if number not in rule.entries]
    status, headers, said = 200, {"Content-Type": "application/x-amz-json-1.0"}, b"{}"
    if kept:
        status, headers, said = await call(json.dumps({**asked, "Entries": kept}).encode())
    answer = json.loads(said)
    answer["Failed"] = answer.get("Failed", []) + [
        {"Id": entry["Id"], "Code": rule.code, "Message": rule.message, "SenderFault": False}
        for number, entry in numbered
        if number in rule.entries
    ]
    return status, headers, json.dumps(answer).encode()


def refusal(rule: Rule, service: str, headers: Mapping[str, str], request_id: str) -> Answer:
    """The rule's error in the service's protocol."""
    code = rule.code or "InternalFailure"
    ids = {"x-amzn-requestid": request_id, "x-amz-request-id": request_id}
    if service == "s3":
        body = f"<Error><Code>{escape(code)}</Code><Message>{escape(rule.message)}</Message></Error>"
    elif service in QUERY_SERVICES and "x-amz-target" not in headers:
        body = (
            f"<ErrorResponse><Error><Type>Sender</Type><Code>{escape(code)}</Code>"
            f"<Message>{escape(rule.message)}</Message></Error><RequestId>{request_id}</RequestId></ErrorResponse>"
        )
    else:
        text = json.dumps({"__type": code, "message": rule.message})
        return (
            rule.status,
            {"Content-Type": "application/json", "x-amzn-ErrorType": code, **ids},
            text.encode(),
        )
    return rule.status, {"Content-Type": "application/xml", **ids}, body.encode()
