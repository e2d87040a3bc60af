"""Histories and states of the largest jobs and the longest loops, run on the embedded engine: both stay inside Step
Functions' limits.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from millrace.local.instance import Instance, Options
from tests.state_machines.answers.incident_sync import (
    DENIED,
    FAILURE_MEASURED,
    JOB,
    PAGE,
    PASS,
    PASSES,
    batch,
    confirmed,
    ingested,
)
from tests.state_machines.answers.incident_sync import WELL as RUN_WELL
from tests.state_machines.answers.kendra_ingestion import (
    BY_MAP,
    BY_QUEUE,
    DONE,
    INPUT,
    VERIFIED,
    manifest,
    pending,
    plan,
    report,
    sent,
)
from tests.state_machines.answers.single_flight import (
    BEGIN,
    COMPLETE,
    DELAY,
    FOLLOW,
    ME,
    MINE,
    PREDECESSOR,
    RECORD,
    REFUSED,
    REQUEST,
    RESULT,
    SEE,
    STARTED,
    SUCCESSOR,
    WAITING,
    WELL,
    job,
    owner_is,
    read,
    written,
)
from tests.state_machines.cases.case import Case
from tests.state_machines.cases.sweeper import page
from tests.state_machines.edges import all_states, task_names
from tests.state_machines.histories import Visit
from tests.state_machines.machines import (
    INCIDENT_SYNC,
    KB_SYNC,
    KB_SYNC_SWEEPER,
    KENDRA_INGESTION,
    KENDRA_INGESTION_SQS,
    MACHINES,
)
from tests.state_machines.mocks import Answers, Return, Throw, mock_file, together
from tests.state_machines.rendering import quickened
from tests.state_machines.running import Definitions, Run, Runs, history, run_cases
from tests.substrate import MOCKS, WAIT_SCALE, configure

pytestmark = pytest.mark.network

PAYLOAD_BYTES = 262_144
"""A state's input or output (Step Functions quotas); passing that ends the execution where no Catch sees it."""
MAX_STATE_BYTES = PAYLOAD_BYTES // 4
"""What a state should have at most."""
MAX_HISTORY = 25_000
"""Events of a standard execution (Step Functions quotas)."""
MAX_EVENTS = 10_000
"""What a job of a million documents may take of them: retries and further turns need room."""
MILLION_CHUNKS = 558
"""Chunks of 1,000,000 documents (docs/decisions/chunks.md)."""
MOST_CHUNKS = 1_000
USUAL_TURNS = 110
"""Turns of verification that any deadline takes (docs/decisions/verification.md)."""
MOST_TURNS = 200
CHUNK_EVENTS, TURN_EVENTS, OTHER_EVENTS = 11, 9, 100
LOOK_EVENTS, POLL_EVENTS, CONFLICT_EVENTS, JOB_EVENTS, KEY_EVENTS, PAGE_EVENTS = 22, 11, 20, 42, 7, 13
"""What docs/state_machine.md says of a chunk in one turn, of a turn of any loop, and of all else without retries; of a
look at an owner, a look at a job, a conflict and a whole job of single flight; of a key and a page of the sweeper.
"""
RETRY_EVENTS = 3
FLIGHT_TURNS, FLIGHT_JOBS = 800, 100
SWEEP_PAGES, PAGE_KEYS, SWEEP_TRIES = 10, 100, 5
PASS_EVENTS, CONFIRM_EVENTS = 11, 9
"""Of a pass of incident_sync, and of a page of its confirmation."""
RUN_WAITS, RUN_PAGES, RUN_PASSES = 1_300, 200, 100
"""Waits for another run's pass, pages of confirmation, and the most passes that Terraform lets a run have."""
LONGEST_CAUSE = "\N{CJK UNIFIED IDEOGRAPH-4E2D}" * 32_768
"""As long as the cause of an execution may be (StopExecution's API reference)."""

LONGEST = manifest(
    jobId="j" * 100,
    prefix="\N{CJK UNIFIED IDEOGRAPH-4E2D}" * 333,
    retryOf="r" * 100,
    bucket="b" * 63,
    key="\N{CJK UNIFIED IDEOGRAPH-4E2D}" * 341,
    upload="v" * 1_024,
)
"""A manifest whose every field is as long as the schema or S3 lets it be: keys and version ids of 1,024 bytes."""


