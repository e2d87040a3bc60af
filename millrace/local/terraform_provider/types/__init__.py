"""The resource types, by the family of services that they belong to."""

from __future__ import annotations

from dataclasses import replace

from millrace.local.terraform_provider.resource import ResourceType
from millrace.local.terraform_provider.types import (
    containers,
    dynamodb,
    functions,
    iam,
    messaging,
    observability,
    orchestration,
    s3,
)

FAMILIES = (containers, dynamodb, functions, iam, messaging, observability, orchestration, s3)

TYPES: dict[str, ResourceType] = {
    name: replace(row, name=name) for family in FAMILIES for name, row in family.TYPES.items()
}
