"""Histories and states of the largest jobs and the longest loops, run on the embedded engine: both stay inside Step
Functions' limits.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from millrace.local.instance import Instance, Options
from tests.state_machines.answers import compaction
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
from tests.state_machines.answers.kb_sync import COMPLETE, FLIGHT, REQUEST, RESULT, STARTED, WAITING, job
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
from tests.state_machines.answers.single_flight import BEGIN, DELAY, FOLLOW, RECORD, REFUSED, SEE
from tests.state_machines.cases.case import Case
from tests.state_machines.cases.sweeper import page
from tests.state_machines.edges import all_states, task_names
from tests.state_machines.histories import Visit
from tests.state_machines.machines import (
    COMPACTION,
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
MILLION_EVENTS = MILLION_CHUNKS * CHUNK_EVENTS + USUAL_TURNS * TURN_EVENTS
"""What both come to for a million documents, sent by the Map."""
RETRY_EVENTS = 3
FLIGHT_TURNS, FLIGHT_JOBS = 800, 100
SWEEP_PAGES, PAGE_KEYS, SWEEP_TRIES = 10, 100, 5
PASS_EVENTS, CONFIRM_EVENTS = 11, 9
"""Of a pass of incident_sync, and of a page of its confirmation."""
RUN_WAITS, RUN_PAGES, RUN_PASSES = 1_300, 200, 100
"""Waits for another run's pass, pages of confirmation, and the most passes that Terraform lets a run have."""
SHARE = 10
"""Loops go round a tenth of their turns in the normal run, all in the soak run."""
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


def largest_by_map(turns_taken: int) -> Answers:
    return {
        **BY_MAP.all_well,
        **chunks(MOST_CHUNKS),
        **turns(turns_taken),
        "LoadManifest": [LONGEST],
        "ProcessBatch": [sent(0)] * MOST_CHUNKS,
    }


def largest_by_queue(turns_taken: int) -> Answers:
    return {
        **BY_QUEUE.all_well,
        **chunks(MOST_CHUNKS),
        **turns(turns_taken),
        "LoadManifest": [LONGEST],
        "AggregateFailures": [report(stopped=True)],
        "ReleaseStopped": [DONE],
    }