def turns(number: int) -> Answers:
    return {"Verify": [*(pending(turn) for turn in range(1, number)), VERIFIED]}


def chunks(number: int) -> Answers:
    return {"ListBatches": [plan(range(number))]}


KENDRA = {
    KENDRA_INGESTION.name: {
        "Million": {
            **BY_MAP.all_well,
            **chunks(MILLION_CHUNKS),
            **turns(USUAL_TURNS),
            "ProcessBatch": [sent(0)] * MILLION_CHUNKS,
        },
        "Largest": {
            **BY_MAP.all_well,
            **chunks(MOST_CHUNKS),
            **turns(MOST_TURNS),
            "LoadManifest": [LONGEST],
            "ProcessBatch": [sent(0)] * MOST_CHUNKS,
        },
    },
    KENDRA_INGESTION_SQS.name: {
        "Million": {**BY_QUEUE.all_well, **chunks(MILLION_CHUNKS), **turns(USUAL_TURNS)},
        "Largest": {
            **BY_QUEUE.all_well,
            **chunks(MOST_CHUNKS),
            **turns(MOST_TURNS),
            "LoadManifest": [LONGEST],
            "AggregateFailures": [report(stopped=True)],
            "ReleaseStopped": [DONE],
        },
    },
}

REASONS = [letter * 2_048 for letter in "abc"]
"""Reasons of a failed job, as long as the API lets one be."""
FAILED = Return({"IngestionJob": {**job("FAILED").value["IngestionJob"], "FailureReasons": REASONS}})
RECORDED = WELL["RecordJob"][0]
LOOKS = FLIGHT_TURNS - 2  # the first refusal counts as one, and the last look must still leave a turn


def wordy() -> Return:
    """The item of a key whose last jobs gave as many reasons, complete or not."""
    item = written(owner=ME).value["Attributes"]
    text = json.dumps(FAILED.value["IngestionJob"])
    item["last"]["M"]["result"]["S"] = text
    item["lastFailure"] = {"M": {"job": {"S": "JOB0"}, "result": {"S": text}}}
    item["reason"] = {"S": json.dumps({"Error": "JobFailed", "Cause": f"3 jobs failed: {text}"})}
    return Return({"Attributes": item})


FLIGHTS = {
    # A successor that waits as long as it may, with a retry in each turn, and then has as many jobs as it may.
    "Longest": Case(
        "Longest",
        "",
        {
            **WELL,
            "Acquire": [REFUSED, MINE],
            "ReadItem": [*[read(owner=PREDECESSOR)] * LOOKS, read()],
            "DescribeOwner": [Throw("Sfn.SdkClientException"), owner_is("RUNNING")] * LOOKS,
            "Snapshot": [MINE] * (FLIGHT_JOBS + 1),
            "StartJob": [STARTED] * FLIGHT_JOBS,
            "RecordJob": [RECORDED] * FLIGHT_JOBS,
            "GetJob": [COMPLETE] * FLIGHT_JOBS,
            "Mark": [DONE] * FLIGHT_JOBS,
            "Release": [REFUSED] * FLIGHT_JOBS,
            "HandOver": [DONE],
            "LetGo": [DONE],
        },
        (),
        SUCCESSOR,
    ),
    "WordyFailures": Case(
        "WordyFailures",
        "",
        {
            **WELL,
            "Snapshot": [wordy()] * 3,
            "StartJob": [STARTED] * 3,
            "RecordJob": [RECORDED] * 3,
            "GetJob": [FAILED] * 3,
            "ForgetJob": [DONE] * 3,
            "GiveUp": [DONE],
            "NotifyFailure": [DONE],
        },
        (),
        WAITING,
        error="JobFailed",
    ),
    # The most that a pipe sends at once.
    "ThousandRequests": Case("ThousandRequests", "", WELL, (), [REQUEST] * 1_000),
}

