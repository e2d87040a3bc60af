from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from millrace.local.acting import Forbidden
from millrace.local.emulated import Emulated
from millrace.local.pipes.pipe import Pipe
from millrace.local.pipes.service import Pipes
from millrace.local.wire import ApiError

QUEUE = "arn:aws:sqs:us-east-1:123456789012:q"
MACHINE = "arn:aws:states:us-east-1:123456789012:stateMachine:m"
ROLE = "arn:aws:iam::123456789012:role/r"
FOREIGN = "arn:aws:sqs:us-east-1:123456789012:forbidden"


class Served:
    """Pipes whose background work is done when the test says so."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.tasks: list[Callable[[], None]] = []
        self.moves = 0
        self.pipes = Pipes(
            scope=lambda: ("us-east-1", "123456789012"),
            clock=lambda: self.now,
            readable=self._readable,
            later=self.tasks.append,
            moved=self._moved,
        )
        self.service = Emulated("pipes", self.pipes.operations())

    @staticmethod
    def _readable(pipe: Pipe) -> None:
        if pipe.source == FOREIGN:
            raise Forbidden("the role is not allowed to")

    def _moved(self) -> None:
        self.moves += 1

    def ask(self, operation: str, **request: Any) -> dict[str, Any]:
        return self.service.perform(operation, request)

    def create(self, name: str = "p", **more: Any) -> dict[str, Any]:
        return self.ask("CreatePipe", **{"Name": name, "Source": QUEUE, "Target": MACHINE, "RoleArn": ROLE, **more})

    def settle(self) -> None:
        while self.tasks:
            self.tasks.pop(0)()

    def running(self) -> list[str]:
        return [pipe.name for pipe in self.pipes.running()]


def test_a_pipe_runs_when_it_is_made_and_not_before():
    served = Served()
    assert served.create()["CurrentState"] == "CREATING"
    assert served.running() == []
    served.settle()
    assert served.running() == ["p"]
    assert served.moves == 1


def test_a_pipe_that_may_not_read_its_queue_says_why():
    served = Served()
    served.create(Source=FOREIGN)
    served.settle()
    told = served.ask("DescribePipe", Name="p")
    assert (told["CurrentState"], told["StateReason"]) == ("CREATE_FAILED", "the role is not allowed to")
    assert served.running() == []


def test_a_pipe_on_its_way_cannot_be_changed():
    served = Served()
    served.create()
    for operation in ("StopPipe", "StartPipe", "DeletePipe"):
        with pytest.raises(ApiError, match="ConflictException"):
            served.ask(operation, Name="p")


def test_what_a_pipe_was_asked_for_is_told_with_its_defaults():
    served = Served()
    target = {"InputTemplate": "{}", "StepFunctionStateMachineParameters": {"InvocationType": "FIRE_AND_FORGET"}}
    served.create(TargetParameters=target, Description="d", Tags={"a": "b"})
    told = served.ask("DescribePipe", Name="p")
    assert told["SourceParameters"] == {"SqsQueueParameters": {"BatchSize": 10}}
    assert told["TargetParameters"] == target
    assert (told["Description"], told["Tags"], told["DesiredState"]) == ("d", {"a": "b"}, "RUNNING")


def test_an_update_replaces_each_of_the_parameters_as_a_whole():
    served = Served()
    queue = {"BatchSize": 100, "MaximumBatchingWindowInSeconds": 5}
    filters = {"Filters": [{"Pattern": '{"body": ["a"]}'}]}
    served.create(SourceParameters={"SqsQueueParameters": queue, "FilterCriteria": filters})
    served.settle()
    served.now = 2000.0
    served.ask("UpdatePipe", Name="p", RoleArn=ROLE, SourceParameters={"SqsQueueParameters": {"BatchSize": 5}})
    told = served.ask("DescribePipe", Name="p")
    assert told["SourceParameters"] == {"SqsQueueParameters": {"BatchSize": 5}, "FilterCriteria": filters}
    assert (told["CreationTime"], told["LastModifiedTime"], told["CurrentState"]) == (1000.0, 2000.0, "UPDATING")
    served.settle()
    served.ask("UpdatePipe", Name="p", RoleArn=ROLE, SourceParameters={"FilterCriteria": {}}, DesiredState="STOPPED")
    served.settle()
    told = served.ask("DescribePipe", Name="p")
    assert told["SourceParameters"]["FilterCriteria"] == {}
    assert told["CurrentState"] == "STOPPED"


def test_a_refused_update_changes_nothing():
    served = Served()
    served.create()
    served.settle()
    with pytest.raises(ApiError, match="ValidationException"):
        served.ask("UpdatePipe", Name="p", RoleArn=ROLE, SourceParameters={"SqsQueueParameters": {"BatchSize": 11}})
    assert served.ask("DescribePipe", Name="p")["SourceParameters"]["SqsQueueParameters"] == {"BatchSize": 10}
    assert served.running() == ["p"]


def test_a_listing_is_read_in_pages():
    served = Served()
    for number in range(5):
        served.create(f"p{number}")
    first = served.ask("ListPipes", Limit=2)
    second = served.ask("ListPipes", Limit=2, NextToken=first["NextToken"])
    last = served.ask("ListPipes", Limit=2, NextToken=second["NextToken"])
    names = [each["Name"] for page in (first, second, last) for each in page["Pipes"]]
    assert names == ["p0", "p1", "p2", "p3", "p4"]
    assert "NextToken" not in last
    assert served.ask("ListPipes", NamePrefix="p3")["Pipes"][0]["Source"] == QUEUE
    assert served.ask("ListPipes", TargetPrefix=QUEUE)["Pipes"] == []
