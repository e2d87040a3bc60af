"""What Terraform tells the functions, read from the environment and checked once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeVar

from kendra_ingestion.errors import ConfigurationInvalid

T = TypeVar("T")


class Settings(NamedTuple):
    """One field an environment variable of the same name, in capitals."""

    reports_bucket: str
    ingestion_bucket: str
    kendra_index_id: str
    kendra_role_arn: str
    kendra_requests_per_second: float
    max_concurrency: int
    verification_deadline_seconds: int

    @property
    def share(self) -> float:
        """The rate, in requests per second, that one of the concurrent workers begins with."""
        return self.kendra_requests_per_second / self.max_concurrency


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Read the environment. Raises ConfigurationInvalid, which names the variable."""
    return Settings(
        reports_bucket=_read(environment, "REPORTS_BUCKET", str, "a bucket's name"),
        ingestion_bucket=_read(environment, "INGESTION_BUCKET", str, "a bucket's name"),
        kendra_index_id=_read(environment, "KENDRA_INDEX_ID", str, "an index's id"),
        kendra_role_arn=_read(environment, "KENDRA_ROLE_ARN", str, "a role's ARN"),
        kendra_requests_per_second=_read(
            environment,
            "KENDRA_REQUESTS_PER_SECOND",
            float,
            "a number above 0",
            lambda n: 0 < n < float("inf"),
        ),
        max_concurrency=_read(environment, "MAX_CONCURRENCY", int, "a whole number from 1", lambda n: n >= 1),
        verification_deadline_seconds=_read(
            environment, "VERIFICATION_DEADLINE_SECONDS", int, "a whole number from 0", lambda n: n >= 0
        ),
    )


def _read(
    environment: Mapping[str, str],
    name: str,
    convert: Callable[[str], T],
    allowed: str,
    holds: Callable[[T], bool] = bool,
) -> T:
    text = environment.get(name, "")
    try:
        value = convert(text)
    except ValueError:
        value = None
    if value is None or not holds(value):
        raise ConfigurationInvalid(f"environment variable {name} is {text!r}; allowed: {allowed}")
    return value
