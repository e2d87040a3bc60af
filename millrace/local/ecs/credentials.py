"""The credentials of a task's role, served to the task's own containers as ECS serves them: by an address that nobody
else knows, anew each time that it is asked.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable

from millrace.local.acting import Actor
from millrace.local.iam import Authority, NotAssumed

PATH = "/_millrace/credentials/"
SESSION_SECONDS = 6 * 3600
"""How long a session lasts that a task is given; chosen here. The SDKs ask anew before it ends."""


class Credentials:
    def __init__(self, authority: Authority, clock: Callable[[], float] = time.time) -> None:
        self._authority = authority
        self._clock = clock
        self._actors: dict[str, Actor] = {}

    def grant(self, actor: Actor) -> str:
        """The path at which the credentials of the actor's role are from now on. Raises iam.NotAssumed."""
        self._session(actor)
        token = secrets.token_urlsafe(24)
        self._actors[token] = actor
        return PATH + token

    def revoke(self, path: str) -> None:
        self._actors.pop(path.removeprefix(PATH), None)

    def serve(self, token: str) -> dict[str, str]:
        """What the SDKs read there. Raises ValueError for a task that has ended, or a role that is gone."""
        if token not in self._actors:
            raise ValueError("no task has these credentials")
        try:
            return self._session(self._actors[token])
        except NotAssumed as error:
            raise ValueError(str(error)) from error

    def _session(self, actor: Actor) -> dict[str, str]:
        until = self._clock() + SESSION_SECONDS
        name = actor.source.rpartition("/")[2]
        keys = self._authority.session(actor.role, actor.service, source=actor.source, name=name, until=until)
        return {
            "RoleArn": actor.role,
            "AccessKeyId": keys.access_key,
            "SecretAccessKey": keys.secret_key,
            "Token": keys.token,
            "Expiration": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(until)),
        }
