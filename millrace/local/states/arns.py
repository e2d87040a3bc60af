"""ARNs of Step Functions: `arn:<partition>:states:<region>:<account>:<kind>:<name>[:<qualifier>]`."""

from __future__ import annotations

import re
from dataclasses import dataclass

ARN = re.compile(
    r"arn:(?P<partition>aws[a-z-]*):states:(?P<region>[a-z0-9-]+):(?P<account>\d{12}):"
    r"(?P<kind>stateMachine|execution|express):(?P<name>[^:#]{1,80})(?::(?P<qualifier>[^:#]+))?(?:#(?P<case>.+))?"
)


class InvalidArn(ValueError):
    """The text is no ARN of the kind that is wanted."""


@dataclass(frozen=True)
class Arn:
    """`qualifier` is a version's number, or an execution's name; `case` a mocked test case, which is no part of AWS."""

    partition: str
    region: str
    account: str
    kind: str
    name: str
    qualifier: str | None
    case: str | None

    @property
    def machine(self) -> str:
        return f"arn:{self.partition}:states:{self.region}:{self.account}:stateMachine:{self.name}"


def parse(text: str, *kinds: str) -> Arn:
    """Raises InvalidArn."""
    found = ARN.fullmatch(text)
    if found is None or found["kind"] not in kinds or (found["kind"] == "execution" and not found["qualifier"]):
        raise InvalidArn(f"Invalid Arn: '{text}' is no ARN of {' or '.join(kinds)}")
    return Arn(**found.groupdict())


def partition(region: str) -> str:
    if region.startswith("cn-"):
        return "aws-cn"
    return "aws-us-gov" if region.startswith("us-gov-") else "aws"


def machine(region: str, account: str, name: str) -> str:
    return f"arn:{partition(region)}:states:{region}:{account}:stateMachine:{name}"
