"""What an AWS service does by itself with a role it was given: asked of IAM, written into the record of calls, and open
to ordered faults.

* Forbidden   the role may not do it
* Refused     an ordered fault (`faults.Refused`)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from millrace.local.faults import Faults, Refused
from millrace.local.iam import Authority, in_scope

__all__ = ["Acting", "Actor", "Forbidden", "Refused"]

T = TypeVar("T")


class Forbidden(Exception):
    """The role may not do what the service has to do with it."""


@dataclass(frozen=True)
class Actor:
    """A service (`pipes.amazonaws.com`) at work with a role, on behalf of the resource `source` (an ARN)."""

    service: str
    role: str
    source: str
    account: str
    region: str


class Acting:
    def __init__(self, authority: Authority, faults: Faults) -> None:
        self._authority = authority
        self._faults = faults

    def check(self, actor: Actor, action: str, resource: str) -> None:
        """Raise Forbidden if the role may not do this."""
        refusal = self._authority.refusal(actor.role, actor.service, action, resource, source=actor.source)
        if refusal is not None:
            raise Forbidden(refusal)

    def perform(self, actor: Actor, action: str, resource: str, call: Callable[[], T]) -> T:
        """The answer of `call`, made in the actor's account and region. Raises Forbidden, Refused."""
        self.check(actor, action, resource)

        def perform() -> T:
            return self._faults.perform(action, resource, call)

        return in_scope(actor.region, actor.account, perform)
