"""Histories and states of the largest jobs, run on the embedded engine: both stay far inside Step Functions' limits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from millrace.local.instance import Instance, Options
from tests.state_machines.answers import BY_MAP, BY_QUEUE, DONE, VERIFIED, manifest, pending, plan, report, sent
from tests.state_machines.cases import MACHINES, Case
from tests.state_machines.edges import task_names
from tests.state_machines.mocks import Answers, mock_file, together
from tests.state_machines.running import Run, configure, history, run_cases

pytestmark = pytest.mark.network

MAX_STATE_BYTES = 65_536
"""A quarter of what Step Functions allows (262,144), because passing that ends the execution where no Catch sees it."""
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
CONCURRENCY = 4
CHUNK_EVENTS, TURN_EVENTS, OTHER_EVENTS = 11, 9, 100
"""What docs/state_machine.md says of a chunk in one turn, of a turn of any loop, and of all else without retries."""

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


LARGE: Mapping[str, Mapping[str, Answers]] = {
    "sfn": {
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
    "sqs": {
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


@dataclass(frozen=True)
class Measured:
    events: int
    sizes: dict[str, int]
    """The largest of each kind of data, in bytes, named by the event and the state that has it."""


@pytest.fixture(scope="module")
def measured(
    definitions: dict[str, dict[str, Any]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, dict[str, Measured]]]:
    instance = Instance.start(tmp_path_factory.mktemp("limits"), Options(enforce_iam=False))
    try:
        files = [
            mock_file(machine, LARGE[option], task_names(definitions[option])) for option, machine in MACHINES.items()
        ]
        configure(
            instance,
            {"stepfunctions._sfn_mock_config": together(files), "stepfunctions._SFN_WAIT_SCALE": 0},
        )
        client = instance.client("stepfunctions")
        found: dict[str, dict[str, Measured]] = {}
        for option, machine in MACHINES.items():
            cases = [Case(name, "", answers, ()) for name, answers in LARGE[option].items()]
            runs = run_cases(client, machine, widened(definitions[option]), cases)
            found[option] = {name: measure(client, run) for name, run in runs.items()}
        yield found
    finally:
        instance.stop()


def widened(definition: Mapping[str, Any]) -> dict[str, Any]:
    """The definition with the most iterations at a time that the variable allows."""
    sending = definition["States"]["ProcessBatches"]
    if sending["Type"] != "Map":
        return dict(definition)
    states = {**definition["States"], "ProcessBatches": {**sending, "MaxConcurrency": CONCURRENCY}}
    return {**definition, "States": states}


def measure(client: Any, run: Run) -> Measured:
    assert run.status == "SUCCEEDED", f"{run.error}: {run.cause}"
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
    ("option", "case", "expected"),
    [
        ("sfn", "Million", MILLION_CHUNKS * CHUNK_EVENTS + USUAL_TURNS * TURN_EVENTS),
        ("sqs", "Million", USUAL_TURNS * TURN_EVENTS),
        ("sqs", "Largest", MOST_TURNS * TURN_EVENTS),
    ],
)
def test_a_job_stays_under_ten_thousand_events_and_takes_as_many_as_the_page_says(
    option: str, case: str, expected: int, measured: dict[str, dict[str, Measured]]
) -> None:
    events = measured[option][case].events
    assert expected < events < expected + OTHER_EVENTS
    assert events < MAX_EVENTS


def test_the_most_chunks_and_the_most_turns_leave_ten_thousand_events_for_retries(
    measured: dict[str, dict[str, Measured]],
) -> None:
    expected = MOST_CHUNKS * CHUNK_EVENTS + MOST_TURNS * TURN_EVENTS
    events = measured["sfn"]["Largest"].events
    assert expected < events < expected + OTHER_EVENTS
    assert events + 10_000 < MAX_HISTORY


@pytest.mark.parametrize("option", MACHINES)
def test_every_states_data_is_small_however_many_chunks_and_however_long_its_names(
    option: str, measured: dict[str, dict[str, Measured]]
) -> None:
    sizes = measured[option]["Largest"].sizes
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
    what: str, longer: str, shorter: str | None, events: int, runs: dict[str, dict[str, Run]]
) -> None:
    of_option = runs["sfn"]
    grown = of_option[longer].events - (of_option[shorter].events if shorter else 0)
    assert grown <= events, f"{what} costs {grown} events"
