from __future__ import annotations

import pytest

from kendra_ingestion.errors import ConfigurationInvalid
from kendra_ingestion.settings import read_settings

ENVIRONMENT = {
    "REPORTS_BUCKET": "reports",
    "INGESTION_BUCKET": "ingestion",
    "KENDRA_INDEX_ID": "01234567-0123-0123-0123-0123456789ab",
    "KENDRA_ROLE_ARN": "arn:aws:iam::123456789012:role/reader",
    "KENDRA_REQUESTS_PER_SECOND": "10",
    "MAX_CONCURRENCY": "4",
    "VERIFICATION_DEADLINE_SECONDS": "0",
}


def test_each_worker_begins_with_its_share_of_the_rate() -> None:
    assert read_settings(ENVIRONMENT).share == 2.5


@pytest.mark.parametrize("name", ENVIRONMENT)
def test_a_missing_variable_is_named(name: str) -> None:
    with pytest.raises(ConfigurationInvalid, match=name):
        read_settings({other: value for other, value in ENVIRONMENT.items() if other != name})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("KENDRA_REQUESTS_PER_SECOND", "0"),
        ("KENDRA_REQUESTS_PER_SECOND", "inf"),
        ("KENDRA_REQUESTS_PER_SECOND", "nan"),
        ("KENDRA_REQUESTS_PER_SECOND", "fast"),
        ("MAX_CONCURRENCY", "0"),
        ("MAX_CONCURRENCY", "2.5"),
        ("VERIFICATION_DEADLINE_SECONDS", "-1"),
    ],
)
def test_a_variable_that_makes_no_sense_is_named_with_what_is_allowed(name: str, value: str) -> None:
    with pytest.raises(ConfigurationInvalid, match=f"{name} is '{value}'; allowed: "):
        read_settings(ENVIRONMENT | {name: value})