LONG_KEYS = [f"{number:04}".ljust(2_048, "k") for number in range(PAGE_KEYS)]
"""A page of keys as long as DynamoDB lets a partition key be."""
SWEEPS = {
    # None of the executions can be started.
    "LongKeysMissed": Case(
        "LongKeysMissed",
        "",
        {
            "FindPending": [page(*LONG_KEYS)],
            "Sweep": [Throw("StepFunctions.AWSStepFunctionsException", "denied")] * SWEEP_TRIES * PAGE_KEYS,
        },
        (),
        {},
        error="KeysMissed",
    ),
}

KEPT_REASONS = ["\N{CJK UNIFIED IDEOGRAPH-4E2D}" * 2_048] * 5
"""The reasons that kb_sync keeps of a job, as long as the API lets them be."""
RUNS = {
    "Longest": Case(
        "Longest",
        "",
        {
            **RUN_WELL,
            "SyncBatch": [*[Throw("PassBusy")] * RUN_WAITS, *[batch(more=True)] * PASSES],
            "Confirm": [*[confirmed(cursor={"id": "i" * 1_024})] * (RUN_PAGES - 1), confirmed()],
        },
        (),
        {},
    ),
    "WordyJob": Case(
        "WordyJob",
        "",
        {
            **RUN_WELL,
            "Ingest": [ingested(job={**JOB, "result": {**RESULT, "FailureReasons": KEPT_REASONS}})],
            "Confirm": [Throw("AccessDenied", LONGEST_CAUSE)],
            **FAILURE_MEASURED,
        },
        (),
        {},
        error="ConfirmFailed",
    ),
    "WordyFailure": Case(
        "WordyFailure",
        "",
        {**RUN_WELL, "Ingest": [Throw("States.TaskFailed", LONGEST_CAUSE)], "MeasureFailure": [DENIED]},
        (),
        {},
        error="IngestionFailed",
    ),
}


LARGE: Mapping[str, Mapping[str, Case]] = {
    **{
        machine: {name: Case(name, "", answers, (), INPUT) for name, answers in cases.items()}
        for machine, cases in KENDRA.items()
    },
    KB_SYNC.name: FLIGHTS,
    KB_SYNC_SWEEPER.name: SWEEPS,
    INCIDENT_SYNC.name: RUNS,
}


@dataclass(frozen=True)
class Measured:
    events: int
    sizes: dict[str, int]
    """The largest of each kind of data, in bytes, named by the event and the state that has it."""


Measures = Mapping[str, Mapping[str, Measured]]


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Measures]:
    definitions = {name: quickened(MACHINES[name].rendered()) for name in LARGE}
    instance = Instance.start(tmp_path_factory.mktemp("limits"), Options(enforce_iam=False))
    try:
        files = [
            mock_file(name, {case.name: case.answers for case in cases.values()}, task_names(definitions[name]))
            for name, cases in LARGE.items()
        ]
        configure(
            instance,
            {MOCKS: together(files), WAIT_SCALE: 0},
        )
        client = instance.client("stepfunctions")
        found: dict[str, dict[str, Measured]] = {}
        for name, cases in LARGE.items():
            runs = run_cases(client, name, definitions[name], cases.values())
            found[name] = {case: measure(client, run, cases[case].error) for case, run in runs.items()}
        yield found
    finally:
        instance.stop()


def measure(client: Any, run: Run, error: str | None) -> Measured:
    assert run.error == error, f"{run.status} with {run.error}: {run.cause}"
    sizes: dict[str, int] = {}
    state = ""
    for event in history(client, run.arn):
        details: Mapping[str, Any] = next((part for key, part in event.items() if key.endswith("EventDetails")), {})
        state = details.get("name", state)
        for kind in ("input", "output", "parameters"):
            if kind in details:
                name = f"{event['type']} {state} {kind}"
                sizes[name] = max(sizes.get(name, 0), len(details[kind].encode()))
    return Measured(run.events, sizes)


@pytest.mark.parametrize(
    ("machine", "case", "expected"),
    [
        (KENDRA_INGESTION.name, "Million", MILLION_CHUNKS * CHUNK_EVENTS + USUAL_TURNS * TURN_EVENTS),
        (KENDRA_INGESTION_SQS.name, "Million", USUAL_TURNS * TURN_EVENTS),
        (KENDRA_INGESTION_SQS.name, "Largest", MOST_TURNS * TURN_EVENTS),
    ],
)
def test_a_job_stays_under_ten_thousand_events_and_takes_as_many_as_the_page_says(
    machine: str, case: str, expected: int, measured: Measures
) -> None:
    events = measured[machine][case].events
    assert expected < events < expected + OTHER_EVENTS
    assert events < MAX_EVENTS


