"""What compaction is asked for in the test cases, and what its function answers."""

from __future__ import annotations

from tests.state_machines.answers.single_flight import Flight
from tests.state_machines.machines import COMPACTION
from tests.state_machines.mocks import Answer, Throw, function_answer

COLLECTION = "words"
REQUEST = {"collection": COLLECTION}
RESULT = {"version": 8, "deltas": 3, "text": 'version 8 has "3" deltas more'}
BROKEN = Throw("SnapshotInvalid", "the checksum of version 7 is another one")


def run(status: str = "COMPLETE", **told: int | None) -> Answer:
    """What one call of the function says. A failed job is one whose call has raised an error."""
    return BROKEN if status == "FAILED" else function_answer({"status": status, **RESULT, **told})


def call(job: str) -> dict[str, str]:
    """The event of a call of the function."""
    return {"collection": COLLECTION, "job": job}


FLIGHT = Flight(COMPACTION, COLLECTION, REQUEST, RESULT, run, call, losing=("GetJob", "TellRun", "CheckJob"))
