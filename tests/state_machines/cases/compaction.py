"""The test cases of compaction: those of single flight, and those of its own states."""

from __future__ import annotations

import json
from typing import Any

from tests.state_machines.answers.compaction import BROKEN, COLLECTION, FLIGHT, REQUEST, call, run
from tests.state_machines.answers.single_flight import BEGIN, COVER, DELAY, DONE, ENTRY, RECORD, RUN
from tests.state_machines.cases.case import Suite
from tests.state_machines.cases.single_flight import BOUNDS, COUNTS, POLL, Cases, token
from tests.state_machines.machines import COMPACTION
from tests.state_machines.mocks import Throw

CASES = Cases(FLIGHT)
case = CASES.case

COLLECTIONS = [
    case(
        f"Request{each.title()}",
        f"a request for {each} registers for that key",
        FLIGHT.well,
        (*FLIGHT.asked, *RUN),
        input={"collection": each},
        sends={"Register": {"Key": {"key": {"S": each}}}, "GetJob": {**call("JOB1"), "collection": each}},
    )
    for each in ("lines", "words")
]

CALLS = [
    case(
        "JobIsNamedByItsRound",
        "the token of the round is the job's name, on record before the function is called",
        FLIGHT.well,
        (*FLIGHT.asked, *RUN),
        sends={
            "RecordJob": {
                **CASES.keyed,
                "ExpressionAttributeValues": {
                    ":me": {"S": COMPACTION.execution("JobIsNamedByItsRound")},
                    ":fence": {"N": "7"},
                    ":job": {"S": token(COMPACTION, "JobIsNamedByItsRound")},
                    ":covers": {"N": "5"},
                    ":snapshotAt": {"S": "2026-01-31T12:00:01.000Z"},
                },
            }
        },
    ),
    case(
        "DeltasAreLeft",
        "a call that leaves deltas to the next one is followed by it, for the same job",
        {**FLIGHT.well, "GetJob": [run("IN_PROGRESS"), run()]},
        (*FLIGHT.asked, *BEGIN, *RECORD, *POLL, *COVER),
        output={**CASES.covered, "counts": COUNTS},
        sends={"GetJob": call("JOB1")},
    ),
    case(
        "AnotherCallWasFaster",
        "a call that has published nothing has no version to tell, and the next one goes on",
        {**FLIGHT.well, "GetJob": [run("IN_PROGRESS", version=None, deltas=0), run()]},
        (*FLIGHT.asked, *BEGIN, *RECORD, *POLL, *COVER),
        output=CASES.covered,
    ),
    case(
        "CallOutlastsItsRetries",
        "a call that never comes to its end is a failed job, and another job is tried",
        {**FLIGHT.rounds(2), "GetJob": [*[Throw("Sandbox.Timedout", "900 s")] * 5, run()], "ForgetJob": [DONE]},
        (*FLIGHT.asked, *BEGIN, *FLIGHT.lose, *DELAY, *RUN),
        output={**CASES.covered, "counts": {**COUNTS, "jobs": 2}},
    ),
    case(
        "ErrorIsKept",
        "the error of a failed job and its cause are kept and told",
        {**FLIGHT.well, "GetJob": [BROKEN], "ForgetJob": [DONE], "GiveUp": [DONE]},
        (
            *("Initialize", "ReadInput", "AcceptSweep", "Acquire", *BEGIN, *ENTRY, *FLIGHT.losing),
            *("JobFailed", "ForgetJob", "CheckFailures", "TellFailures", "GiveUp"),
            *("DescribeFailure", "CheckAudience", "Failed"),
        ),
        input=FLIGHT.sweep,
        error="JobFailed",
        cause=f"1 jobs for {COLLECTION} failed, the last of them JOB1: "
        f"{json.dumps({'Error': BROKEN.error, 'Cause': BROKEN.cause}, separators=(',', ':'))} The requests stay "
        "registered and are tried again by the sweeper; mend what the reasons name.",
    ),
]

INPUT_RULE = (
    'The input must be an object with collection, which is "lines" or "words", and perhaps wait, '
    "which is true or false."
)
NONSENSE: dict[str, Any] = {
    "NumberForACollection": {"collection": 7},
    "NullForACollection": {"collection": None},
    "UnknownCollection": {"collection": "receipts"},
    "CollectionInCapitals": {"collection": "Words"},
    "UnknownCollectionToWaitFor": {"collection": "", "wait": True},
    "ListOfRequests": [REQUEST],
}

SUITE = Suite(
    COMPACTION,
    [*CASES.every(), *COLLECTIONS, *CALLS, *CASES.nonsense(INPUT_RULE, NONSENSE)],
    CASES.road_to,
    bounds=BOUNDS,
)