def test_the_most_chunks_and_the_most_turns_leave_ten_thousand_events_for_retries(measured: Measures) -> None:
    expected = MOST_CHUNKS * CHUNK_EVENTS + MOST_TURNS * TURN_EVENTS
    events = measured[KENDRA_INGESTION.name]["Largest"].events
    assert expected < events < expected + OTHER_EVENTS
    assert events + 10_000 < MAX_HISTORY


@pytest.mark.parametrize("machine", KENDRA)
def test_every_states_data_is_small_however_many_chunks_and_however_long_its_names(
    machine: str, measured: Measures
) -> None:
    sizes = measured[machine]["Largest"].sizes
    assert len(sizes) > 40, "the history no longer tells what flows through the states"
    assert {name: size for name, size in sizes.items() if size >= MAX_STATE_BYTES} == {}


@pytest.mark.parametrize(
    ("what", "longer", "shorter", "events"),
    [
        ("a chunk", "AllWell", "NothingToSend", CHUNK_EVENTS),
        ("one more turn of a chunk", "ChunkGoesOn", "AllWell", TURN_EVENTS),
        ("one more turn of planning", "ListingGoesOn", "AllWell", TURN_EVENTS),
        ("two more turns of verification", "IndexTakesTime", "AllWell", 2 * TURN_EVENTS),
        ("all else", "NothingToSend", None, OTHER_EVENTS),
    ],
)
def test_the_history_grows_as_the_page_on_the_state_machine_says(
    what: str, longer: str, shorter: str | None, events: int, runs: Runs
) -> None:
    of_machine = runs[KENDRA_INGESTION.name]
    grown = of_machine[longer].events - (of_machine[shorter].events if shorter else 0)
    assert grown <= events, f"{what} costs {grown} events"


def test_the_longest_flight_ends_before_its_history_is_full(measured: Measures) -> None:
    expected = LOOKS * (LOOK_EVENTS + RETRY_EVENTS) + FLIGHT_JOBS * JOB_EVENTS
    events = measured[KB_SYNC.name]["Longest"].events
    assert expected < events < expected + OTHER_EVENTS
    assert events < MAX_HISTORY


@pytest.mark.parametrize("case", FLIGHTS)
def test_the_states_of_a_flight_are_small_however_many_jobs_and_words_it_has(case: str, measured: Measures) -> None:
    sizes = measured[KB_SYNC.name][case].sizes
    assert max(sizes.values()) < PAYLOAD_BYTES / 2
    large = {name.split()[1] for name, size in sizes.items() if size >= MAX_STATE_BYTES}
    assert large <= {"", "Initialize", "ReadInput", "CountRequests"}, "a pipe's requests are not carried further"


def test_a_page_of_the_longest_keys_is_within_the_payload_limit(measured: Measures) -> None:
    assert max(measured[KB_SYNC_SWEEPER.name]["LongKeysMissed"].sizes.values()) < PAYLOAD_BYTES


def test_a_sweep_ends_before_its_history_is_full_even_if_no_execution_can_be_started(measured: Measures) -> None:
    missed = measured[KB_SYNC_SWEEPER.name]["LongKeysMissed"].events
    assert missed < PAGE_EVENTS + PAGE_KEYS * (KEY_EVENTS + 2 + SWEEP_TRIES * RETRY_EVENTS)
    assert SWEEP_PAGES * missed < MAX_HISTORY


def test_the_longest_run_takes_the_events_that_the_page_says(measured: Measures) -> None:
    expected = RUN_WAITS * RETRY_EVENTS + PASSES * PASS_EVENTS + RUN_PAGES * CONFIRM_EVENTS
    assert expected < measured[INCIDENT_SYNC.name]["Longest"].events < expected + OTHER_EVENTS


