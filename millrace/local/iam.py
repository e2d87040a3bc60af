"""What a role may do, for a service that acts with it: MiniStack's evaluator, asked without a request.

MiniStack evaluates the policies of whoever signs a request; what its own services do with a role (and what
ours do) is asked here.
"""

from __future__ import annotations

import contextvars
import hashlib
import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from millrace.local.anchors import hold

T = TypeVar("T")


class NotAssumed(Exception):
    """Why a service gets no session of a role."""


@dataclass(frozen=True)
class Keys:
    access_key: str
    secret_key: str
    token: str


class Authority(Protocol):
    def refusal(self, role_arn: str, service: str, action: str, resource: str, *, source: str) -> str | None:
        """Why the service (`kendra.amazonaws.com`) may not do this with the role; None if it may.

        `source` is the ARN on whose behalf the service acts, which a trust policy can ask for
        (aws:SourceArn).
        """

    def refusal_of_service(self, service: str, action: str, resource: str, *, source: str) -> str | None:
        """Why the service may not do this in its own name, by the resource's policy; None if it may."""

    def session(self, role_arn: str, service: str, *, source: str, name: str, until: float) -> Keys:
        """The keys of a session of this name that the service gets for others, until that time. Raises NotAssumed."""


class Everything:
    """Allows everything: an instance that does not enforce IAM. Its sessions are root's."""

    def refusal(self, *_about: str, source: str) -> str | None:
        return None

    def refusal_of_service(self, *_about: str, source: str) -> str | None:
        return None

    def session(self, *_about: str, source: str, name: str, until: float) -> Keys:
        return Keys("test", "test", "")


class Evaluator:
    """Decides as MiniStack does for a signed request of a session of the role, resource policies included."""

    def __init__(self, region: str, account: str) -> None:
        from ministack.core import iam_evaluator
        from ministack.services import iam, sts

        hold(
            iam_evaluator,
            "enforce",
            "principal = resolve_principal(access_key_id or",
            "_resource_policy(service",
        )
        hold(iam_evaluator, "authenticate", "if request is None or request.access_key_id != access_key_id")
        hold(iam_evaluator, "_service_principal_matches")
        hold(iam_evaluator, "_conditions_met")
        hold(iam_evaluator, "_resolve_condition_key", "ctx.service_context")
        hold(iam_evaluator, "pin_request_origin")
        hold(iam_evaluator, "_resource_policy", "return getattr(module, lookup[1])(resource_arn)")
        hold(iam_evaluator, "evaluate_resource_policy", "service: str | None = None")
        hold(sts, "register_session", "_sessions[access_key] = session")
        self._evaluator: Any = iam_evaluator
        self._iam: Any = iam
        self._sts: Any = sts
        self._region = region
        self._account = account

    def refusal(self, role_arn: str, service: str, action: str, resource: str, *, source: str) -> str | None:
        def decide() -> str | None:
            self._evaluator.pin_request_origin("127.0.0.1", True)
            return self._refusal(role_arn, service, action, resource, source)

        return in_scope(self._region, self._account, decide)

    def refusal_of_service(self, service: str, action: str, resource: str, *, source: str) -> str | None:
        def decide() -> str | None:
            found = self._evaluator._resource_policy(action.partition(":")[0], resource)
            policy = found[0] if found else None
            context = self._context(service, action, resource, source)
            decision = self._evaluator.evaluate_resource_policy(policy, context, service=service).decision
            if decision == "Allow":
                return None
            return f"the policy of {resource} does not allow {service} to perform {action}"

        return in_scope(self._region, self._account, decide)

    def _context(self, service: str, action: str, resource: str, source: str) -> Any:
        return self._evaluator.EvalContext(
            principal_arn=service,
            principal_type="Service",
            principal_account=self._account,
            action=action,
            resource_arn=resource,
            region=self._region,
            secure_transport=True,
            service_context={"aws:sourcearn": source, "aws:sourceaccount": self._account},
        )

    def session(self, role_arn: str, service: str, *, source: str, name: str, until: float) -> Keys:
        def assume() -> Keys:
            distrust = self._distrust(role_arn, service, source)
            if distrust is not None:
                raise NotAssumed(distrust)
            key = f"ASIA{secrets.token_hex(8).upper()}"
            keys = Keys(key, secrets.token_urlsafe(30), secrets.token_urlsafe(90))
            self._register(keys, role_arn.rsplit("/", 1)[-1], name, Expiration=until)
            return keys

        return in_scope(self._region, self._account, assume)

    def _refusal(self, role_arn: str, service: str, action: str, resource: str, source: str) -> str | None:
        distrust = self._distrust(role_arn, service, source)
        if distrust is not None:
            return distrust
        key = self._own_session(role_arn.rsplit("/", 1)[-1], service)
        denied = self._evaluator.enforce(key, action, action.partition(":")[0], self._region, resource_arn=resource)
        return f"the role {role_arn} is not allowed to perform {action} on {resource}" if denied else None

    def _distrust(self, role_arn: str, service: str, source: str) -> str | None:
        role = self._iam._roles.get(role_arn.rsplit("/", 1)[-1])
        if role is None or role.get("Arn") != role_arn:
            return f"the role {role_arn} does not exist"
        if not self._trusts(role, service, source):
            return f"the role {role_arn} does not trust {service}"
        return None

    def _trusts(self, role: dict[str, Any], service: str, source: str) -> bool:
        document = role.get("AssumeRolePolicyDocument") or {}
        document = json.loads(document) if isinstance(document, str) else document
        statements = document.get("Statement", [])
        context = self._context(service, "sts:AssumeRole", role["Arn"], source)
        effects = {
            statement["Effect"]
            for statement in (statements if isinstance(statements, list) else [statements])
            if self._evaluator._service_principal_matches(statement.get("Principal"), service)
            and self._evaluator._conditions_met(statement.get("Condition", {}), context)
        }
        return effects == {"Allow"}

    def _own_session(self, role: str, service: str) -> str:
        """The access key of the one session that the service itself acts with."""
        digest = hashlib.sha256(f"{service} {role}".encode()).hexdigest()
        key = f"ASIA{digest[:16].upper()}"
        if key not in self._sts._sessions:
            self._register(Keys(key, digest, digest), role, service.partition(".")[0])
        return key

    def _register(self, keys: Keys, role: str, name: str, **more: Any) -> None:
        self._sts.register_session(
            keys.access_key,
            {
                "Arn": f"arn:aws:sts::{self._account}:assumed-role/{role}/{name}",
                "UserId": f"{role}:{name}",
                "SecretAccessKey": keys.secret_key,
                "SessionToken": keys.token,
                **more,
            },
        )


def in_scope(region: str, account: str, act: Callable[[], T]) -> T:
    """Run `act` as a request of this account and region would, whose stores MiniStack keeps apart. As services do among
    themselves, it goes by TLS, which a queue's policy may ask for."""
    from ministack.core import iam_evaluator, responses

    def run() -> T:
        iam_evaluator.pin_request_origin("", secure_transport=True)
        with responses.request_scope(account, region):
            return act()

    return contextvars.Context().run(run)
