"""The queue option's wait, with a producer that is really invoked: it goes on by its token, also after a redrive."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from millrace.local.instance import Instance, Options
from tests.fakes.deployed import eventually, function
from tests.state_machines.answers.kendra_ingestion import BY_QUEUE
from tests.state_machines.cases.case import without
from tests.state_machines.edges import task_names
from tests.state_machines.machines import KENDRA_INGESTION_SQS
from tests.state_machines.mocks import mock_file
from tests.state_machines.running import ROLE, Definitions, history
from tests.substrate import MOCKS, WAIT_SCALE, configure

pytestmark = pytest.mark.network

MACHINE = "waiting"
PRODUCER = """
    def handler(event, context):
        if "-breaks" in event["attempt"]:
            raise RuntimeError("no queue")
"""


@dataclass(frozen=True)
class Waiting:
    """The machine, whose every Task is answered by mocks but for the one that waits."""

    states: Any
    machine: str

    def start(self, name: str) -> str:
        arn = self.states.start_execution(stateMachineArn=f"{self.machine}#Waiting", name=name)["executionArn"]
        return str(arn)

    def tokens(self, arn: str, count: int) -> list[str]:
        """The tokens that the producer was given, once it has taken that many."""

        def look() -> list[str]:
            events = list(history(self.states, arn))
            if sum(event["type"] == "TaskSubmitted" for event in events) < count:
                return []
            asked = [
                json.loads(event["taskScheduledEventDetails"]["parameters"])
                for event in events
                if event["type"] == "TaskScheduled"
            ]
            return [parameters["Payload"]["token"] for parameters in asked if "Payload" in parameters]

        return eventually(look)

    def ended(self, arn: str) -> list[str]:
        """The states that the execution entered, once it has ended."""
        eventually(lambda: self.status(arn) != "RUNNING")
        return [
            event["stateEnteredEventDetails"]["name"]
            for event in history(self.states, arn)
            if event["type"].endswith("StateEntered")
        ]

    def status(self, arn: str) -> str:
        return str(self.states.describe_execution(executionArn=arn)["status"])


@pytest.fixture(scope="module")
def waiting(definitions: Definitions, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Waiting]:
    definition = definitions[KENDRA_INGESTION_SQS.name]
    mocks = mock_file(
        MACHINE,
        {"Waiting": without(BY_QUEUE.all_well, BY_QUEUE.task)},
        task_names(definition),
        real=[BY_QUEUE.task],
    )
    instance = Instance.start(tmp_path_factory.mktemp("waiting"), Options(enforce_iam=False))
    try:
        configure(instance, {MOCKS: mocks, WAIT_SCALE: 0})
        text = json.dumps(definition).replace("millrace-producer", function(instance, PRODUCER))
        states = instance.client("stepfunctions")
        arn = states.create_state_machine(name=MACHINE, definition=text, roleArn=ROLE)["stateMachineArn"]
        yield Waiting(states, arn)
    finally:
        instance.stop()


def test_the_job_goes_on_when_every_message_is_accounted_for(waiting: Waiting) -> None:
    arn = waiting.start("goes-on")
    (token,) = waiting.tokens(arn, 1)
    assert waiting.status(arn) == "RUNNING"
    waiting.states.send_task_success(taskToken=token, output="{}")
    assert waiting.ended(arn)[-1] == "Notify"


def test_a_producer_that_breaks_does_not_lose_the_report(waiting: Waiting) -> None:
    path = waiting.ended(waiting.start("producer-breaks"))
    assert path[path.index("ProcessBatches") + 1 :][:4] == [
        "Verify",
        "CheckVerification",
        "ConfirmLock",
        "AggregateFailures",
    ]
    assert path[-1] == "Notify"


def test_an_execution_that_is_redriven_asks_the_producer_again_and_plans_nothing_again(waiting: Waiting) -> None:
    arn = waiting.start("redriven")
    waiting.tokens(arn, 1)
    waiting.states.stop_execution(executionArn=arn)
    assert waiting.ended(arn)[-1] == "ProcessBatches"
    waiting.states.redrive_execution(executionArn=arn)
    first, second = waiting.tokens(arn, 2)
    assert first != second
    waiting.states.send_task_success(taskToken=second, output="{}")
    path = waiting.ended(arn)
    assert (waiting.status(arn), path.count("ListBatches"), path[-1]) == ("SUCCEEDED", 1, "Notify")


def test_the_token_of_before_a_redrive_ends_nothing(waiting: Waiting) -> None:
    arn = waiting.start("answered-late")
    (first,) = waiting.tokens(arn, 1)
    waiting.states.stop_execution(executionArn=arn)
    waiting.ended(arn)
    waiting.states.redrive_execution(executionArn=arn)
    _, second = waiting.tokens(arn, 2)
    with pytest.raises(waiting.states.exceptions.TaskTimedOut):
        waiting.states.send_task_success(taskToken=first, output="{}")
    assert waiting.status(arn) == "RUNNING"
    waiting.states.send_task_success(taskToken=second, output="{}")
    assert waiting.ended(arn)[-1] == "Notify"
