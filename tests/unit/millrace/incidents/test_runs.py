from __future__ import annotations

from millrace.executions.adapter import Executions
from millrace.incidents.runs import start_run
from tests.fakes.operator.aws import INCIDENT_MACHINE, FakeStates


def test_each_run_has_a_name_of_its_own_and_an_empty_input() -> None:
    states = FakeStates()
    runs = [start_run(Executions(states, INCIDENT_MACHINE)) for _ in range(2)]
    assert len({run.name for run in runs}) == 2
    assert {execution.input for execution in states.executions} == {"{}"}
    assert {execution.machine for execution in states.executions} == {INCIDENT_MACHINE}
