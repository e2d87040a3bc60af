"""The permissions that the server's calls need, and errors of AWS in sentences that say which one is missing."""

from __future__ import annotations

from collections.abc import Mapping

from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, PartialCredentialsError

from millrace.errors import from_aws

PERMISSIONS: Mapping[str, str | None] = {
    "Invoke": "lambda:InvokeFunction",
    "StartExecution": "states:StartExecution",
    "DescribeExecution": "states:DescribeExecution",
    "GetExecutionHistory": "states:GetExecutionHistory",
    "ListExecutions": "states:ListExecutions",
    "Query": "dynamodb:Query",
    "GetItem": "dynamodb:GetItem",
    "GetCallerIdentity": None,
}
"""The action that each call asks for; None: every caller may."""
REFUSED = ("AccessDenied", "AccessDeniedException")
WHERE = "docs/mcp.md has the policy"
ENVIRONMENT = (
    "the server sees only the environment that the client gives it: name AWS_PROFILE in the client's entry for the "
    "server (docs/mcp.md)"
)


def explained(error: ClientError | BotoCoreError) -> str:
    """What AWS said, and what to do."""
    said = str(from_aws(error))
    if isinstance(error, NoCredentialsError | PartialCredentialsError):
        return f"{said}; {ENVIRONMENT}"
    if isinstance(error, ClientError) and error.response.get("Error", {}).get("Code") in REFUSED:
        action = PERMISSIONS.get(error.operation_name)
        return f"{said}; the permission is {action} ({WHERE})" if action else f"{said} ({WHERE})"
    return said
