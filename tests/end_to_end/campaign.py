"""The same small job again and again, each time with other troubles: processes that die, services that fail.

A rehearsal without faults tells which calls there are, so none is forgotten. A `Point` is one of them, on one side of
its effect; the process that makes the call ends there. Several jobs run at once, each with troubles of its own.
"""

from __future__ import annotations

import itertools
import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from tests.end_to_end.queues import Queues
from tests.end_to_end.stack import Stack, pair

REQUEST = 10
"""Documents of one request to the sink, at most."""
GOOD = 24
BAD = 3
BEFORE = 11
"""Documents to delete: two requests."""
AT_ONCE = 4
TRIES = 5
"""Of a state whose processes die."""

QUEUES = ("kendra-put", "kendra-del", "kendra-put-dead", "kendra-del-dead")
WORKERS = ("millrace-put-worker", "millrace-del-worker", "millrace-dead-letter-worker")
HIDDEN_SECONDS = 0.3
"""How long the messages of a dead worker stay hidden here; where it is deployed, minutes."""

THROUGHPUT_EXCEEDED = "ProvisionedThroughputExceededException"

Trouble = dict[str, Any]
"""The fields of a `faults.Rule`, without the job that it is about."""
DEATH: Trouble = {"kill": True, "redeliver_seconds": HIDDEN_SECONDS}

Side = Literal["before", "after"]
SIDES: tuple[Side, ...] = ("before", "after")


class Point(NamedTuple):
    """The `nth` call of a function that matches, and the side of its effect on which the caller dies."""

    function: str
    when: Side
    action: str = "*"
    resource: str = "*"
    nth: int = 1

    def trouble(self) -> Trouble:
        return {
            "action": self.action,
            "function": self.function,
            "resource": self.resource,
            "nth": [self.nth],
            "when": self.when,
            **DEATH,
        }


@dataclass
class Job:
    """One run of the job. `rules` are those that were ordered for it, by number."""

    name: str
    rules: dict[int, Trouble] = field(default_factory=dict)

    @property
    def prefix(self) -> str:
        return f"campaign/{self.name}"

    @property
    def good(self) -> list[str]:
        return [f"{self.name}-{number:02}" for number in range(GOOD)]

    @property
    def before(self) -> list[str]:
        return [f"{self.name}-before-{number:02}" for number in range(BEFORE)]

    @property
    def files(self) -> dict[str, bytes]:
        """Good documents; one that the plan refuses, one that the workers refuse, and one that the index refuses."""
        files = {name: body for good in self.good for name, body in pair(good).items()}
        files |= pair(f"{self.name}-30", Attributes={"nobody_knows_this": "x"})
        files |= pair(f"{self.name}-31", text="")
        return files | {f"{self.name}-32.json": b"a document without metadata"}


def kind_of(resource: str, job_id: str) -> str:
    """A pattern of all resources that differ from this one only in job, run, execution, document and number."""
    varying = rf"{re.escape(job_id)}|[0-9a-f]{{8}}(-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}}|\b[0-9a-f]{{16,64}}\b|\b\d+\b"
    return re.sub(r"(\*[-/]?)+(?=\*)", "", re.sub(varying, "*", resource))


def first_of_each_kind(calls: Iterable[Mapping[str, str]], job_id: str) -> list[Point]:
    """The first call of each kind: what a function does, and to what. The process dies of it when it has had its
    effect, which nobody is told; `every` has the deaths before an effect too."""
    kinds = dict.fromkeys((_who(call), call["action"], kind_of(call["resource"], job_id)) for call in calls)
    return [Point(function, "after", action, resource) for function, action, resource in kinds]


def _who(call: Mapping[str, str]) -> str:
    """The function that makes such a call; which one answers the machine is a matter of who is the last."""
    return "millrace-*" if call["action"] == "states:SendTaskSuccess" else call["function"]


