"""What each case promises, checked on its run; the same checks for every engine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from tests.state_machines.cases.case import Case
from tests.state_machines.edges import Edge, all_edges, all_states, handler_of
from tests.state_machines.histories import taken
from tests.state_machines.mocks import UNFORESEEN, Throw
from tests.state_machines.running import Run


def check(case: Case, run: Run) -> None:
    """The execution went the case's way, ended and answered as it says, and asked its Tasks for what it says."""
    assert run.path == case.path
    assert (run.status, run.error) == (("FAILED", case.error) if case.error else ("SUCCEEDED", None))
    if case.cause:
        assert run.cause == case.cause
    if case.output:
        assert {name: run.output.get(name) for name in case.output} == dict(case.output)
    for state, wanted in case.sends.items():
        sent = run.last_visit(state).requests[-1]
        assert {name: sent.get(name) for name in wanted} == dict(wanted), state


def check_retries(case: Case, run: Run, definition: Mapping[str, Any]) -> None:
    """The case's Task met its errors and went on: by its Next, or by the lasting error's Catch."""
    task = case.name.partition("Retried")[0].partition("GivenUp")[0]
    state = all_states(definition)[task]
    thrown = [answer.error for answer in case.answers[task] if isinstance(answer, Throw)]
    visit = next(visit for visit in run.visits if visit.state == task)
    assert visit.failures == thrown
    if "Retried" in case.name:
        assert len(visit.requests) == len(thrown) + 1
        assert visit.next == state.get("Next")
    else:
        assert len(visit.requests) == len(thrown)
        caught = handler_of(thrown[-1], state.get("Catch", []))
        assert visit.next == (state["Catch"][caught[0]]["Next"] if caught else None)
    if not state.get("Catch") and "GivenUp" in case.name:
        assert (run.status, run.error) == ("FAILED", thrown[-1])


def edges_taken(runs: Iterable[Run], definition: Mapping[str, Any]) -> set[Edge]:
    states = all_states(definition)
    return {edge for run in runs for visit in run.visits for edge in taken(visit, states[visit.state])}


def edges_not_taken(runs: Iterable[Run], definition: Mapping[str, Any]) -> list[str]:
    return sorted(map(str, all_edges(definition) - edges_taken(runs, definition)))


def unforeseen_calls(runs: Mapping[str, Run]) -> list[str]:
    return sorted(
        f"{name} called {visit.state}"
        for name, run in runs.items()
        for visit in run.visits
        if UNFORESEEN in visit.failures
    )
