"""Cases of IAM."""

from __future__ import annotations

from tests.local.terraform_provider.cases.case import (
    NAME,
    OTHER,
    TAGS,
    TRUST,
    Case,
    by_hand,
    parsed,
    policy,
    some,
)

ROLE_POLICY = policy("s3:GetObject", "*")
# What the function of the event source mappings needs on their queues.
READER_POLICY = policy("sqs:*", "*")
OTHER_ROLE_POLICY = policy("s3:PutObject", "*")


def cases() -> dict[str, Case]:
    return {
        "aws_iam_role": Case(
            minimal={"name": OTHER, "assume_role_policy": TRUST["lambda"]},
            full={
                "name": NAME,
                "assume_role_policy": TRUST["lambda"],
                "description": "for a test",
                "max_session_duration": 7200,
                "tags": TAGS,
            },
            changed={"assume_role_policy": TRUST["states"], "description": "for two tests"},
            change="update",
            ask=lambda client: some(
                client("iam").get_role(RoleName=NAME)["Role"],
                "AssumeRolePolicyDocument",
                "Description",
                "MaxSessionDuration",
            ),
            said={
                "AssumeRolePolicyDocument": parsed(TRUST["lambda"]),
                "Description": "for a test",
                "MaxSessionDuration": 7200,
            },
            said_after={
                "AssumeRolePolicyDocument": parsed(TRUST["states"]),
                "Description": "for two tests",
                "MaxSessionDuration": 7200,
            },
            drift=by_hand("iam", "update_assume_role_policy", RoleName=NAME, PolicyDocument=TRUST["pipes"]),
            refused={"inline_policy": [{"name": "one"}]},
        ),
        "aws_iam_role_policy": Case(
            minimal={"name": OTHER, "role": "${aws_iam_role.minimal.id}", "policy": READER_POLICY},
            full={"name": NAME, "role": "${aws_iam_role.full.id}", "policy": ROLE_POLICY},
            changed={"policy": OTHER_ROLE_POLICY},
            change="update",
            ask=lambda client: client("iam").get_role_policy(RoleName=NAME, PolicyName=NAME)["PolicyDocument"],
            said=parsed(ROLE_POLICY),
            said_after=parsed(OTHER_ROLE_POLICY),
            drift=by_hand("iam", "put_role_policy", RoleName=NAME, PolicyName=NAME, PolicyDocument=policy("s3:*", "*")),
            refused={"name_prefix": "x"},
        ),
    }
