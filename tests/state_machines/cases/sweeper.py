"""The test cases of the sweeper."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from tests.state_machines.answers.kb_sync import KEY
from tests.state_machines.cases.case import Case, Road, Suite
from tests.state_machines.machines import KB_SYNC, KB_SYNC_SWEEPER
from tests.state_machines.mocks import Answers, Return, Throw

BOUNDS = {10: 3}
PAGES = BOUNDS[10]
STARTED = Return({"ExecutionArn": KB_SYNC.execution("sweep"), "StartDate": 1780000000})
ALREADY = Throw("StepFunctions.ExecutionAlreadyExistsException")

BEGIN = ("Initialize", "FindPending")
COUNT = ("CountPage", "CheckPages")
END = ("CheckMissed", "Done")
TICK = {"source": "aws.scheduler"}


def page(*keys: str, last: bool = True) -> Return:
    found: dict[str, Any] = {"Items": [{"key": {"S": key}} for key in keys], "Count": len(keys), "ScannedCount": 100}
    return Return(found if last else {**found, "LastEvaluatedKey": {"key": {"S": keys[-1] if keys else KEY}}})


def case(
    name: str, promise: str, pages: Sequence[Return], path: tuple[str, ...], *, sweep: Answers, **more: Any
) -> Case:
    answers: Answers = {"FindPending": pages[:1], "FindMore": pages[1:], **sweep}
    return Case(name, promise, {task: given for task, given in answers.items() if given}, path, TICK, **more)


CASES = [
    case(
        "NothingPends",
        "a table without pending requests starts nothing",
        [page()],
        (*BEGIN, "SweepPage", *COUNT, *END),
        sweep={},
        sends={
            "FindPending": {
                "TableName": "millrace-sync",
                "FilterExpression": "#requested > #completed",
                "ConsistentRead": True,
            }
        },
    ),
    case(
        "TwoKeysPend",
        "each key with pending requests gets an execution that is named for it and for the sweep",
        [page("a/b", KEY)],
        (*BEGIN, "SweepPage", "Sweep", "Sweep", *COUNT, *END),
        sweep={"Sweep": [STARTED, STARTED]},
        sends={
            "Sweep": {
                "StateMachineArn": KB_SYNC.arn,
                "Name": f"sweep-{hashlib.sha256(f'TwoKeysPend {KEY}'.encode()).hexdigest()}",
                "Input": {"flight": {"key": KEY, "mode": "sweep"}},
            }
        },
    ),
    case(
        "MorePages",
        "a table of several pages is read to its end",
        [page("a/b", last=False), page(last=False), page("c/d")],
        (
            *(*BEGIN, "SweepPage", "Sweep", *COUNT, "FindMore", "SweepPage", *COUNT),
            *("FindMore", "SweepPage", "Sweep", *COUNT, *END),
        ),
        sweep={"Sweep": [STARTED, STARTED]},
        sends={"FindMore": {"ExclusiveStartKey": {"key": {"S": KEY}}}},
    ),
    case(
        "AlreadySwept",
        "an execution that was started before is not started again, and nothing is missed",
        [page(KEY)],
        (*BEGIN, "SweepPage", "Sweep", "AlreadySwept", *COUNT, *END),
        sweep={"Sweep": [ALREADY]},
    ),
    case(
        "TooManyPages",
        "a table that is too large for one history is told of after its first pages were swept",
        [page(last=False)] * PAGES,
        (*BEGIN, *("SweepPage", *COUNT, "FindMore") * (PAGES - 1), "SweepPage", *COUNT, "TooManyKeys"),
        sweep={},
        error="TooManyKeys",
    ),
    case(
        "KeyMissed",
        "a key whose execution cannot be started does not stop the others, and is told of at the end",
        [page("a/b", KEY, last=False), page("c/d")],
        (
            *(*BEGIN, "SweepPage", "Sweep", "Missed", "Sweep", *COUNT),
            *("FindMore", "SweepPage", "Sweep", *COUNT, "CheckMissed", "KeysMissed"),
        ),
        sweep={"Sweep": [*[Throw("StepFunctions.AWSStepFunctionsException", "denied")] * 5, STARTED, STARTED]},
        error="KeysMissed",
    ),
]

ROAD = case("Road", "", [page(KEY, last=False), page()], (), sweep={"Sweep": [STARTED]})

SUITE = Suite(KB_SYNC_SWEEPER, CASES, lambda _: Road(ROAD.answers, TICK), bounds=BOUNDS)