def every(calls: Sequence[Mapping[str, str]]) -> list[Point]:
    """Both sides of every call, counted by function."""
    functions = [call["function"] for call in calls]
    return [
        Point(function, when, nth=number)
        for function in dict.fromkeys(functions)
        for number in range(1, functions.count(function) + 1)
        for when in SIDES
    ]


def shared_out(points: Iterable[Point], deaths: Mapping[str, int]) -> list[list[Trouble]]:
    """Points for as few jobs as there can be, where so many processes of a function may die in one job."""
    of: dict[str, list[Point]] = {}
    for point in points:
        of.setdefault(point.function, []).append(point)
    shares: list[list[Point]] = [[] for _ in range(max(math.ceil(len(of[name]) / deaths[name]) for name in of))]
    for some in of.values():
        for share, point in zip(itertools.cycle(shares), some, strict=False):
            share.append(point)
    return [[point.trouble() for point in share] for share in shares]


WEATHER: Mapping[str, Sequence[Trouble]] = {
    "the sink throttles every other call": [
        {"action": "kendra:Batch*", "every": 2, "code": "ThrottlingException", "status": 400}
    ],
    "the sink is down for a while": [
        {"action": "kendra:Batch*", "nth": [2, 3, 4, 5, 6], "code": "InternalServerException"}
    ],
    "the sink does its work and does not say so": [
        {"action": "kendra:Batch*", "every": 3, "when": "after", "code": "InternalServerException"}
    ],
    "DynamoDB throttles every third call": [
        {"action": "dynamodb:*", "function": "*", "every": 3, "code": THROUGHPUT_EXCEEDED, "status": 400}
    ],
    "S3 fails now and then": [{"action": "s3:*", "function": "*", "every": 7, "code": "InternalError"}],
}
"""What services do now and then, by name."""

SILENCE: Sequence[Trouble] = [
    {"action": "kendra:BatchPutDocument", "nth": [1], "delay_seconds": 25, "code": "InternalServerException"}
]
"""The sink does not answer within the 20 seconds that it is waited for."""

DEATH_AND_REFUSAL: Sequence[Trouble] = [
    {"action": "kendra:BatchPutDocument", "body": '-00"', "nth": [1], **DEATH},
    {"action": "kendra:BatchDeleteDocument", "nth": [1], **DEATH},
    {"action": "s3:PutObject", "resource": "*/00000/send-00000-*", "nth": [1], "code": "AccessDenied", "status": 403},
]
"""A worker dies of the first message of puts, so the next one works its messages one by one, and then it cannot write
what became of that message. One of the first message of deletes dies too."""

QUEUE_WEATHER: Mapping[str, Sequence[Trouble]] = {
    "DynamoDB fails the producer for a while": [
        {"action": "dynamodb:*", "function": "millrace-producer", "nth": [1, 2, 3, 4], "code": "InternalServerError"}
    ],
    "Step Functions takes no answer for a while": [
        {
            "action": "states:SendTaskSuccess",
            "nth": [1, 2, 3],
            "code": "ThrottlingException",
            "status": 400,
        }
    ],
    "SQS fails every third call": [{"action": "sqs:*", "function": "*", "every": 3, "code": "InternalError"}],
    "SQS takes a part of a batch": [
        {"action": "sqs:SendMessage", "nth": [1, 2, 3], "entries": [2], "code": "InternalError"}
    ],
    "SQS does its work and does not say so": [
        {"action": "sqs:SendMessage", "nth": [1, 3], "when": "after", "code": "InternalError"}
    ],
}


