"""What every execution of kb_sync and of its sweeper keeps, besides what every flight does."""

from __future__ import annotations

import json
import re

import pytest

from tests.state_machines.answers.kb_sync import RESULT
from tests.state_machines.machines import KB_SYNC, KB_SYNC_SWEEPER
from tests.state_machines.running import Runs

pytestmark = pytest.mark.network

CLIENT_TOKEN = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){32,255}")
"""StartIngestionJob's clientToken has 33 to 256 characters (API model)."""
EXECUTION_NAME = re.compile(r"[A-Za-z0-9_-]{1,80}")


def test_a_start_is_retried_with_its_token_and_every_round_has_another(runs: Runs) -> None:
    tokens: set[str] = set()
    for name, run in runs[KB_SYNC.name].items():
        for visit in run.visits_to("StartJob"):
            (token,) = {request["ClientToken"] for request in visit.requests}
            assert CLIENT_TOKEN.fullmatch(token), name
            assert token not in tokens, name
            tokens.add(token)


def test_the_names_of_executions_that_are_started_are_valid(runs: Runs) -> None:
    for machine, state in ((KB_SYNC, "HandOver"), (KB_SYNC_SWEEPER, "Sweep")):
        names = {request["Name"] for run in runs[machine.name].values() for request in run.requests(state)}
        assert names
        assert all(EXECUTION_NAME.fullmatch(name) for name in names)


def test_a_thousand_requests_are_not_carried_through_the_machine(runs: Runs) -> None:
    run = runs[KB_SYNC.name]["ThousandRequests"]
    assert run.last_visit("CheckSource").input["input"] == {
        "number": 1_000,
        "named": 1_000,
        "knowledgeBases": 1,
        "dataSources": 1,
        "first": {"knowledgeBaseId": "KB12345678", "dataSourceId": "DS12345678"},
    }


@pytest.mark.parametrize(
    ("case", "reasons"),
    [
        ("FirstRequest", []),
        ("FewReasons", [f"reason {number}" for number in range(5)]),
        ("LongReasons", ["There are more reasons than a state can hold: GetIngestionJob tells them."]),
    ],
)
def test_of_a_job_its_statistics_and_as_many_reasons_as_a_state_can_hold_are_kept(
    case: str, reasons: list[str], runs: Runs
) -> None:
    request = runs[KB_SYNC.name][case].last_visit("Mark").requests[-1]
    kept = json.loads(request["ExpressionAttributeValues"][":last"]["M"]["result"]["S"])
    assert kept == {**RESULT, "FailureReasons": reasons}
