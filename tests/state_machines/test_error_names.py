"""The error names that the machines match are those that somebody throws: a name with a slip matches nothing."""

from __future__ import annotations

import pytest

import incident_sync.errors
import kendra_ingestion.errors
import vector_store.errors
from millrace.local.states.integrations import integration
from tests.state_machines.edges import State, all_states
from tests.state_machines.machines import (
    COMPACTION,
    INCIDENT_SYNC,
    KB_SYNC,
    KENDRA_INGESTION,
    KENDRA_INGESTION_SQS,
    MACHINES,
    Machine,
)

# What Lambda answers in place of a function, in the AWS SDK's names.
# https://docs.aws.amazon.com/step-functions/latest/dg/sfn-best-practices.html (transient Lambda service exceptions)
SERVICE_FAILS = {
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.TooManyRequestsException",
    "Lambda.ClientExecutionTimeoutException",
}
# What is told of a function that died: no reason known, its process ended, its time ran out, no answer at all.
FUNCTION_DIES = {"Lambda.Unknown", "Runtime.ExitError", "Sandbox.Timedout", "States.Timeout"}
SINK_FAILS = {"SinkThrottled", "SinkUnavailable"}
PASS_WAITS = {"PassBusy"}
STORE_FAILS = {"StoreUnavailable"}
QUEUEING_GOES_ON = {"QueueingUnfinished", "QueueUnavailable"}
QUEUEING_ENDS = {"ConfigurationInvalid", "MessageRefused", "WorkMissing"}

# The states of the machines with functions. Of a name that several have the last one's is meant: DescribeOwner and
# NotifyFailure are alike in all of them, and ProcessBatches is no Task but in kendra_ingestion's option.
STATES: dict[str, State] = {
    name: state
    for machine in (COMPACTION, KENDRA_INGESTION, KENDRA_INGESTION_SQS, INCIDENT_SYNC)
    for name, state in all_states(machine.rendered()).items()
}
PRODUCER = "ProcessBatches"
FUNCTIONS = sorted(name for name, state in STATES.items() if ":function:" in state.get("Resource", ""))


def listed(task: str, field: str) -> set[str]:
    return {error for handler in STATES[task].get(field, []) for error in handler["ErrorEquals"]}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_is_retried_when_its_service_fails_or_it_dies(function: str) -> None:
    of_its_own = SINK_FAILS | PASS_WAITS | STORE_FAILS
    assert listed(function, "Retry") - of_its_own == SERVICE_FAILS | FUNCTION_DIES


def test_the_producer_is_retried_as_other_functions_but_not_when_the_wait_for_its_messages_ends() -> None:
    known = QUEUEING_GOES_ON | QUEUEING_ENDS | {"States.TaskFailed"}
    assert listed(PRODUCER, "Retry") - known == (SERVICE_FAILS | FUNCTION_DIES) - {"States.Timeout"}


def test_whatever_else_fails_the_producer_is_retried_where_that_can_help() -> None:
    *_, hopeless, rest = STATES[PRODUCER]["Retry"]
    assert (set(hopeless["ErrorEquals"]), hopeless["MaxAttempts"]) == (QUEUEING_ENDS, 0)
    assert rest["ErrorEquals"] == ["States.TaskFailed"]


def test_a_producer_that_did_not_come_to_its_end_is_called_again() -> None:
    assert listed(PRODUCER, "Retry") >= QUEUEING_GOES_ON


@pytest.mark.parametrize("function", ["ProcessBatch", "Verify"])
def test_the_functions_that_talk_to_the_sink_are_retried_when_it_fails(function: str) -> None:
    assert listed(function, "Retry") >= SINK_FAILS


@pytest.mark.parametrize(
    ("function", "errors"),
    [("SyncBatch", PASS_WAITS | STORE_FAILS), ("Confirm", STORE_FAILS), ("GetJob", STORE_FAILS)],
)
def test_the_functions_that_work_on_incidents_or_deltas_are_retried_when_it_is_not_the_datas_fault(
    function: str, errors: set[str]
) -> None:
    assert listed(function, "Retry") >= errors


