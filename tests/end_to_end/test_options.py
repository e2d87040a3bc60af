"""Both options and both sinks are one pipeline: the same input ends the same, whichever way it went."""

from __future__ import annotations

import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from typing import Any

import pytest

from tests.end_to_end.one_of_each import SAID_BY_THE_SINK, OneOfEach
from tests.end_to_end.queues import Queues
from tests.end_to_end.stack import Stack, StackOf, pair

DEPLOYMENTS = [(option, sink) for sink in ("kendra", "bedrock") for option in ("sfn", "sqs")]
JOB = "options"
PREFIX = "tests/options"


@pytest.fixture(scope="module")
def asked() -> OneOfEach:
    return OneOfEach.of(JOB, "millrace-ingestion", PREFIX)


@pytest.fixture(scope="module")
def done(stack_of: StackOf, asked: OneOfEach) -> dict[tuple[str, str], Stack]:
    """Every deployment, after the same job."""
    stacks = {deployment: stack_of(*deployment) for deployment in DEPLOYMENTS}
    with ThreadPoolExecutor(len(stacks)) as pool:
        list(pool.map(lambda stack: asked.run(stack, PREFIX, JOB), stacks.values()))
    return stacks


@pytest.mark.parametrize("deployment", DEPLOYMENTS, ids="-".join)
def test_every_document_and_every_delete_becomes_what_it_has_to(
    done: dict[tuple[str, str], Stack], asked: OneOfEach, deployment: tuple[str, str]
) -> None:
    asked.check(done[deployment], JOB)


def reported(stack: Stack) -> Sequence[tuple[str, ...]]:
    """What failures.csv says, without its order and without the words of a sink."""
    return sorted(
        (
            row["jobId"],
            row["documentId"],
            row["errorCode"],
            row["errorMessage"] * (row["errorCode"] != SAID_BY_THE_SINK),
        )
        for row in stack.rows(JOB)
    )


@pytest.mark.parametrize("deployment", DEPLOYMENTS[1:], ids="-".join)
def test_the_same_input_gives_the_same_report(done: dict[tuple[str, str], Stack], deployment: tuple[str, str]) -> None:
    default, other = done[DEPLOYMENTS[0]], done[deployment]
    assert reported(other) == reported(default)
    summaries = default.summary(JOB), other.summary(JOB)
    for field in ("counts", "failuresByCode", "retryable", "permanent", "prefix", "stopped", "note"):
        assert summaries[1][field] == summaries[0][field]


def test_the_queues_hold_what_the_architecture_says(stack_of: StackOf) -> None:
    """One message is one request; its group and its deduplication id follow from it."""
    stack = stack_of("sqs", "kendra")
    queues, prefix, job_id = Queues(stack), "tests/messages", "messages"
    ids = [f"message-{number:02}" for number in range(25)]
    to_delete = [f"unmessage-{number:02}" for number in range(11)]
    for document_id in ids:
        stack.upload(prefix, pair(document_id))
    with queues.held():
        key = stack.submit(prefix, {"jobId": job_id, "prefix": prefix, "deletes": to_delete})
        execution = stack.started(key)
        puts, deletes = queues.take("kendra-put", 3), queues.take("kendra-del", 2)
        common = {"jobId": job_id, "run": stack.job(job_id)["run"], "attempt": execution.rpartition(":")[2]}

        def body(action: str, chunk: int, request: int, **more: object) -> dict[str, object]:
            return {"action": action, **common, "chunk": chunk, "request": request, **more}

        sizes = listing(stack, prefix)
        digests = [reference["digest"] for message in puts for reference in message.body["docs"]]
        assert len(set(digests)) == len(ids)
        assert all(re.fullmatch("[0-9a-f]{32}", digest) for digest in digests)
        assert sorted((without_digests(message.body) for message in puts), key=request_of) == [
            body("put", 0, number, docs=[document(stack, prefix, name, sizes) for name in some])
            for number, some in enumerate((ids[:10], ids[10:20], ids[20:]))
        ]
        assert sorted((message.body for message in deletes), key=request_of) == [
            body("delete", 1, number, documentIds=some) for number, some in enumerate((to_delete[:10], to_delete[10:]))
        ]
        assert {message.group for message in puts} == {"put-0", "put-1"}
        assert {message.group for message in deletes} <= {f"del-{shard}" for shard in range(8)}
        for message in (*puts, *deletes):
            digest = sha256(message.text.encode()).hexdigest()
            assert message.deduplication_id == sha256(f"{job_id}{digest}".encode()).hexdigest()
        queues.give_back("kendra-put", puts)
        queues.give_back("kendra-del", deletes)
    assert stack.wait(execution).status == "SUCCEEDED"
    assert stack.counts(job_id) == {"planned": 36, "indexed": 25, "deleted": 11}


def without_digests(body: dict[str, Any]) -> dict[str, Any]:
    """A message's body without what tells one state of a document's files from another."""
    docs = [{name: value for name, value in item.items() if name != "digest"} for item in body["docs"]]
    return {**body, "docs": docs}


def request_of(body: dict[str, Any]) -> int:
    return body["request"]


def listing(stack: Stack, prefix: str) -> dict[str, int]:
    """The size of every object of the folder, by its key."""
    listed = stack.client("s3").list_objects_v2(Bucket=stack.outputs["ingestion_bucket"], Prefix=f"{prefix}/batches/")
    return {item["Key"]: item["Size"] for item in listed["Contents"]}


def document(stack: Stack, prefix: str, document_id: str, sizes: dict[str, int]) -> dict[str, object]:
    key = f"{prefix}/batches/{document_id}.json"
    return {
        "documentId": document_id,
        "s3Bucket": stack.outputs["ingestion_bucket"],
        "s3Key": key,
        "metaKey": f"{key}.metadata.json",
        "size": sizes[key],
    }
