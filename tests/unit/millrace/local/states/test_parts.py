"""Map and Parallel: what runs side by side, and what a failure of one does to the others."""

from __future__ import annotations

import threading
import time
from typing import Any

from .conftest import FunctionFailed, Lab, function


def task(name: str = "f", **fields: Any) -> dict[str, Any]:
    return {"Type": "Task", "Resource": function(name), "End": True, **fields}


def mapping(state: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"Type": "Map", "ItemProcessor": {"StartAt": "T", "States": {"T": state}}, "End": True, **fields}


def parallel(*states: dict[str, Any], **fields: Any) -> dict[str, Any]:
    branches = [{"StartAt": f"B{number}", "States": {f"B{number}": state}} for number, state in enumerate(states)]
    return {"Type": "Parallel", "Branches": branches, "End": True, **fields}


class Gauge:
    """A function that notes how many of its invocations ran at once."""

    def __init__(self) -> None:
        self.running = 0
        self.most = 0
        self._lock = threading.Lock()

    def __call__(self, event: Any) -> Any:
        with self._lock:
            self.running += 1
            self.most = max(self.most, self.running)
        time.sleep(0.02)
        with self._lock:
            self.running -= 1
        return event


def test_a_map_answers_in_the_order_of_its_items(lab: Lab) -> None:
    lab.services.functions["f"] = lambda n: (time.sleep((5 - n) / 100), n * 10)[1]
    assert lab.state(mapping(task()), [1, 2, 3, 4]).output == [10, 20, 30, 40]


def test_a_map_of_nothing_is_an_empty_list(lab: Lab) -> None:
    assert lab.state(mapping(task()), []).output == []


def test_a_map_runs_no_more_at_once_than_its_concurrency(lab: Lab) -> None:
    lab.services.functions["f"] = gauge = Gauge()
    lab.state(mapping(task(), MaxConcurrency=3), list(range(12)))
    assert gauge.most == 3


def test_an_unlimited_map_runs_forty_at_once(lab: Lab) -> None:
    lab.services.functions["f"] = gauge = Gauge()
    run = lab.state(mapping(task()), list(range(90)))
    assert run.status == "SUCCEEDED"
    assert 20 < gauge.most <= 40


def test_a_map_goes_through_a_thousand_items_one_by_one(lab: Lab) -> None:
    lab.services.functions["f"] = lambda n: n
    run = lab.wait(
        lab.start(
            lab.create({"StartAt": "M", "States": {"M": mapping(task(), MaxConcurrency=1)}}),
            list(range(1000)),
        ),
        30,
    )
    assert run.output == list(range(1000))


def test_an_item_selector_sees_the_input_and_the_item(lab: Lab) -> None:
    lab.services.functions["f"] = lambda event: event
    state = mapping(
        task(),
        ItemsPath="$.items",
        ItemSelector={"job.$": "$.job", "chunk.$": "$$.Map.Item.Value", "n.$": "$$.Map.Item.Index"},
    )
    run = lab.state(state, {"job": "j", "items": [7, 8]})
    assert run.output == [{"job": "j", "chunk": 7, "n": 0}, {"job": "j", "chunk": 8, "n": 1}]


def test_items_that_are_no_list_are_a_runtime_error(lab: Lab) -> None:
    run = lab.state(mapping(task(), ItemsPath="$.items"), {"items": 3})
    assert (run.status, run.error) == ("FAILED", "States.Runtime")


def test_a_failing_iteration_stops_the_map_and_the_others_are_aborted(lab: Lab) -> None:
    started: list[int] = []
    release = threading.Event()

    def work(n: int) -> int:
        started.append(n)
        if n == 0:
            time.sleep(0.05)
            raise FunctionFailed("Broken", "item 0")
        release.wait(5)
        return n

    lab.services.functions["f"] = work
    run = lab.state(mapping(task(), MaxConcurrency=2), list(range(10)))
    release.set()
    assert (run.status, run.error) == ("FAILED", "Broken")
    assert sorted(started) == [0, 1]
    assert [kind for kind in run.types if kind.startswith("MapIteration")] == [
        "MapIterationStarted",
        "MapIterationStarted",
        "MapIterationFailed",
        "MapIterationAborted",
    ]
    assert run.types[-2:] == ["MapStateFailed", "ExecutionFailed"]


def test_what_an_aborted_iteration_does_later_leaves_no_trace(lab: Lab) -> None:
    release = threading.Event()

    def work(n: int) -> int:
        if n == 0:
            raise FunctionFailed("Broken")
        release.wait(5)
        return n

    lab.services.functions["f"] = work
    state = mapping(task(), Catch=[{"ErrorEquals": ["Broken"], "Next": "W"}])
    wait = {"Type": "Wait", "Seconds": 1, "End": True}
    execution = lab.start(lab.create({"StartAt": "M", "States": {"M": state, "W": wait}}), [1, 0])
    time.sleep(0.3)
    release.set()
    assert lab.wait(execution).types.count("LambdaFunctionSucceeded") == 0