@pytest.mark.parametrize("function", [*FUNCTIONS, PRODUCER])
def test_a_name_without_a_service_is_an_error_of_the_functions(function: str) -> None:
    own = {name for name in listed(function, "Retry") | listed(function, "Catch") if "." not in name}
    modules = (kendra_ingestion.errors, incident_sync.errors, vector_store.errors)
    assert own <= {name for module in modules for name, kind in vars(module).items() if isinstance(kind, type)}


def listed_by(state: State) -> set[str]:
    handlers = [*state.get("Retry", []), *state.get("Catch", [])]
    return {error for handler in handlers for error in handler["ErrorEquals"]}


SERVICE_TASKS = [
    pytest.param(state, id=f"{machine} {name}")
    for machine, of_machine in MACHINES.items()
    for name, state in all_states(of_machine.rendered()).items()
    if ":states:::" in state.get("Resource", "") and ":lambda:" not in state["Resource"]
]


@pytest.mark.parametrize("state", SERVICE_TASKS)
def test_an_error_of_a_service_has_the_name_that_its_integration_gives_it(state: State) -> None:
    called = integration(state["Resource"])
    known = {called.error_name(shape.name, 400) for shape in called.operation.error_shapes}
    unmodelled = {called.error_name("Unmodelled", 400), f"{called.error_prefix}.SdkClientException"}
    assert {name for name in listed_by(state) if not name.startswith("States.")} <= known | unmodelled


@pytest.mark.parametrize("machine", [KB_SYNC, COMPACTION], ids=str)
def test_whatever_single_flight_is_refused_is_an_answer_and_is_not_retried(machine: Machine) -> None:
    conditional = {
        name: state
        for name, state in all_states(machine.rendered()).items()
        if "ConditionExpression" in state.get("Parameters", {})
    }
    assert len(conditional) == 9
    for name, state in conditional.items():
        first, rest = state["Retry"]
        assert (first["ErrorEquals"], first["MaxAttempts"]) == (["DynamoDB.ConditionalCheckFailedException"], 0), name
        assert rest["ErrorEquals"] == ["States.ALL"], name


def test_of_a_nested_execution_only_its_start_is_tried_again() -> None:
    """The child has retried by itself; Step Functions tells its failure as States.TaskFailed, which a wildcard
    matches as well."""
    assert not listed("Ingest", "Retry") & {"States.TaskFailed", "States.ALL", "States.Timeout"}


def test_what_only_a_person_can_mend_is_not_retried_and_what_passes_is_not_given_up() -> None:
    start = all_states(KB_SYNC.rendered())["StartJob"]
    hopeless = {
        f"BedrockAgent.{name}" for name in ("ValidationException", "AccessDeniedException", "ResourceNotFoundException")
    }
    assert hopeless <= set(start["Retry"][0]["ErrorEquals"])
    caught = {error: catcher["Next"] for catcher in start["Catch"] for error in catcher["ErrorEquals"]}
    assert not hopeless & caught.keys()
    modelled = {f"BedrockAgent.{shape.name}" for shape in integration(start["Resource"]).operation.error_shapes}
    assert {caught[error] for error in modelled - hopeless} == {"JobConflicted", "DelayStart"}
    assert caught["States.ALL"] == "GiveUp"


@pytest.mark.parametrize(
    ("task", "refusal"),
    [
        ("AcquireLock", "DynamoDB.ConditionalCheckFailedException"),
        ("TakeOverLock", "DynamoDB.ConditionalCheckFailedException"),
        ("ConfirmLock", "DynamoDB.ConditionalCheckFailedException"),
        ("ReleaseStopped", "DynamoDB.ConditionalCheckFailedException"),
        ("ReleaseLock", "DynamoDB.ConditionalCheckFailedException"),
        ("ReleaseAfterFailure", "DynamoDB.ConditionalCheckFailedException"),
        # The SDK integrations use the names of the AWS SDK for Java 2.x, hence Sfn and not SFN.
        ("DescribeOwner", "Sfn.ExecutionDoesNotExistException"),
    ],
)
def test_a_refusal_is_an_answer_and_is_not_retried(task: str, refusal: str) -> None:
    first = STATES[task]["Retry"][0]
    assert refusal in first["ErrorEquals"]
    assert first["MaxAttempts"] == 0
