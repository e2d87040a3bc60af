"""Faults to order: what goes wrong with the calls that a rule matches. For tests of everything above.

A rule names an IAM action (`kendra:BatchPutDocument`, `s3:*`) and does one of these to the calls it matches:

* error before   the call has no effect and the caller gets an error
* error after    the call has its effect, but the caller gets an error: a lost answer
* delay          the call is late
* kill           the Lambda process that called ends, before or after the call has its effect
"""

from __future__ import annotations

import asyncio
import fnmatch
import functools
import itertools
import json
import threading
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass, fields
from types import ModuleType
from typing import Any, Literal
from urllib.parse import unquote
from xml.sax.saxutils import escape

from millrace.local import lambda_environment
from millrace.local.anchors import hold, patch

Answer = tuple[int, dict[str, str], Any]
QUERY_SERVICES = frozenset({"iam", "sns", "sts"})


class InvalidRule(ValueError):
    pass


@dataclass(frozen=True)
class Rule:
    """Which calls, and what happens to them.

    `nth` counts the matching calls from 1; none given means all of them, or each `every`-th. `when` tells on
    which side of the call's effect the error or the death comes. `code` without `kill` is the error's name.
    """

    action: str
    nth: tuple[int, ...] = ()
    every: int = 1
    when: Literal["before", "after"] = "before"
    code: str | None = None
    status: int = 500
    message: str = "A fault that was ordered"
    delay_seconds: float = 0.0
    kill: bool = False

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Rule:
        """Raises InvalidRule."""
        unknown = given.keys() - {field.name for field in fields(cls)}
        if unknown:
            raise InvalidRule(f"a rule has no {', '.join(sorted(unknown))}")
        try:
            rule = cls(**{**given, "nth": tuple(given.get("nth", ()))})
        except TypeError as error:
            raise InvalidRule(str(error)) from None
        if rule.when not in ("before", "after"):
            raise InvalidRule(f"when is before or after, not {rule.when!r}")
        if rule.every < 1 or any(number < 1 for number in rule.nth):
            raise InvalidRule("every and nth count from 1")
        if not (rule.code or rule.kill or rule.delay_seconds):
            raise InvalidRule("a rule needs a code, a delay_seconds or kill")
        return rule

    def concerns(self, number: int) -> bool:
        """Whether the rule acts on the matching call of this number."""
        return number in self.nth if self.nth else number % self.every == 0


@dataclass
class Ordered:
    """A rule with what has happened so far."""

    rule: Rule
    seen: int = 0
    applied: int = 0


class Faults:
    """The rules of one instance. Safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._ordered: dict[int, Ordered] = {}

    def order(self, rule: Rule) -> int:
        with self._lock:
            number = next(self._numbers)
            self._ordered[number] = Ordered(rule)
            return number

    def all(self) -> list[dict[str, Any]]:
        """`[{"id", "rule", "seen", "applied"}]`: matching calls, and those that the rule acted on."""
        with self._lock:
            return [{"id": number, **asdict(ordered)} for number, ordered in self._ordered.items()]

    def clear(self) -> None:
        with self._lock:
            self._ordered.clear()

    def matching(self, action: str) -> list[Rule]:
        """Count a call, and give the rules that act on it, in the order in which they were given."""
        with self._lock:
            acting = []
            for ordered in self._ordered.values():
                if fnmatch.fnmatchcase(action.lower(), ordered.rule.action.lower()):
                    ordered.seen += 1
                    if ordered.rule.concerns(ordered.seen):
                        ordered.applied += 1
                        acting.append(ordered.rule)
            return acting


async def apply(
    rules: list[Rule],
    call: Callable[[], Awaitable[Answer]],
    kill: Callable[[], None],
    refuse: Callable[[Rule], Answer],
) -> Answer:
    """Make the call as the rules have it."""
    for rule in rules:
        await asyncio.sleep(rule.delay_seconds)
    for rule in rules:
        if rule.when == "before" and rule.kill:
            kill()
        if rule.when == "before" and (rule.kill or rule.code):
            return refuse(rule)
    answer = await call()
    for rule in rules:
        if rule.when == "after" and rule.kill:
            kill()
        if rule.when == "after" and (rule.kill or rule.code):
            return refuse(rule)
    return answer


def install(substrate: ModuleType, faults: Faults) -> None:
    """Put the rules in front of every call that MiniStack dispatches."""
    from ministack.core import iam_actions, router

    hold(iam_actions, "extract_iam_action", "def extract_iam_action(service: str, method: str, path: str,")
    hold(router, "detect_service")
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
            def call() -> Awaitable[Answer]:
                return original(method, path, headers, body, query_params, request_id)

            if not faults._ordered:
                return await call()
            params = substrate._routing_params(method, path, headers, body, query_params)
            service = router.detect_service(method, path, headers, params)
            action = iam_actions.extract_iam_action(service, method, path, headers, body, params)
            rules = faults.matching(action) if action else []
            return await apply(
                rules,
                call,
                lambda: kill_caller(headers),
                lambda rule: refusal(rule, service, headers, request_id),
            )

        return dispatch

    patch(
        substrate,
        "_dispatch_service_request",
        make,
        "method: str, path: str, headers: dict, body: bytes, query_params: dict, request_id: str",
    )


def kill_caller(headers: Mapping[str, str]) -> None:
    """End the Lambda process that made this call; the SDK's trace header tells which one it is."""
    trace = unquote(headers.get("x-amzn-trace-id", ""))
    root = next((part.removeprefix("Root=") for part in trace.split(";") if part.startswith("Root=")), "")
    process = lambda_environment.running.get(root)
    if process is not None:
        process.kill()


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