class Campaign:
    """Jobs in one stack, and what has to hold of each of them. `always` are troubles of every job, the rehearsal's
    too. The rehearsal comes first, once; `calls` are those that functions made for it, in their order."""

    def __init__(self, stack: Stack, name: str, always: Sequence[Trouble] = ()) -> None:
        self._stack = stack
        self._name = name
        self._always = always
        self._calm = Job(f"{name}-calm")
        self._numbers = itertools.count()
        self.calls = self._rehearse()

    @property
    def calm(self) -> str:
        """The id of the rehearsal's job."""
        return self._calm.name

    def _rehearse(self) -> list[dict[str, str]]:
        """Run the job without other troubles than every job's."""
        self._prepare([self._calm])
        rule = self._stack.instance.order_fault("*", function="*", event=self.calm, watch=True)
        self._run(self._calm)
        self._check(self._calm)
        calls = next(told["calls"] for told in self._stack.instance.faults() if told["id"] == rule)
        assert {call["function"] for call in calls} >= {"millrace-load-manifest", "millrace-archive-manifest"}
        return calls

    def suffer(self, shares: Sequence[Sequence[Trouble]]) -> list[Trouble]:
        """Run a job for each share of the troubles, and check it; the troubles that no call met."""
        jobs = [Job(f"{self._name}-{next(self._numbers):03}") for _ in shares]
        self._prepare(jobs)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(self._suffer, jobs, shares))
        applied = {told["id"] for told in self._stack.instance.faults() if told["applied"]}
        return [trouble for job in jobs for number, trouble in job.rules.items() if number not in applied]

    def told(self, points: Sequence[Point], jobs: int) -> str:
        """How much of all that can be died of so many points are."""
        return f"{len(points)} of {len(every(self.calls))} crash points, in {jobs} jobs"

    def _prepare(self, jobs: Sequence[Job]) -> None:
        """Put the documents into the index that the jobs delete."""
        prefix = f"campaign/{jobs[0].name}-before"
        for job in jobs:
            for name in job.before:
                self._stack.upload(prefix, pair(name))
        execution = self._stack.run(prefix, f"{jobs[0].name}-before")
        assert execution.status == "SUCCEEDED", execution

    def _suffer(self, job: Job, share: Sequence[Trouble]) -> None:
        job.rules = {self._stack.instance.order_fault(**trouble, event=job.name): trouble for trouble in share}
        try:
            self._run(job)
            self._check(job)
        except AssertionError as error:
            raise AssertionError(f"{job.name}: {error}\nwhere " + "\n      ".join(map(str, share))) from error

    def _run(self, job: Job) -> None:
        stack = self._stack
        for trouble in self._always:
            stack.instance.order_fault(**trouble, event=job.name)
        stack.upload(job.prefix, job.files)
        stack.submit(job.prefix, {"jobId": job.name, "prefix": job.prefix, "deletes": job.before})
        stack.wait_until(lambda: "execution" in stack.job(job.name), f"{job.name} has begun")
        execution = stack.wait(stack.job(job.name)["execution"])
        assert (execution.status, execution.last_state) == ("SUCCEEDED", "Notify"), execution

    def _check(self, job: Job) -> None:
        """The report is the rehearsal's, the index is what the report says, and nothing is left behind."""
        stack = self._stack
        assert self._report(job) == self._report(self._calm)
        assert self._parts(job) == self._parts(self._calm)
        assert self._counts(job) == {"planned": GOOD + BEFORE + BAD, "indexed": GOOD, "deleted": BEFORE, "failed": BAD}
        assert set(stack.statuses(*job.good).values()) <= {"INDEXED", "UPDATED"}
        assert set(stack.statuses(*job.before).values()) == {"NOT_FOUND"}
        lock = stack.job(job.name)
        assert lock["status"] == "FINISHED"
        assert "owner" not in lock
        assert stack.entered(lock["execution"]).count("AggregateFailures") == 1
        assert json.loads(stack.report(f"_archive/{job.name}/manifest.json"))["jobId"] == job.name
        assert keys(stack, "ingestion_bucket", f"{job.prefix}/_control/") == []
        assert ledger(stack, job.name) <= {"indexed", "updated", "failed"}
        if stack.option == "sqs":
            expected, done, counted = progress(stack, job.name)
            assert expected == done == counted > 0

    def _report(self, job: Job) -> str:
        text = self._stack.report(f"_reports/{job.name}/failures.csv").decode()
        return text.replace(job.name, "JOB")

    def _parts(self, job: Job) -> list[tuple[str, str]]:
        """Names and rows of the parts of the report, which only queues have."""
        found = keys(self._stack, "reports_bucket", f"_reports/{job.name}/put/")
        found += keys(self._stack, "reports_bucket", f"_reports/{job.name}/delete/")
        return [
            (
                re.sub(r"[0-9a-f]{16}", "RUN", key).replace(job.name, "JOB"),
                self._stack.report(key).decode().replace(job.name, "JOB"),
            )
            for key in found
        ]

    def _counts(self, job: Job) -> dict[str, int]:
        """What was sent twice is an update of itself, so the two count as one."""
        counts = self._stack.counts(job.name)
        return counts | {"indexed": counts.pop("indexed", 0) + counts.pop("updated", 0)}


