"""The test cases of kb_sync: those of single flight, and those of its own states."""

from __future__ import annotations

from typing import Any

from tests.state_machines.answers.kb_sync import (
    COMPLETE,
    CONFLICT,
    DATA_SOURCE,
    FLIGHT,
    KEY,
    KNOWLEDGE_BASE,
    REQUEST,
    SOURCE,
    STARTED,
    job,
    look,
    summary,
)
from tests.state_machines.answers.single_flight import (
    ASK,
    BEGIN,
    COVER,
    DELAY,
    DONE,
    ENTER,
    ENTRY,
    FAILURE_TOLD,
    FOLLOW,
    GIVE_UP,
    HAND_OVER,
    LOSE,
    RECORD,
    RUN,
    SNAPSHOT,
    TELL,
)
from tests.state_machines.cases.case import Road, Suite
from tests.state_machines.cases.single_flight import BOUNDS, COUNTS, POLL, TURNS, Cases, token
from tests.state_machines.machines import KB_SYNC
from tests.state_machines.mocks import Answers, Throw

CASES = Cases(FLIGHT)
case, MINE, WELL, TWICE = CASES.case, FLIGHT.mine, FLIGHT.well, FLIGHT.rounds(2)
TOGETHER = (*ASK, "CountRequests", "CheckRequests", "AcceptRequests", "CheckSource", *ENTER)
ATTEMPTS = 7
"""Calls of StartJob before an error that may pass is taken to last."""
TOO_LONG = "States.DataLimitExceeded"
SUMMARIZE = ("GetJob", "SummarizeJob", "CheckSummary")

REQUESTS = [
    case(
        "NamesItsSource",
        "data source and token are told to Bedrock, and how far the job covers",
        WELL,
        (*FLIGHT.asked, *RUN),
        sends={
            "CheckSource": SOURCE,
            "StartJob": {
                **SOURCE,
                "ClientToken": token(KB_SYNC, "NamesItsSource"),
                "Description": "Millrace: requests up to ticket 5",
            },
            "GetJob": look("JOB1"),
        },
    ),
    case(
        "ThousandRequests",
        "a thousand requests of a pipe are one, with one ticket",
        WELL,
        (*TOGETHER, *RUN),
        input=[REQUEST] * 1_000,
        output=CASES.covered,
    ),
]

STARTS = [
    *(
        case(
            name,
            f"{error} means that somebody else's job runs, which covers nothing: it is followed by another round",
            {**WELL, "Snapshot": [MINE, MINE], "StartJob": [Throw(error), STARTED]},
            (*FLIGHT.asked, *BEGIN, "JobConflicted", *DELAY, *RUN),
            output={**CASES.covered, "counts": {**COUNTS, "conflicts": 1}},
            sends={"StartJob": {"ClientToken": token(KB_SYNC, name, 1)}},
        )
        for name, error in (
            ("Conflict", "BedrockAgent.ConflictException"),
            ("AccountIsBusy", "BedrockAgent.ServiceQuotaExceededException"),
        )
    ),
    *(
        case(
            f"StartsAgainAfter{error.rpartition('.')[2]}",
            f"a start that {error} outlasts is put off, and not given up",
            {**WELL, "Snapshot": [MINE, MINE], "StartJob": [*[Throw(error)] * ATTEMPTS, STARTED]},
            (*FLIGHT.asked, *BEGIN, *DELAY, *RUN),
            output={**CASES.covered, "counts": COUNTS},
        )
        for error in (
            "BedrockAgent.ThrottlingException",
            "BedrockAgent.InternalServerException",
            "BedrockAgent.SdkClientException",
            "States.Timeout",
        )
    ),
    *(
        case(
            f"Start{error}",
            f"a start that {error} refuses is told, and the key let go",
            {**WELL, **FAILURE_TOLD, "StartJob": [Throw(f"BedrockAgent.{error}", "because")]},
            (*FLIGHT.asked, *BEGIN, *GIVE_UP),
            error=f"BedrockAgent.{error}",
            cause="because",
            sends={
                "NotifyFailure": {
                    "Subject": "Knowledge base sync failed",
                    "Message": f"{KEY} failed with BedrockAgent.{error}: because The input was "
                    f'{{"knowledgeBaseId":"{KNOWLEDGE_BASE}","dataSourceId":"{DATA_SOURCE}"}} and the execution '
                    f"{KB_SYNC.execution(f'Start{error}')}.",
                }
            },
        )
        for error in ("ValidationException", "AccessDeniedException", "ResourceNotFoundException")
    ),
    case(
        "ConflictsTooLong",
        "an owner whose history is full of conflicts hands over",
        {**CASES.handed_over, "Snapshot": [MINE] * (TURNS + 1), "StartJob": [CONFLICT] * TURNS},
        (*FLIGHT.asked, *(*BEGIN, "JobConflicted", *DELAY) * TURNS, *SNAPSHOT, *HAND_OVER, "HandedOver"),
        output={"status": "handed over", "counts": {"jobs": 0, "conflicts": TURNS, "takeovers": 0}},
    ),
]

