"""Names as Step Functions gives them to SDK integrations: those of the AWS SDK for Java 2.x, after its naming
rules.

`aws-sdk:dynamodb:getItem` fails with `DynamoDb.ResourceNotFoundException` and answers `{"Item": {"Flag":
{"Bool": true}}}`, because the Java client is `DynamoDbClient`, and its attribute value has a member `bool`.
"""

from __future__ import annotations

import re
from functools import cache


@cache
def pascal_case(name: str) -> str:
    """A name in the Java SDK's PascalCase: `DynamoDB` is `DynamoDb`, `SSEKMSKeyId` is `SsekmsKeyId`."""
    words = re.sub(r"[^A-Za-z0-9]+", " ", name)
    words = re.sub(r"([^a-z]{2,})v([0-9]+)", r"\1 v\2 ", words)
    words = re.sub(r"([^A-Z]{2,})V([0-9]+)", r"\1 V\2 ", words)
    words = re.sub(r"(?<=[a-z])(?=[A-Z][a-zA-Z0-9])", " ", words)
    words = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1 \2", words)
    words = re.sub(r"([0-9])([a-zA-Z])", r"\1 \2", words)
    return "".join(word.lower().capitalize() for word in words.split())


@cache
def member_name(member: str) -> str:
    """A structure's member: as `pascal_case`, but `NULL` is `Nul`, a word that Java keeps for itself."""
    return "Nul" if member == "NULL" else pascal_case(member)


@cache
def client_name(service_id: str) -> str:
    """The Java client's name without `Client`: the prefix of every error of that service."""
    name = pascal_case(service_id)
    for prefix in ("Amazon", "Aws"):
        name = name.removeprefix(prefix)
    return name.removesuffix("Service")


@cache
def exception_name(shape: str) -> str:
    """The Java exception of a modelled error: `NoSuchKey` is `NoSuchKeyException`."""
    if shape.endswith("Fault"):
        return pascal_case(shape.removesuffix("Fault")) + "Exception"
    return pascal_case(shape) if shape.endswith("Exception") else pascal_case(shape) + "Exception"