def test_no_run_fills_a_history_before_its_machines_time_is_over() -> None:
    """However often it waits for other runs' passes, each wait takes half of the longest delay on average."""
    definition = INCIDENT_SYNC.rendered()
    busy = all_states(definition)["SyncBatch"]["Retry"][0]
    waits = definition["TimeoutSeconds"] / (busy["MaxDelaySeconds"] / 2)
    assert busy["MaxAttempts"] == RUN_WAITS
    expected = waits * RETRY_EVENTS + RUN_PASSES * PASS_EVENTS + RUN_PAGES * CONFIRM_EVENTS
    assert expected + OTHER_EVENTS < MAX_HISTORY


@pytest.mark.parametrize("case", RUNS)
def test_the_states_of_a_run_are_within_the_payload_limit_however_long_its_jobs_reasons_and_its_cause(
    case: str, measured: Measures
) -> None:
    assert max(measured[INCIDENT_SYNC.name][case].sizes.values()) < PAYLOAD_BYTES * 0.6


@pytest.mark.parametrize("machine", [KB_SYNC.name, KB_SYNC_SWEEPER.name, INCIDENT_SYNC.name])
def test_a_history_has_the_events_that_its_states_are_known_to_take(
    machine: str, runs: Runs, definitions: Definitions
) -> None:
    """So what a loop takes at its full length follows from the states on its way."""
    states = all_states(definitions[machine])
    told = {name: 2 + events_of(run.visits, states) for name, run in runs[machine].items()}
    assert told == {name: runs[machine][name].events for name in told}


def events_of(visits: Sequence[Visit], states: Mapping[str, Any]) -> int:
    """What the states of these visits write: entered, exited, and three events an attempt of a Task, one more where it
    is answered that another execution has started."""
    kinds = [states[visit.state]["Type"] for visit in visits]
    attempts = sum(len(visit.requests) for visit in visits)
    nested = [visit for visit in visits if ".sync" in states[visit.state].get("Resource", "")]
    submitted = sum(len(visit.requests) - len(visit.failures) for visit in nested)
    iterations = sum(visit.state == "Sweep" for visit in visits)
    return 2 * len(kinds) - kinds.count("Fail") + 3 * attempts + submitted + 2 * kinds.count("Map") + 2 * iterations


@pytest.mark.parametrize(
    ("what", "path", "events"),
    [
        ("a look at an owner", (*SEE, "WaitForOwner"), LOOK_EVENTS),
        ("a look at a job", (*FOLLOW, "CountPoll", "WaitForAnswer"), POLL_EVENTS),
        ("a conflict", (*BEGIN, "JobConflicted", *DELAY), CONFLICT_EVENTS),
        ("a job", (*BEGIN, *RECORD, "Mark", "NoteSpan", "Release"), JOB_EVENTS),
    ],
)
def test_a_turn_of_single_flight_takes_the_events_that_the_page_says(
    what: str, path: tuple[str, ...], events: int
) -> None:
    states = all_states(KB_SYNC.rendered())
    visits = [Visit(state, None, [None] * (states[state]["Type"] == "Task")) for state in path]
    assert events_of(visits, states) == events, what


@pytest.mark.parametrize(
    ("what", "path", "events"), [("a pass", (*PASS, "NextPass"), PASS_EVENTS), ("a page", PAGE, CONFIRM_EVENTS)]
)
def test_a_turn_of_a_run_takes_the_events_that_the_page_says(what: str, path: tuple[str, ...], events: int) -> None:
    states = all_states(INCIDENT_SYNC.rendered())
    visits = [Visit(state, None, [None] * (states[state]["Type"] == "Task")) for state in path]
    assert events_of(visits, states) == events, what


def test_no_loop_of_single_flight_fills_a_history_even_with_a_retry_in_each_turn() -> None:
    turns = (LOOK_EVENTS, POLL_EVENTS, CONFLICT_EVENTS)
    assert FLIGHT_TURNS * (max(turns) + RETRY_EVENTS) + FLIGHT_JOBS * JOB_EVENTS + OTHER_EVENTS < MAX_HISTORY


def test_an_owner_that_stays_unknown_takes_no_more_events_than_one_that_runs() -> None:
    """A look at it skips CheckOwner, and its Task fails as often as it is tried."""
    tries = all_states(KB_SYNC.rendered())["DescribeOwner"]["Retry"][-1]["MaxAttempts"]
    assert tries * RETRY_EVENTS - 2 <= RETRY_EVENTS
