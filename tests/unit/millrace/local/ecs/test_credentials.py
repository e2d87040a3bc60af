from __future__ import annotations

import pytest

from millrace.local.acting import Actor
from millrace.local.ecs.credentials import PATH, SESSION_SECONDS, Credentials
from millrace.local.iam import Everything, Keys, NotAssumed

ACTOR = Actor("ecs-tasks.amazonaws.com", "arn:aws:iam::1:role/r", "arn:aws:ecs:r:1:task/c/t1", "1", "r")


class Roles(Everything):
    """Counts its sessions, each of which has keys of its own; a role may go."""

    def __init__(self) -> None:
        self.sessions: list[tuple[str, float]] = []
        self.gone = False

    def session(self, *_about: str, source: str, name: str, until: float) -> Keys:
        if self.gone:
            raise NotAssumed("the role does not exist")
        self.sessions.append((name, until))
        return Keys(f"key {len(self.sessions)}", "secret", "token")


def test_each_time_there_is_a_new_session_of_the_task():
    roles = Roles()
    credentials = Credentials(roles, clock=lambda: 1000.0)
    token = credentials.grant(ACTOR).removeprefix(PATH)
    first, second = credentials.serve(token), credentials.serve(token)
    assert first["AccessKeyId"] != second["AccessKeyId"]
    assert first["Expiration"] == "1970-01-01T06:16:40Z"
    assert set(roles.sessions) == {("t1", 1000.0 + SESSION_SECONDS)}


def test_nobody_else_gets_them_and_nobody_after_the_task():
    credentials = Credentials(Roles())
    path = credentials.grant(ACTOR)
    credentials.revoke(path)
    for token in ("", "guessed", path.removeprefix(PATH)):
        with pytest.raises(ValueError, match="no task"):
            credentials.serve(token)


def test_a_role_that_is_gone_is_told_when_the_task_asks():
    roles = Roles()
    credentials = Credentials(roles)
    token = credentials.grant(ACTOR).removeprefix(PATH)
    roles.gone = True
    with pytest.raises(ValueError, match="does not exist"):
        credentials.serve(token)
