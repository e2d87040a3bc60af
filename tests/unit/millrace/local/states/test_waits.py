"""Wait states, with the times as the interpreter reads them."""

from __future__ import annotations

import datetime as dt
import threading
import time
from contextlib import suppress
from typing import Any

import pytest
from moto.stepfunctions.parser.asl.component import eval_component

from millrace.local.states.shapes import iso_time

from .conftest import FunctionFailed, Lab, function


def wait(**fields: Any) -> dict[str, Any]:
    return {"Type": "Wait", "End": True, **fields}


def soon(seconds: float) -> str:
    return iso_time(dt.datetime.now(dt.UTC) + dt.timedelta(seconds=seconds))


def timed(lab: Lab, state: dict[str, Any], given: Any) -> float:
    before = time.monotonic()
    assert lab.state(state, given).status == "SUCCEEDED"
    return time.monotonic() - before


def test_a_wait_takes_its_seconds(lab: Lab) -> None:
    assert 1 <= timed(lab, wait(Seconds=1), {}) < 10


def test_a_wait_takes_the_seconds_of_its_input(lab: Lab) -> None:
    assert 1 <= timed(lab, wait(SecondsPath="$.s"), {"s": 1}) < 10


def test_a_wait_ends_at_its_timestamp(lab: Lab) -> None:
    moment = soon(0.4)
    assert 0.3 <= timed(lab, wait(TimestampPath="$.at"), {"at": moment}) < 10


def test_a_timestamp_may_have_an_offset(lab: Lab) -> None:
    east = dt.timezone(dt.timedelta(hours=5))
    moment = (dt.datetime.now(east) + dt.timedelta(seconds=0.4)).isoformat()
    assert 0.2 <= timed(lab, wait(TimestampPath="$.at"), {"at": moment}) < 10


def test_a_timestamp_in_the_past_does_not_wait(lab: Lab) -> None:
    assert timed(lab, wait(Timestamp="2020-01-01T00:00:00Z"), {}) < 10


@pytest.mark.parametrize(
    ("state", "given"),
    [
        (wait(SecondsPath="$.s"), {"s": -1}),
        (wait(SecondsPath="$.s"), {"s": "1"}),
        (wait(SecondsPath="$.no"), {}),
        (wait(TimestampPath="$.at"), {"at": "tomorrow"}),
    ],
)
def test_a_wait_for_what_is_no_time_is_a_runtime_error(lab: Lab, state: dict[str, Any], given: Any) -> None:
    run = lab.state(state, given)
    assert (run.status, run.error) == ("FAILED", "States.Runtime")


def test_a_time_scale_of_zero_skips_waits(lab: Lab) -> None:
    lab.time_scale = 0
    assert timed(lab, wait(Seconds=3600), {}) < 10


def test_executions_that_fail_at_the_same_moment_are_retried_as_often_as_told(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    together = threading.Barrier(2)

    def slowly() -> str:
        with suppress(threading.BrokenBarrierError):
            together.wait(0.2)
        return str(time.monotonic_ns())

    monkeypatch.setattr(eval_component, "long_uid", slowly)
    lab.time_scale = 0
    lab.services.functions["fails"] = fail
    retry = [{"ErrorEquals": ["Busy"], "MaxAttempts": 3, "IntervalSeconds": 1}]
    state = {"Type": "Task", "Resource": function("fails"), "Retry": retry, "End": True}
    machine = lab.create({"StartAt": "It", "States": {"It": state}})
    runs = [lab.wait(execution) for execution in [lab.start(machine), lab.start(machine)]]
    assert [run.types.count("LambdaFunctionFailed") for run in runs] == [4, 4]


def fail(_: Any) -> Any:
    raise FunctionFailed("Busy")
