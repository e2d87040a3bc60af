"""Each role may do what it does, and nothing that it does not do."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from itertools import product
from pathlib import Path

import pytest

from tests.end_to_end.queues import Queues
from tests.end_to_end.stack import Stack, StackOf, pair
from tests.end_to_end.test_ingestion import upload_sample

SAMPLE = Path(__file__).parents[2] / "sample" / "kendra_ingestion"
DEPLOYMENTS = [("sfn", "kendra"), ("sqs", "kendra"), ("sqs", "bedrock")]

# By role, action and resource: what is no call of the role's function, and what only happens when AWS itself fails.
NO_CALL = "no call: it makes S3 answer 404 for what is not there, in place of 403"
NOT_CALLED_HERE = {
    "*: logs:* *": "the runtime and Step Functions write logs by themselves",
    "*: xray:* *": "the runtime and Step Functions write traces by themselves",
    "*: iam:PassRole *": "asked by Kendra of the caller, not a call",
    "*: lambda:InvokeFunction *": "asked by Step Functions inside the process",
    "*: states:StartExecution *": "asked by EventBridge inside the process",
    "*: s3:AbortMultipartUpload *": "only when a file of more than 8 MiB fails in the middle",
    "*-load-manifest: s3:ListBucket *": NO_CALL,
    "*-archive-manifest: s3:ListBucket *": NO_CALL,
    "*-list-batches: s3:ListBucket *-reports": NO_CALL,
    "*-producer: s3:ListBucket *": NO_CALL,
    "*-worker: s3:ListBucket *": NO_CALL,
    "*-archive-manifest: s3:GetObject *-ingestion/*": "no call: a delete on condition of an ETag needs it",
    "*-dead-letter-worker: sqs:GetQueueAttributes *": "asked by Lambda when it begins to read a queue, with the apply",
    "*: bedrock:StartIngestionJob *": "AWS's policy for direct ingestion has it and says no call that needs it",
    "*-knowledge-base: *": "the role of the embedded knowledge base itself, no part of terraform/",
}


def run(stack: Stack, prefix: str, job_id: str, **more: object) -> None:
    assert stack.run(prefix, job_id, **more).status == "SUCCEEDED"


@pytest.fixture(scope="module", params=DEPLOYMENTS, ids="-".join)
def used(request: pytest.FixtureRequest, stack_of: StackOf) -> Stack:
    """A stack after a module's worth of runs: the sample with deletes; a retry of it; an empty folder; a bad manifest;
    an aborted job that is taken over; and, where there are queues, messages that come back, die or cannot be read."""
    stack = stack_of(*request.param)
    stack.instance.forget_faults()
    stack.instance.forget_calls()
    upload_sample(stack, "permissions/sample", SAMPLE)
    run(stack, "permissions/sample", "permissions-1", deletes=["nobody"], mode="changed")
    run(stack, "permissions/sample", "permissions-2", deletes=["nobody"], retryOf="permissions-1")
    run(stack, "permissions/empty", "permissions-empty")
    assert stack.wait_for_job(stack.submit("permissions/bad", b"{")).status == "FAILED"
    refuse_deletes(stack)
    take_over(stack)
    if stack.option == "sqs":
        lose_a_worker(stack)
        trouble_the_queues(stack)
    return stack


def refuse_deletes(stack: Stack) -> None:
    stack.refuse("delete")
    run(stack, "permissions/refused", "permissions-refused", deletes=["nobody"])
    stack.instance.forget_faults()
    assert stack.counts("permissions-refused") == {"planned": 1, "failed": 1}


def take_over(stack: Stack) -> None:
    prefix, job_id = "permissions/aborted", "permissions-aborted"
    stack.upload(prefix, {k: v for n in range(20) for k, v in pair(f"permission-{n}").items()})
    first = stack.started(stack.submit(prefix, {"jobId": job_id, "prefix": prefix}))
    stack.wait_for_lock(job_id, first)
    stack.client("stepfunctions").stop_execution(executionArn=first)
    assert stack.wait(first).status == "ABORTED"
    run(stack, prefix, job_id)


def lose_a_worker(stack: Stack) -> None:
    """A worker dies when it has written what became of a message that is not delivered again."""
    prefix, job_id = "permissions/died", "permissions-died"
    stack.upload(prefix, pair("permission-died"))
    written = {"resource": "*/outcomes/*", "function": "millrace-put-worker", "when": "after"}
    stack.instance.order_fault("s3:PutObject", **written, nth=[1], kill=True, redeliver_seconds=0.2)
    with Queues(stack).receives(1):
        run(stack, prefix, job_id)
    stack.instance.forget_faults()
    assert stack.counts(job_id) == {"planned": 1, "indexed": 1}


def trouble_the_queues(stack: Stack) -> None:
    """A job's only message dies. Of another job one put and one delete come back and fail for a while, and one of each
    dies; and nobody understands what else is there."""
    queues, prefix, job_id = Queues(stack), "permissions/queues", "permissions-queues"
    stack.upload(prefix, {k: v for n in range(20) for k, v in pair(f"queued-{n}").items()})
    with queues.held():
        manifest = {"jobId": "permissions-only", "prefix": f"{prefix}-only", "deletes": ["nobody"]}
        only = stack.started(stack.submit(f"{prefix}-only", manifest))
        queues.move(queues.take("kendra-del", 1), "kendra-del", to="kendra-del-dead")
        assert stack.wait(only).status == "SUCCEEDED"
        deletes = [f"unqueued-{number}" for number in range(20)]
        execution = stack.started(stack.submit(prefix, {"jobId": job_id, "prefix": prefix, "deletes": deletes}))
        for name in ("kendra-put", "kendra-del"):
            messages = queues.take(name, 2)
            queues.move(messages[:1], name, to=f"{name}-dead")
            queues.give_back(name, messages[1:])
            for queue in (name, f"{name}-dead"):
                queues.send(queue, "nobody understands this")
        stack.wait_until(lambda: queues.is_empty("kendra-put-dead", "kendra-del-dead"), "dead messages are worked")
        stack.instance.order_fault("s3:PutObject", code="AccessDenied", status=403)
    workers = {"millrace-put-worker", "millrace-del-worker"}
    stack.wait_until(lambda: workers <= principals(stack, "dynamodb:DeleteItem"), "a message has failed in each worker")
    stack.instance.forget_faults()
    assert stack.wait(execution).status == "SUCCEEDED"
    assert stack.summary(job_id)["counts"]["failed"] == 20
    assert set(stack.failures(job_id).values()) == {"NotProcessed"}


def principals(stack: Stack, action: str) -> set[str]:
    """Who has made such a call."""
    return {call["principal"] for call in stack.instance.calls() if call["action"] == action}


def allowances(stack: Stack) -> Iterator[tuple[str, str, str]]:
    """Role, action and resource of every Allow in the deployment's role policies."""
    iam = stack.client("iam")
    for role in iam.list_roles()["Roles"]:
        for name in iam.list_role_policies(RoleName=role["RoleName"])["PolicyNames"]:
            policy = iam.get_role_policy(RoleName=role["RoleName"], PolicyName=name)["PolicyDocument"]
            document = json.loads(policy) if isinstance(policy, str) else policy
            for statement in document["Statement"]:
                for action, resource in product(as_list(statement["Action"]), as_list(statement["Resource"])):
                    yield role["RoleName"], action, resource


def as_list(given: str | list[str]) -> list[str]:
    return [given] if isinstance(given, str) else given


def test_no_call_of_a_role_is_denied(used: Stack) -> None:
    calls = used.instance.calls()
    assert not [call for call in calls if not call["allowed"]]
    assert len({call["principal"] for call in calls}) > 5, "the roles' calls were not recorded"


def test_no_allowance_is_never_used(used: Stack) -> None:
    found = unused(used, allowances(used), NOT_CALLED_HERE)
    assert not found, "\n".join(found)


def unused(stack: Stack, granted: Iterable[tuple[str, str, str]], excused: Iterable[str]) -> list[str]:
    """Of what was granted, by role, action and resource, what no call has made use of, unless a pattern excuses it."""
    calls: dict[tuple[str, str], set[str]] = defaultdict(set)
    for call in stack.instance.calls():
        calls[call["principal"], call["action"].lower()].add(call["resource"])
    patterns = list(excused)
    return [
        f"{role}: {action} {resource}"
        for role, action, resource in granted
        if not any(fnmatchcase(f"{role}: {action} {resource}", pattern) for pattern in patterns)
        and not any(fnmatchcase(called, resource) for called in calls[role, action.lower()])
    ]