KENDRA = {
    KENDRA_INGESTION.name: {
        "Million": {
            **BY_MAP.all_well,
            **chunks(MILLION_CHUNKS),
            **turns(USUAL_TURNS),
            "ProcessBatch": [sent(0)] * MILLION_CHUNKS,
        },
        "Large": largest_by_map(MOST_TURNS // SHARE),
        "Largest": largest_by_map(MOST_TURNS),
    },
    KENDRA_INGESTION_SQS.name: {
        "Million": {**BY_QUEUE.all_well, **chunks(MILLION_CHUNKS), **turns(USUAL_TURNS)},
        "Large": largest_by_queue(MOST_TURNS // SHARE),
        "Largest": largest_by_queue(MOST_TURNS),
    },
}

REASONS = [letter * 2_048 for letter in "abc"]
"""Reasons of a failed job, as long as the API lets one be."""
FAILED = Return({"IngestionJob": {**job("FAILED").value["IngestionJob"], "FailureReasons": REASONS}})
LOOKS = FLIGHT_TURNS - 2  # the first refusal counts as one, and the last look must still leave a turn


def wordy() -> Return:
    """The item of a key whose last jobs gave as many reasons, complete or not."""
    item = FLIGHT.mine.value["Attributes"]
    text = json.dumps(FAILED.value["IngestionJob"])
    item["last"]["M"]["result"]["S"] = text
    item["lastFailure"] = {"M": {"job": {"S": "JOB0"}, "result": {"S": text}}}
    item["reason"] = {"S": json.dumps({"Error": "JobFailed", "Cause": f"3 jobs failed: {text}"})}
    return Return({"Attributes": item})


def long_flight(looks: int, jobs: int) -> Answers:
    """A successor that looks so often, with a retry in each turn, and then has so many jobs."""
    return {
        **FLIGHT.well,
        "Acquire": [REFUSED, FLIGHT.mine],
        "ReadItem": [*[FLIGHT.read(owner=FLIGHT.predecessor)] * looks, FLIGHT.read()],
        "DescribeOwner": [Throw("Sfn.SdkClientException"), FLIGHT.owner_is("RUNNING")] * looks,
        "Snapshot": [FLIGHT.mine] * (jobs + 1),
        "StartJob": [STARTED] * jobs,
        "RecordJob": [FLIGHT.recorded] * jobs,
        "GetJob": [COMPLETE] * jobs,
        "Mark": [DONE] * jobs,
        "Release": [*[REFUSED] * (jobs - 1), *FLIGHT.well["Release"]],
    }


FLIGHTS = {
    "Long": Case("Long", "", long_flight(LOOKS // SHARE, FLIGHT_JOBS // SHARE), (), FLIGHT.successor),
    # As long as it may wait, and as many jobs as it may have: then it hands over.
    "Longest": Case(
        "Longest",
        "",
        {
            **long_flight(LOOKS, FLIGHT_JOBS),
            "Release": [REFUSED] * FLIGHT_JOBS,
            "HandOver": [DONE],
            "LetGo": [DONE],
        },
        (),
        FLIGHT.successor,
    ),
    "WordyFailures": Case(
        "WordyFailures",
        "",
        {
            **FLIGHT.well,
            "Snapshot": [wordy()] * 3,
            "StartJob": [STARTED] * 3,
            "RecordJob": [FLIGHT.recorded] * 3,
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
    "ThousandRequests": Case("ThousandRequests", "", FLIGHT.well, (), [REQUEST] * 1_000),
}

CALL_CAUSE = json.dumps({"errorType": "SnapshotInvalid", "errorMessage": "m" * 2_048, "stackTrace": ["s" * 150] * 80})
"""The cause of a call that failed, 15 KB long: the functions' own messages are short, a traceback is not."""


def failed_before(cause: str) -> Return:
    """The item of a collection whose compactions have failed with this cause before."""
    item = compaction.FLIGHT.mine.value["Attributes"]
    text = json.dumps({"Error": "SnapshotInvalid", "Cause": cause})
    item["lastFailure"] = {"M": {"job": {"S": "JOB0"}, "result": {"S": text}}}
    item["reason"] = {"S": json.dumps({"Error": "JobFailed", "Cause": f"3 jobs failed: {text}"})}
    return Return({"Attributes": item})


COMPACTIONS = {
    "WordyFailures": Case(
        "WordyFailures",
        "",
        {
            **compaction.FLIGHT.failing,
            "Snapshot": [failed_before(CALL_CAUSE)] * 3,
            "GetJob": [Throw("SnapshotInvalid", CALL_CAUSE)] * 3,
        },
        (),
        compaction.FLIGHT.waiting,
        error="JobFailed",
    ),
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


def long_run(waits: int, pages: int) -> Answers:
    return {
        **RUN_WELL,
        "SyncBatch": [*[Throw("PassBusy")] * waits, *[batch(more=True)] * PASSES],
        "Confirm": [*[confirmed(cursor={"id": "i" * 1_024})] * (pages - 1), confirmed()],
    }


RUNS = {
    "Long": Case("Long", "", long_run(RUN_WAITS // SHARE, RUN_PAGES // SHARE), (), {}),
    "Longest": Case("Longest", "", long_run(RUN_WAITS, RUN_PAGES), (), {}),
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
    COMPACTION.name: COMPACTIONS,
    INCIDENT_SYNC.name: RUNS,
}


@dataclass(frozen=True)
class Measured:
    events: int
    sizes: dict[str, int]
    """The largest of each kind of data, in bytes, named by the event and the state that has it."""


@dataclass
class Measures:
    """The cases of `LARGE`, each run when it is first asked for: the normal run waits for none of the soak's."""

    client: Any
    definitions: Definitions
    _found: dict[tuple[str, str], Measured] = field(default_factory=dict)

    def of(self, machine: str, name: str) -> Measured:
        if (machine, name) not in self._found:
            case = LARGE[machine][name]
            run = run_cases(self.client, machine, self.definitions[machine], [case])[name]
            self._found[machine, name] = measure(self.client, run, case.error)
        return self._found[machine, name]


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
        yield Measures(instance.client("stepfunctions"), definitions)
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


@pytest.mark.soak
@pytest.mark.parametrize(
    ("machine", "chunks_sent"), [(KENDRA_INGESTION.name, MILLION_CHUNKS), (KENDRA_INGESTION_SQS.name, 0)]
)
def test_a_job_stays_under_ten_thousand_events_and_takes_as_many_as_the_page_says(
    machine: str, chunks_sent: int, measured: Measures
) -> None:
    expected = chunks_sent * CHUNK_EVENTS + USUAL_TURNS * TURN_EVENTS
    events = measured.of(machine, "Million").events
    assert expected < events < expected + OTHER_EVENTS
    assert events < MAX_EVENTS


@pytest.mark.parametrize(("case", "share"), [("Large", SHARE), pytest.param("Largest", 1, marks=pytest.mark.soak)])
@pytest.mark.parametrize(
    ("machine", "chunks_sent", "most"),
    [(KENDRA_INGESTION.name, MOST_CHUNKS, MAX_HISTORY - 10_000), (KENDRA_INGESTION_SQS.name, 0, MAX_EVENTS)],
)
def test_the_most_chunks_and_the_most_turns_leave_ten_thousand_events_for_retries(
    machine: str, chunks_sent: int, most: int, case: str, share: int, measured: Measures
) -> None:
    """The normal run verifies in a tenth of the turns, and adds what the others take. By the same terms a million
    documents stay under 10,000 events; their own run is the soak's."""
    taken = MOST_TURNS // share
    expected = chunks_sent * CHUNK_EVENTS + taken * TURN_EVENTS
    events = measured.of(machine, case).events
    assert expected < events < expected + OTHER_EVENTS
    assert events + (MOST_TURNS - taken) * TURN_EVENTS < most
    assert MILLION_EVENTS + OTHER_EVENTS < MAX_EVENTS


@pytest.mark.parametrize("case", ["Large", pytest.param("Largest", marks=pytest.mark.soak)])
@pytest.mark.parametrize("machine", KENDRA)
def test_every_states_data_is_small_however_many_chunks_and_however_long_its_names(
    machine: str, case: str, measured: Measures
) -> None:
    sizes = measured.of(machine, case).sizes
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


@pytest.mark.parametrize(("case", "share"), [("Long", SHARE), pytest.param("Longest", 1, marks=pytest.mark.soak)])
def test_the_longest_flight_ends_before_its_history_is_full(case: str, share: int, measured: Measures) -> None:
    """A tenth of it takes a tenth of the events, and `test_no_loop_of_single_flight_...` has the sum of all."""
    expected = LOOKS // share * (LOOK_EVENTS + RETRY_EVENTS) + FLIGHT_JOBS // share * JOB_EVENTS
    events = measured.of(KB_SYNC.name, case).events
    assert expected < events < expected + OTHER_EVENTS
    assert events < MAX_HISTORY


def quick(cases: Collection[str]) -> list[Any]:
    """The names of cases, of which the longest are the soak run's."""
    return [pytest.param(case, marks=pytest.mark.soak if case == "Longest" else ()) for case in cases]


@pytest.mark.parametrize("case", quick(FLIGHTS))
def test_the_states_of_a_flight_are_small_however_many_jobs_and_words_it_has(case: str, measured: Measures) -> None:
    sizes = measured.of(KB_SYNC.name, case).sizes
    assert max(sizes.values()) < PAYLOAD_BYTES / 2
    large = {name.split()[1] for name, size in sizes.items() if size >= MAX_STATE_BYTES}
    assert large <= {"", "Initialize", "ReadInput", "CountRequests"}, "a pipe's requests are not carried further"


def test_the_states_of_a_compaction_are_within_the_payload_limit_whatever_its_calls_have_failed_with(
    measured: Measures,
) -> None:
    assert max(measured.of(COMPACTION.name, "WordyFailures").sizes.values()) < PAYLOAD_BYTES / 2


def test_a_page_of_the_longest_keys_is_within_the_payload_limit(measured: Measures) -> None:
    assert max(measured.of(KB_SYNC_SWEEPER.name, "LongKeysMissed").sizes.values()) < PAYLOAD_BYTES


def test_a_sweep_ends_before_its_history_is_full_even_if_no_execution_can_be_started(measured: Measures) -> None:
    missed = measured.of(KB_SYNC_SWEEPER.name, "LongKeysMissed").events
    assert missed < PAGE_EVENTS + PAGE_KEYS * (KEY_EVENTS + 2 + SWEEP_TRIES * RETRY_EVENTS)
    assert SWEEP_PAGES * missed < MAX_HISTORY


@pytest.mark.parametrize(("case", "share"), [("Long", SHARE), pytest.param("Longest", 1, marks=pytest.mark.soak)])
def test_the_longest_run_takes_the_events_that_the_page_says(case: str, share: int, measured: Measures) -> None:
    """The normal run waits a tenth as often and has a tenth of the pages."""
    expected = RUN_WAITS // share * RETRY_EVENTS + PASSES * PASS_EVENTS + RUN_PAGES // share * CONFIRM_EVENTS
    assert expected < measured.of(INCIDENT_SYNC.name, case).events < expected + OTHER_EVENTS


def test_no_run_fills_a_history_before_its_machines_time_is_over() -> None:
    """However often it waits for other runs' passes, each wait takes half of the longest delay on average."""
    definition = INCIDENT_SYNC.rendered()
    busy = all_states(definition)["SyncBatch"]["Retry"][0]
    waits = definition["TimeoutSeconds"] / (busy["MaxDelaySeconds"] / 2)
    assert busy["MaxAttempts"] == RUN_WAITS
    expected = waits * RETRY_EVENTS + RUN_PASSES * PASS_EVENTS + RUN_PAGES * CONFIRM_EVENTS
    assert expected + OTHER_EVENTS < MAX_HISTORY


@pytest.mark.parametrize("case", quick(RUNS))
def test_the_states_of_a_run_are_within_the_payload_limit_however_long_its_jobs_reasons_and_its_cause(
    case: str, measured: Measures
) -> None:
    assert max(measured.of(INCIDENT_SYNC.name, case).sizes.values()) < PAYLOAD_BYTES * 0.6


@pytest.mark.parametrize("machine", [KB_SYNC.name, KB_SYNC_SWEEPER.name, COMPACTION.name, INCIDENT_SYNC.name])
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
    """A conflict is kb_sync's alone, and compaction starts its jobs without a call."""
    for machine in (KB_SYNC, COMPACTION):
        states = all_states(machine.rendered())
        if states.keys() >= set(path):
            visits = [Visit(state, None, [None] * (states[state]["Type"] == "Task")) for state in path]
            saved = 3 * sum(state == "StartJob" and states[state]["Type"] == "Pass" for state in path)
            assert events_of(visits, states) == events - saved, f"{what} of {machine}"


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