def test_a_map_is_caught_by_the_error_of_its_iteration(lab: Lab) -> None:
    def work(_: int) -> None:
        raise FunctionFailed("Broken", "item")

    lab.services.functions["f"] = work
    state = mapping(task(), Catch=[{"ErrorEquals": ["Broken"], "ResultPath": "$.failure", "Next": "Caught"}])
    run = lab.state({**state, "ItemsPath": "$.items"}, {"items": [1]})
    assert run.states[-1] == "Caught"
    assert run.output["failure"]["Error"] == "Broken"


def test_a_map_can_fail_with_a_name_of_states(lab: Lab) -> None:
    lab.services.functions["f"] = lambda _: time.sleep(1.5)
    state = mapping(task(TimeoutSeconds=1), Catch=[{"ErrorEquals": ["States.Timeout"], "Next": "Caught"}])
    assert lab.state(state, [1]).states[-1] == "Caught"


def test_a_map_is_retried_as_a_whole(lab: Lab) -> None:
    calls: list[int] = []

    def work(n: int) -> int:
        calls.append(n)
        if len(calls) == 2:
            raise FunctionFailed("Busy")
        return n

    lab.services.functions["f"] = work
    lab.time_scale = 0
    state = mapping(task(), MaxConcurrency=1, Retry=[{"ErrorEquals": ["Busy"]}])
    assert lab.state(state, [1, 2]).output == [1, 2]
    assert calls == [1, 2, 1, 2]


def test_iterations_begin_at_the_start_of_the_map(lab: Lab) -> None:
    lab.services.functions["f"] = lambda n: n
    run = lab.state(mapping(task(), MaxConcurrency=1), [1, 2])
    map_started = next(event["id"] for event in run.events if event["type"] == "MapStateStarted")
    begun = [event["previousEventId"] for event in run.events if event["type"] == "MapIterationStarted"]
    assert begun == [map_started, map_started]


def test_branches_answer_in_order_with_the_input_of_the_state(lab: Lab) -> None:
    lab.services.functions["f"] = lambda event: event["n"] + 1
    run = lab.state(parallel({"Type": "Pass", "End": True}, task()), {"n": 1})
    assert run.output == [{"n": 1}, 2]


def test_a_failing_branch_stops_the_others(lab: Lab) -> None:
    def fail(_: Any) -> None:
        raise FunctionFailed("Broken", "why")

    lab.services.functions["f"] = fail
    started = time.monotonic()
    run = lab.state(parallel({"Type": "Wait", "Seconds": 60, "End": True}, task()), {})
    assert (run.status, run.error) == ("FAILED", "Broken")
    assert time.monotonic() - started < 30
    assert "ParallelStateFailed" in run.types


def test_a_parallel_state_is_caught_and_retried(lab: Lab) -> None:
    calls: list[int] = []

    def work(_: Any) -> str:
        calls.append(1)
        if len(calls) < 3:
            raise FunctionFailed("Busy")
        return "done"

    lab.services.functions["f"] = work
    lab.time_scale = 0
    state = parallel(task(), Retry=[{"ErrorEquals": ["Busy"], "MaxAttempts": 5}])
    assert lab.state(state, {}).output == ["done"]


def test_a_parallel_state_is_retried_as_a_whole(lab: Lab) -> None:
    calls: list[str] = []

    def fail_once(_: Any) -> str:
        calls.append("fails once")
        if calls.count("fails once") == 1:
            time.sleep(0.1)
            raise FunctionFailed("Busy")
        return "done"

    lab.services.functions.update(good=lambda _: calls.append("good"), bad=fail_once)
    lab.time_scale = 0
    lab.state(parallel(task("good"), task("bad"), Retry=[{"ErrorEquals": ["Busy"]}]), {})
    assert sorted(calls) == ["fails once", "fails once", "good", "good"]


def test_a_map_inside_a_parallel_inside_a_map(lab: Lab) -> None:
    lab.services.functions["f"] = lambda n: n + 1
    inner = {"Type": "Map", "ItemProcessor": {"StartAt": "I", "States": {"I": task()}}, "End": True}
    run = lab.state(mapping(parallel(inner)), [[1, 2], [3]])
    assert run.output == [[[2, 3]], [[4]]]


def test_variables_of_a_branch_stay_in_it(lab: Lab) -> None:
    branch = {"Type": "Pass", "Assign": {"n": "{% $outer + 1 %}"}, "Output": "{% $outer %}", "End": True}
    definition = {
        "QueryLanguage": "JSONata",
        "StartAt": "A",
        "States": {
            "A": {"Type": "Pass", "Assign": {"outer": 1}, "Next": "P"},
            "P": {**parallel(branch, branch), "Next": "Z", "End": True},
            "Z": {"Type": "Pass", "Output": "{% $states.input %}", "End": True},
        },
    }
    del definition["States"]["P"]["End"]  # type: ignore[attr-defined]
    assert lab.run(definition).output == [1, 1]


def test_twenty_executions_run_at_once(lab: Lab) -> None:
    lab.services.functions["f"] = gauge = Gauge()
    machine = lab.create({"StartAt": "T", "States": {"T": task()}})
    executions = [lab.start(machine, number) for number in range(20)]
    assert [lab.wait(execution).output for execution in executions] == list(range(20))
    assert gauge.most > 10
