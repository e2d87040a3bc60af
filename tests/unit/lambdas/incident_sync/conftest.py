"""What the tests of the incidents workflow share. Property tests neither depend on the machine's speed nor on chance:
the same examples each time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from hypothesis import settings
from moto import mock_aws

from incident_sync.fields import Fields

settings.register_profile("gate", deadline=None, derandomize=True, database=None)
settings.load_profile("gate")


@pytest.fixture
def fields() -> Fields:
    """The fields that Terraform configures by default."""
    return Fields(
        text=("title", "description", "impact", "root_cause", "resolution", "lessons_learned"),
        attributes=("priority", "service", "category", "tags"),
        dates=("created_at", "updated_at", "closed_at"),
    )


@pytest.fixture(scope="module")
def dynamodb_client() -> Iterator[Any]:
    """A DynamoDB client whose expressions are really evaluated."""
    with mock_aws():
        yield boto3.client(
            "dynamodb", region_name="eu-west-1", aws_access_key_id="testing", aws_secret_access_key="testing"
        )
