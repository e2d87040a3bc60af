"""What kb_sync is asked for in the test cases, and what the Tasks answer that are its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tests.state_machines.answers.single_flight import DONE, Flight
from tests.state_machines.machines import KB_SYNC
from tests.state_machines.mocks import Return, Throw

KNOWLEDGE_BASE, DATA_SOURCE = "KB12345678", "DS12345678"
SOURCE = {"KnowledgeBaseId": KNOWLEDGE_BASE, "DataSourceId": DATA_SOURCE}
KEY = f"{KNOWLEDGE_BASE}/{DATA_SOURCE}"
REQUEST = {"knowledgeBaseId": KNOWLEDGE_BASE, "dataSourceId": DATA_SOURCE}
RESULT = {
    "IngestionJobId": "JOB1",
    "Status": "COMPLETE",
    "Statistics": {"NumberOfDocumentsScanned": 5},
    "FailureReasons": [],
}

CONFLICT = Throw("BedrockAgent.ConflictException", "a job is running")
DENIED = Throw("BedrockAgent.AccessDeniedException", "not allowed")


def _described(status: str, name: str) -> dict[str, Any]:
    known = {**RESULT, "IngestionJobId": name, "Status": status, "DataSourceId": DATA_SOURCE}
    del known["FailureReasons"]  # Bedrock leaves out what is empty
    return known


def summary(status: str = "COMPLETE", name: str = "JOB1") -> Return:
    """The newest job, as a list of jobs has it."""
    return Return({"IngestionJobSummaries": [_described(status, name)]})


def job(status: str = "STARTING", name: str = "JOB1", reasons: Sequence[str] = ()) -> Return:
    told = {"FailureReasons": list(reasons)} if reasons else {}
    return Return({"IngestionJob": {**_described(status, name), **told}})


def look(name: str) -> dict[str, str]:
    return {**SOURCE, "IngestionJobId": name}


STARTED = job()
COMPLETE = job("COMPLETE")
FLIGHT = Flight(
    *(KB_SYNC, KEY, REQUEST, RESULT, job, look),
    checks={"CheckSource": [DONE]},
    starts={"StartJob": [STARTED]},
)
WAITING = FLIGHT.waiting
