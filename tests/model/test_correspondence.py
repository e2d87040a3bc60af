"""The model is of the definition: the same calls, conditions and effects, and the same ways from call to call."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.conftest import Tell
from tests.fakes.expressions import Expressions
from tests.model.asl import filled
from tests.model.lockstep import KEY, Mismatch, item_of, job_id, name_of, walk
from tests.model.protocol import CALLS, WRITES, Attempt
from tests.model.world import NO_JOB, NOBODY, Execution, Faults, Item, Scope
from tests.state_machines.machines import KB_SYNC

STATES: Mapping[str, Any] = KB_SYNC.rendered()["States"]
ME, OTHER = 0, 1
SMALLEST = Execution(snapshot=1, covers=1)

OF_THE_WORKFLOW = {"CheckSource"}
"""Before a request is registered nothing is asked of the item."""
OF_A_LOOK = {"SummarizeJob"}
"""The answer to GetJob in a smaller form."""
OF_A_FAILURE = {"NotifyFailure"}
"""After an execution has given up, somebody is told."""

TOGETHER = (
    Scope(1),
    Scope(2, sweepers=0, quiet=True, faults=Faults(lost=1)),
    Scope(2, quiet=True, faults=Faults(foreign=1, siblings=1)),
    Scope(2, quiet=True, faults=Faults(stale=1, failed_jobs=1)),
    Scope(1, 0, 1, 0, quiet=True, faults=Faults(failed_jobs=2, errors=1)),
    Scope(0, 1, 1, 1, quiet=True, faults=Faults(failed_jobs=1, errors=1)),
    Scope(1, 1, 2, 1, quiet=True, faults=Faults(crashes=1)),
    Scope(1, 1, 1, 1, quiet=True, faults=Faults(stale=1)),
    Scope(1, 0, 2, 2, quiet=True, faults=Faults(crashes=1, redrives=1, full=1)),
    Scope(0, 1, 2, 2, quiet=True, faults=Faults(crashes=1, redrives=1, full=1)),
    Scope(1, quiet=True, faults=Faults(late=1, failed_jobs=1)),
    Scope(1, 0, 2, 1, quiet=True, faults=Faults(late=1, full=1)),
    Scope(1, sweepers=0, faults=Faults(crashes=1, redrives=1, late=1)),
    Scope(0, 2, 0, 2, faults=Faults(late=1, errors=1)),
)
"""Together they lead along every way of the definition but those of `OTHERWISE`."""

TOGETHER_FOR_LONG = (
    Scope(3, quiet=True),
    Scope(1, 1, 1, 1, quiet=True, faults=Faults(late=1, errors=1)),
    Scope(2, sweepers=2, quiet=True, faults=Faults(crashes=1, redrives=1, late=1)),
    Scope(1, 1, 2, 2, quiet=True, faults=Faults(crashes=1, redrives=1, full=1)),
    Scope(1, 1, 2, 2, quiet=True, faults=Faults(crashes=1, failed_jobs=1, lost=1, foreign=1)),
)

FAILS_FOR_GOOD = {"Failed", "NotifyFailure"}
OTHERWISE = {
    ("GetJob", "GetJob"): "a look at a job that still runs changes nothing",
    ("Release", "NothingPending"): "an item with tickets covered and no last job was changed by hand",
}


def small_items() -> Iterator[Item]:
    """Every item with at most two tickets."""
    for requested, owner, fence in itertools.product((1, 2), (NOBODY, ME, OTHER), (1, 2)):
        for completed, given_up in itertools.product(range(requested + 1), repeat=2):
            yield Item(requested, completed, given_up, owner, fence)
            for covers in range(1, requested + 1):
                yield Item(requested, completed, given_up, owner, fence, job=0, covers=covers)


def small_memories() -> Iterator[Execution]:
    """What an execution may remember of such an item."""
    for fence, seen_owner, seen_fence in itertools.product((1, 2), (ME, OTHER), (1, 2)):
        for snapshot in (1, 2):
            for covers in range(1, snapshot + 1):
                yield Execution(
                    fence=fence, snapshot=snapshot, covers=covers, job=1, seen_owner=seen_owner, seen_fence=seen_fence
                )


def stored(item: Item) -> dict[str, Any]:
    """The item as DynamoDB has it."""
    attributes: dict[str, Any] = {
        "key": {"S": KEY},
        "requested": {"N": str(item.requested)},
        "completed": {"N": str(item.completed)},
        "givenUp": {"N": str(item.given_up)},
        "fence": {"N": str(item.fence)},
        "snapshotAt": {"S": "2025-10-05T11:59:00Z"},
        "pendingSince": {"S": "2025-10-05T11:58:00Z"},
    }
    if item.completed:
        attributes["last"] = {"M": {"covers": {"N": str(item.completed)}}}
    if item.given_up:
        attributes["reason"] = {"S": "{}"}
    if item.owner != NOBODY:
        attributes["owner"] = {"S": name_of(item.owner)}
    if item.job != NO_JOB:
        attributes |= {
            "job": {"S": job_id(item.job)},
            "covers": {"N": str(item.covers)},
            "startedAt": {"S": "2025-10-05T11:57:00Z"},
        }
    return attributes


def carried(mine: Execution) -> dict[str, Any]:
    """What an execution of the machine carries when it remembers this."""
    seen = {"owner": {"S": name_of(mine.seen_owner)}, "fence": {"N": str(mine.seen_fence)}}
    return {
        "request": {"key": KEY},
        "flight": {"fence": str(mine.fence)},
        "snapshot": {"requested": mine.snapshot, "item": {"snapshotAt": {"S": "2025-10-05T11:59:00Z"}}},
        "job": {"id": job_id(mine.job), "covers": mine.covers},
        "result": {"text": "{}"},
        "failure": {"Error": "JobFailed", "Cause": "."},
        "found": {"Item": seen},
    }


def ways(name: str) -> set[str]:
    """The next Tasks, or ends, that the answers and errors of a Task can lead to."""
    found: set[str] = set()
    visited: set[str] = set()
    pending = onward(name)
    while pending:
        state = pending.pop()
        if state in visited:
            continue
        visited.add(state)
        ends = STATES[state]["Type"] in ("Task", "Fail") or STATES[state].get("End")
        if ends and state not in OF_A_LOOK:
            found.add(state)
        else:
            pending += onward(state)
    return found


def onward(name: str) -> list[str]:
    state = STATES[name]
    branches = [*state.get("Choices", []), *state.get("Catch", [])]
    targets = [state.get("Next"), state.get("Default"), *(branch["Next"] for branch in branches)]
    return [target for target in targets if target]


def test_every_call_of_the_definition_is_a_step_of_the_model() -> None:
    tasks = {name for name, state in STATES.items() if state["Type"] == "Task"}
    assert tasks - OF_THE_WORKFLOW - OF_A_LOOK - OF_A_FAILURE == set(CALLS)


@pytest.mark.parametrize("name", WRITES)
def test_a_write_has_the_condition_and_the_effect_that_the_model_gives_it(name: str) -> None:
    """For every small item and all that an execution may remember."""
    written = refused = 0
    for mine in small_memories():
        expressions = Expressions(request_of(name, mine))
        for item in small_items():
            allowed = WRITES[name].allowed(Attempt(item, ME, mine))
            assert expressions.allow(stored(item)) is allowed, f"{mine} of {item}"
            if not allowed:
                refused += 1
            else:
                written += 1
                effect = expressions.updated(stored(item))
                assert item_of(effect) == WRITES[name].effect(Attempt(item, ME, mine)), f"{mine} of {item}"
    assert written
    assert refused or name == "Register"


def test_the_first_registration_makes_the_item() -> None:
    assert item_of(Expressions(request_of("Register")).updated({})) == Item(requested=1)


@pytest.mark.parametrize("name", sorted(WRITES.keys() - {"Register"}))
def test_no_other_write_makes_an_item(name: str) -> None:
    assert not Expressions(request_of(name)).allow({})


def request_of(name: str, mine: Execution = SMALLEST) -> Any:
    context = {"Execution": {"Id": name_of(ME)}, "State": {"EnteredTime": "2025-10-05T12:00:00Z"}}
    return filled(STATES[name]["Parameters"], carried(mine), context)


@pytest.mark.soak
@pytest.mark.parametrize("scope", TOGETHER_FOR_LONG, ids=str)
def test_model_and_definition_go_the_same_ways_in_larger_scopes(scope: Scope, tell: Tell) -> None:
    done = walk(scope)
    tell(f"{len(done.worlds):,} worlds, {done.moves:,} moves in lockstep ({scope})")


def test_model_and_definition_go_the_same_ways(tell: Tell) -> None:
    """In lockstep through every world of the scopes: each answer, error and death leads both to the same call, with the
    same item, tickets, fences, tokens and names."""
    walks = [walk(scope, sweeper=scope.sweepers > 0) for scope in TOGETHER]
    seen = set().union(*(done.seen for done in walks))
    written = {(task, way) for task in CALLS for way in ways(task)}
    unseen = {(task, way) for task, way in written - seen if way not in FAILS_FOR_GOOD}
    assert unseen == set(OTHERWISE)
    tell(f"{sum(len(done.worlds) for done in walks):,} worlds, {sum(done.moves for done in walks):,} moves in lockstep")


def test_a_call_that_fails_for_good_ends_the_execution_as_if_it_were_killed() -> None:
    """Which the model does not tell from a death; only a look at the owner is never the end of anything."""
    deadly = {task for task in CALLS if ways(task) & FAILS_FOR_GOOD}
    assert set(CALLS) - deadly == {"DescribeOwner", "StartJob", "GetJob"}


@pytest.mark.parametrize(
    ("state", "field", "otherwise"),
    [
        ("Release", "ConditionExpression", "#owner = :me AND #fence = :fence"),
        ("TakeOver", "ConditionExpression", "#owner = :seen"),
        ("ForgetJob", "UpdateExpression", "SET #lastFailure = :failure"),
        ("Mark", "UpdateExpression", "SET #completed = :covers, #last = :last"),
    ],
)
def test_a_definition_with_another_expression_is_told_from_the_model(
    monkeypatch: pytest.MonkeyPatch, state: str, field: str, otherwise: str
) -> None:
    monkeypatch.setitem(STATES[state], "Parameters", with_expression(STATES[state]["Parameters"], field, otherwise))
    with pytest.raises(AssertionError):
        test_a_write_has_the_condition_and_the_effect_that_the_model_gives_it(state)


def with_expression(parameters: Mapping[str, Any], field: str, text: str) -> dict[str, Any]:
    """A write with another expression; what it does not use any more is not given."""
    changed = {**parameters, field: text}
    used = re.findall(r"[#:]\w+", f"{changed['ConditionExpression']} {changed['UpdateExpression']}")
    for given in ("ExpressionAttributeNames", "ExpressionAttributeValues"):
        changed[given] = {token: what for token, what in parameters[given].items() if token in used}
    return changed


def test_a_definition_that_takes_another_way_is_told_from_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    changed = KB_SYNC.rendered()
    changed["States"]["ForgetJob"]["Next"] = "DelayStart"
    monkeypatch.setattr("tests.model.lockstep.definition_of", lambda: changed)
    with pytest.raises(Mismatch, match="execution 0 comes to Snapshot, in the model to GiveUp"):
        walk(Scope(1, sweepers=0, faults=Faults(failed_jobs=2)), sweeper=False)