def upload(stack: Stack, prefix: str, name: str, documents: int) -> list[str]:
    """Upload so many documents, in the order of their ids, which are returned."""
    ids = [f"{name}-{number:03}" for number in range(documents)]
    for document_id in ids:
        stack.upload(prefix, pair(document_id))
    return ids


def expect_all(stack: Stack, name: str, ids: Sequence[str]) -> None:
    """Every document is in the index and in the counts once; so is every message, where there are queues."""
    counts = stack.counts(name)
    assert counts["planned"] == len(ids) == counts.get("indexed", 0) + counts.get("updated", 0)
    assert stack.failures(name) == {}
    assert set(stack.statuses(*ids).values()) <= {"INDEXED", "UPDATED"}
    if stack.option == "sqs":
        assert progress(stack, name) == (math.ceil(len(ids) / REQUEST),) * 3


def keys(stack: Stack, bucket: str, prefix: str) -> list[str]:
    """The keys of the objects under a prefix of a bucket, which the outputs name."""
    pages = stack.client("s3").get_paginator("list_objects_v2").paginate(Bucket=stack.outputs[bucket], Prefix=prefix)
    return [item["Key"] for page in pages for item in page.get("Contents", [])]


def messages_left(stack: Stack) -> dict[str, int]:
    """How many messages each queue holds that is not empty, hidden ones included."""
    sqs = stack.client("sqs")
    urls = {name: Queues(stack).url(name) for name in QUEUES} | {"dead letters": stack.outputs["dead_letter_queue_url"]}
    found = {}
    for name, url in urls.items():
        told = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        found[name] = sum(int(told[f"ApproximateNumberOfMessages{part}"]) for part in ("", "NotVisible", "Delayed"))
    return {name: number for name, number in found.items() if number}


def progress(stack: Stack, job_id: str) -> tuple[int, int, int]:
    """Of the only run of a job: how many messages it expects, how many it has counted, and how many have their mark."""
    items = list(_scan(stack, "progress_table", "job", f"{job_id}/"))
    (counter,) = (item for item in items if item["part"]["S"] == "counter")
    marks = sum(item["part"]["S"].startswith("request-") for item in items)
    return int(counter["expected"]["N"]), int(counter["done"]["N"]), marks


def ledger(stack: Stack, job_id: str) -> set[str]:
    """The outcomes that the ledger knows of a job's documents."""
    return {item["outcome"]["S"] for item in _scan(stack, "ledger_table", "jobId", job_id) if "outcome" in item}


def _scan(stack: Stack, table: str, name: str, value: str) -> Iterator[dict[str, Any]]:
    """The items of a table, which the outputs name, whose attribute of that name begins so."""
    pages = (
        stack.client("dynamodb")
        .get_paginator("scan")
        .paginate(
            TableName=stack.outputs[table],
            FilterExpression="begins_with(#name, :value)",
            ExpressionAttributeNames={"#name": name},
            ExpressionAttributeValues={":value": {"S": value}},
        )
    )
    return (item for page in pages for item in page["Items"])