JOBS_TAKE = [
    case(
        "JobIsOnItsWay",
        "a job that starts or stops has not ended",
        {**WELL, "GetJob": [STARTED, job("STOPPING"), COMPLETE]},
        (*FLIGHT.asked, *BEGIN, *RECORD, *POLL * 2, *COVER),
        output=CASES.covered,
    ),
    *(
        case(
            f"Job{name}",
            "a job that covers nothing is tried again, in another round",
            {**TWICE, "GetJob": [answer, COMPLETE], "ForgetJob": [DONE]},
            (*FLIGHT.asked, *BEGIN, *ENTRY, *path, *LOSE, *DELAY, *RUN),
            output={**CASES.covered, "counts": {**COUNTS, "jobs": 2}},
            sends={"StartJob": {"ClientToken": token(KB_SYNC, f"Job{name}", 1)}},
        )
        for name, answer, path in (
            ("Stopped", job("STOPPED"), FOLLOW),
            ("Gone", Throw("BedrockAgent.ResourceNotFoundException", "no such job"), ("GetJob", "MissJob")),
        )
    ),
    case(
        "FewReasons",
        "of many reasons the first five are told",
        {**WELL, "GetJob": [job("COMPLETE", reasons=[f"reason {number}" for number in range(9)])]},
        (*FLIGHT.asked, *RUN),
    ),
    case(
        "LongReasons",
        "a job with more reasons than a state can hold is told without them",
        {**WELL, "GetJob": [Throw(TOO_LONG)], "SummarizeJob": [summary()]},
        (*FLIGHT.asked, *BEGIN, *ENTRY, *SUMMARIZE, "CheckJob", *COVER),
    ),
    case(
        "LongReasonsOfAnother",
        "a job that is too long to be told, and no longer the newest, covers nothing",
        {
            **TWICE,
            "GetJob": [Throw(TOO_LONG), COMPLETE],
            "SummarizeJob": [summary("IN_PROGRESS", "JOB9")],
            "ForgetJob": [DONE],
        },
        (*FLIGHT.asked, *BEGIN, *ENTRY, *SUMMARIZE, "MissJob", *LOSE, *DELAY, *RUN),
        output={**CASES.covered, "counts": {**COUNTS, "jobs": 2}},
    ),
    *(
        case(
            f"Look{error}",
            "a job that cannot be looked at stays on record for whoever comes next",
            {**WELL, **FAILURE_TOLD, "GetJob": [Throw(f"BedrockAgent.{error}")]},
            (*FLIGHT.asked, *BEGIN, *ENTRY, "GetJob", *GIVE_UP),
            error=f"BedrockAgent.{error}",
        )
        for error in ("ValidationException", "AccessDeniedException")
    ),
]

INPUT_RULE = (
    "The input must be an object with knowledgeBaseId and dataSourceId, which are texts without a slash, and perhaps "
    "wait, which is true or false; or a list of such objects for one and the same data source."
)
OTHER_SOURCE = {**REQUEST, "dataSourceId": "DS87654321"}
NONSENSE: dict[str, Any] = {
    "NoDataSource": {"knowledgeBaseId": KNOWLEDGE_BASE},
    "NumberForAnId": {**REQUEST, "dataSourceId": 7},
    "EmptyId": {**REQUEST, "dataSourceId": ""},
    "SlashInAnId": {**REQUEST, "knowledgeBaseId": f"{KNOWLEDGE_BASE}/{DATA_SOURCE}"},
    "SlashInARequest": [{**REQUEST, "dataSourceId": "a/b"}],
}
MIXED: dict[str, Any] = {
    "TwoDataSources": [REQUEST, OTHER_SOURCE],
    "TwoKnowledgeBases": [REQUEST, {**REQUEST, "knowledgeBaseId": "KB87654321"}],
    "RequestForNothing": [REQUEST, {}],
}
INPUTS = [
    *CASES.nonsense(INPUT_RULE, NONSENSE),
    *(CASES.refused(name, given, ("CountRequests", "CheckRequests"), INPUT_RULE) for name, given in MIXED.items()),
    *(
        case(
            f"Source{error}",
            f"a data source that {error} refuses is told before anything is registered",
            {"CheckSource": [Throw(f"BedrockAgent.{error}", "because")], "NotifyFailure": [DONE]},
            (*ASK, "AcceptRequest", "CheckSource", *TELL),
            error=f"BedrockAgent.{error}",
            cause="because",
        )
        for error in ("ValidationException", "AccessDeniedException", "ResourceNotFoundException")
    ),
]


def road_to(task: str) -> Road:
    if task == "SummarizeJob":
        summarized: Answers = {"GetJob": [Throw(TOO_LONG)], "SummarizeJob": [summary()]}
        return Road({**TWICE, **FAILURE_TOLD, **summarized}, REQUEST)
    return CASES.road_to(task)


SUITE = Suite(KB_SYNC, [*CASES.every(), *REQUESTS, *STARTS, *JOBS_TAKE, *INPUTS], road_to, bounds=BOUNDS)
