"""A case, and what all cases use: names, policies, ways to ask a service."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

Client = Callable[[str], Any]
Arguments = dict[str, Any]
REGION = "us-east-1"
ACCOUNT = "123456789012"
NAME = "contract-full"
OTHER = "contract-minimal"
BUCKET = "contract-full-bucket"
TAGS = {"team": "search", "stage": "one"}
OTHER_TAGS = {"team": "search", "stage": "two"}
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:{NAME}"
DEAD_QUEUE = f"arn:aws:sqs:{REGION}:{ACCOUNT}:contract-dead"
QUEUE = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{NAME}"
MACHINE = f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:{NAME}"


@dataclass(frozen=True)
class Case:
    """One resource type. `changed` holds the arguments of the full one that differ after the change.

    `ask` gives what the service says of the full one, in the service's words; it must equal `said`, and `said_after`
    once `changed` is applied. `drift` is somebody's hand in the service.
    """

    minimal: Arguments
    full: Arguments
    changed: Arguments
    change: Literal["update", "replace"]
    ask: Callable[[Client], Any]
    said: Any
    said_after: Any
    drift: Callable[[Client], object]
    refused: Mapping[str, Any]
    """One argument that hashicorp/aws knows and the local provider does not send."""


def policy(action: str, resource: str, principal: str | None = None) -> str:
    statement = {"Effect": "Allow", "Action": action, "Resource": resource}
    if principal:
        statement["Principal"] = {"Service": principal}  # type: ignore[assignment]
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def trust(service: str) -> str:
    statement = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": service}}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def parsed(document: Any) -> Any:
    return json.loads(document) if isinstance(document, str) else document


def tags(pairs: list[dict[str, str]]) -> dict[str, str]:
    return {pair.get("Key", pair.get("key", "")): pair.get("Value", pair.get("value", "")) for pair in pairs}


def some(answer: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: answer.get(name) for name in names}


def by_hand(service: str, operation: str, **arguments: Any) -> Callable[[Client], object]:
    return lambda client: getattr(client(service), operation)(**arguments)


def asking(service: str, operation: str, *members: str, **arguments: Any) -> Callable[[Client], Any]:
    """One call, and some of the members of its answer."""
    return lambda client: some(getattr(client(service), operation)(**arguments), *members)


REGION_REFUSED = {"region": "eu-west-1"}
TRUST = {name: trust(f"{name}.amazonaws.com") for name in ("lambda", "states", "scheduler", "pipes")}
