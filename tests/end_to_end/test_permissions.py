"""Each role may do what it does, and nothing that it does not do."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.stack import Stack, pair
from tests.end_to_end.test_ingestion import upload_sample

# By role and action. What AWS's own services do with these, where no API call passes the embedded AWS.
NOT_CALLED_HERE = {
    "*: logs:*": "the runtime and Step Functions write logs by themselves",
    "*: xray:*": "the runtime and Step Functions write traces by themselves",
    "*: iam:PassRole": "asked by Kendra of the caller, not a call",
    "*: lambda:InvokeFunction": "asked by Step Functions inside the process",
    "*: states:StartExecution": "asked by EventBridge inside the process",
    "*: s3:AbortMultipartUpload": "only when a report of more than 8 MiB fails in the middle",
    "*-load-manifest: s3:ListBucket": "no call: it makes S3 answer 404 for what is gone, in place of 403",
    "*-archive-manifest: s3:ListBucket": "no call: it makes S3 answer 404 for what is gone, in place of 403",
}


@pytest.fixture(scope="module")
def calls(stack: Stack, sample: Path) -> list[dict[str, Any]]:
    """The calls of a module's worth of runs: the sample, deletes, a bad manifest, a duplicate, a takeover."""
    stack.instance.forget_calls()
    upload_sample(stack, "permissions/sample", sample)
    assert stack.run("permissions/sample", "permissions-sample", deletes=["nobody"]).status == "SUCCEEDED"
    assert stack.wait_for_job(stack.submit("permissions/bad", b"{")).status == "FAILED"
    stack.upload("permissions/aborted", {k: v for n in range(20) for k, v in pair(f"permission-{n}").items()})
    key = stack.submit("permissions/aborted", {"jobId": "permissions-aborted", "prefix": "permissions/aborted"})
    first = stack.started(key)
    stack.client("stepfunctions").stop_execution(executionArn=first)
    assert stack.wait(first).status == "ABORTED"
    assert stack.run("permissions/aborted", "permissions-aborted").status == "SUCCEEDED"
    return stack.instance.calls()


@pytest.fixture(scope="module")
def sample() -> Path:
    return Path(__file__).parents[2] / "sample" / "kendra_ingestion"


def allowances(stack: Stack) -> Iterator[tuple[str, str]]:
    """Role and action of every Allow in the deployment's role policies."""
    iam = stack.client("iam")
    for role in iam.list_roles()["Roles"]:
        for name in iam.list_role_policies(RoleName=role["RoleName"])["PolicyNames"]:
            policy = iam.get_role_policy(RoleName=role["RoleName"], PolicyName=name)["PolicyDocument"]
            document = json.loads(policy) if isinstance(policy, str) else policy
            for statement in document["Statement"]:
                actions = statement["Action"]
                for action in [actions] if isinstance(actions, str) else actions:
                    yield role["RoleName"], action


def test_no_call_of_a_role_is_denied(calls: list[dict[str, Any]]) -> None:
    denied = [call for call in calls if not call["allowed"]]
    assert not denied
    assert len({call["principal"] for call in calls}) > 5, "the roles' calls were not recorded"


def test_no_allowance_is_never_used(stack: Stack, calls: list[dict[str, Any]]) -> None:
    used: dict[str, set[str]] = defaultdict(set)
    for call in calls:
        used[call["principal"]].add(call["action"].lower())
    unused = [
        f"{role}: {action}"
        for role, action in allowances(stack)
        if not any(fnmatchcase(f"{role}: {action}", pattern) for pattern in NOT_CALLED_HERE)
        and action.lower() not in used[role]
    ]
    assert not unused
