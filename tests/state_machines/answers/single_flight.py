"""What the Tasks of single flight answer in the test cases of any machine that has them, and parts of its ways."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.state_machines.machines import Machine
from tests.state_machines.mocks import Answer, Answers, Return, Throw

TICKET = 5
REGISTERED_AT = "2026-01-31T12:00:00.000Z"
SNAPSHOT_AT = "2026-01-31T12:00:01.000Z"

DONE = Return({})
REFUSED = Throw("DynamoDB.ConditionalCheckFailedException", "The conditional request failed")
FAILURE_TOLD: Answers = {"GiveUp": [DONE], "NotifyFailure": [DONE]}

START = ("Initialize", "ReadInput")
SWEPT = (*START, "AcceptSweep", "Acquire")
SUCCEED = (*START, "AcceptSuccessor", "Acquire")
ASK = (*START, "ReadRequest")
ENTER = ("Register", "Acquire")
LOOK = ("CountLook", "ReadItem", "CheckItem", "ReadTickets", "CheckTickets")
SEE = (*LOOK, "DescribeOwner", "CheckOwner")
SNAPSHOT = ("Snapshot", "CheckSnapshot")
BEGIN = (*SNAPSHOT, "BeginRound", "StartJob")
ENTRY = ("CountJob", "RecordJob", "WaitForJob")
FOLLOW = ("GetJob", "CheckJob")
RECORD = (*ENTRY, *FOLLOW)
COVER = ("Mark", "NoteSpan", "Release", "CheckRelease", "Covered")
RUN = (*BEGIN, *RECORD, *COVER)
RESUME = (*SNAPSHOT, "ResumeJob", "CheckResumed")
DELAY = ("DelayStart", "WaitToStart")
LOSE = ("JobFailed", "ForgetJob", "CheckFailures")
HAND_OVER = ("HandOver", "LetGo", "CheckHandOver")
TELL = ("DescribeFailure", "CheckAudience", "NotifyFailure", "Failed")
GIVE_UP = ("GiveUp", *TELL)


@dataclass(frozen=True)
class Flight:
    """A machine with the states of single flight: what it is asked for, and what its own states answer."""

    machine: Machine
    key: str
    request: Mapping[str, Any]
    result: Any
    """What is kept of a job that is complete."""
    job: Callable[[str], Answer]
    """A look at a job that is COMPLETE, IN_PROGRESS or FAILED."""
    look: Callable[[str], Mapping[str, Any]]
    """What GetJob asks for a job of this name."""
    checks: Answers = field(default_factory=dict)
    """The answers of the Tasks that a request passes before it is registered."""
    starts: Answers = field(default_factory=dict)
    """The answer of StartJob, where that is a Task."""
    losing: tuple[str, ...] = FOLLOW
    """The way from a look at a job that failed to JobFailed."""

    @property
    def waiting(self) -> dict[str, Any]:
        return {**self.request, "wait": True}

    @property
    def sweep(self) -> dict[str, Any]:
        return {"flight": {"key": self.key, "mode": "sweep"}}

    @property
    def successor(self) -> dict[str, Any]:
        return {
            "flight": {"key": self.key, "mode": "successor", "wait": False, "predecessor": self.predecessor, "hop": 2}
        }

    @property
    def me(self) -> str:
        return self.machine.execution("me")

    @property
    def another(self) -> str:
        return self.machine.execution("another")

    @property
    def predecessor(self) -> str:
        return self.machine.execution("predecessor")

    def last_job(self, covers: int) -> dict[str, Any]:
        return {"M": {"job": {"S": "JOB1"}, "covers": {"N": str(covers)}, "result": {"S": json.dumps(self.result)}}}

    def item(
        self,
        *,
        requested: int = TICKET,
        completed: int = TICKET - 1,
        given_up: int = 0,
        owner: str | None = None,
        job: str | None = None,
        covers: int = TICKET,
    ) -> dict[str, Any]:
        """The item of the key as DynamoDB gives it. It has a last complete job if anything was ever covered."""
        return {
            "key": {"S": self.key},
            "requested": {"N": str(requested)},
            "completed": {"N": str(completed)},
            "givenUp": {"N": str(given_up)},
            "fence": {"N": "7"},
            "pendingSince": {"S": REGISTERED_AT},
            "snapshotAt": {"S": SNAPSHOT_AT},
            **({"owner": {"S": owner}} if owner else {}),
            **({"job": {"S": job}, "covers": {"N": str(covers)}, "startedAt": {"S": SNAPSHOT_AT}} if job else {}),
            **({"last": self.last_job(completed)} if completed else {}),
            **({"reason": {"S": '{"Error":"JobFailed"}'}} if given_up else {}),
        }

    def written(self, **state: Any) -> Return:
        """The answer of an update that returns the whole item."""
        return Return({"Attributes": self.item(**state)})

    def read(self, **state: Any) -> Return:
        return Return({"Item": self.item(**state)})

    def owner_is(self, status: str) -> Return:
        return Return({"ExecutionArn": self.another, "Name": "another", "Status": status})

    @property
    def mine(self) -> Return:
        """The key is mine, and my request is pending."""
        return self.written(owner=self.me)

    @property
    def recorded(self) -> Return:
        return self.written(owner=self.me, job="JOB1")

    @property
    def well(self) -> Answers:
        """A request that finds nobody at work."""
        return self.rounds(1)

    def rounds(self, number: int) -> Answers:
        """The same with so many starts of a job, of which the first look finds one complete."""
        return {
            **self.checks,
            "Register": [self.written()],
            "Acquire": [self.mine],
            "Snapshot": [self.mine] * number,
            **{task: list(answers) * number for task, answers in self.starts.items()},
            "RecordJob": [self.recorded] * number,
            "GetJob": [self.job("COMPLETE")],
            "Mark": [DONE],
            "Release": [self.written(completed=TICKET)],
        }

    @property
    def failing(self) -> Answers:
        """A request whose jobs all fail."""
        failed: Answers = {"GetJob": [self.job("FAILED")] * 3, "ForgetJob": [DONE] * 3}
        return {**self.rounds(3), **failed, **FAILURE_TOLD}

    @property
    def asked(self) -> tuple[str, ...]:
        """The way of a request to the key."""
        return (*ASK, "AcceptRequest", *self.checks, *ENTER)

    @property
    def asked_waiting(self) -> tuple[str, ...]:
        return (*ASK, "AcceptWaitingRequest", *self.checks, *ENTER)

    @property
    def lose(self) -> tuple[str, ...]:
        """The way of a job that is recorded and fails."""
        return (*ENTRY, *self.losing, *LOSE)
