from __future__ import annotations

from typing import Any

import pytest

from millrace.errors import MillraceError
from millrace.retrying import manifest_of, origin_of, retry_id

SUMMARY: dict[str, Any] = {
    "jobId": "handbook-1",
    "run": "1f2e3d4c5b6a7988",
    "prefix": "KendraDocuments/handbook",
    "counts": {"planned": 9, "indexed": 4, "failed": 5},
    "retryable": 2,
    "permanent": {"MissingMetadata": 2, "Refused": 1},
}


def test_the_origin_is_read_from_its_summary() -> None:
    origin = origin_of(SUMMARY)
    assert (origin.job_id, origin.run, origin.prefix) == ("handbook-1", "1f2e3d4c5b6a7988", "KendraDocuments/handbook")
    assert origin.as_dict() == {"failed": 5, "retryable": 2, "permanent": {"MissingMetadata": 2, "Refused": 1}}


@pytest.mark.parametrize("field", ["retryable", "permanent", "prefix"])
def test_a_summary_of_an_older_version_says_what_is_missing_and_what_to_do(field: str) -> None:
    old = {name: value for name, value in SUMMARY.items() if name != field}
    with pytest.raises(MillraceError, match=rf"handbook-1 has no field '{field}'.*millrace submit"):
        origin_of(old)


@pytest.mark.parametrize(
    ("origin", "taken", "name"),
    [
        ("handbook-1", set(), "handbook-1-retry-1"),
        ("handbook-1", {"handbook-1-retry-1", "handbook-1-retry-2"}, "handbook-1-retry-3"),
        ("handbook-1-retry-1", {"handbook-1-retry-1"}, "handbook-1-retry-2"),
        ("my-retry-plan", set(), "my-retry-plan-retry-1"),
    ],
)
def test_a_retry_is_named_for_its_origin_with_the_next_free_number(origin: str, taken: set[str], name: str) -> None:
    assert retry_id(origin, taken.__contains__) == name


def test_a_retrys_name_is_never_longer_than_a_job_id_may_be() -> None:
    taken = {f"{'x' * 92}-retry-{number}" for number in range(1, 10)}
    assert retry_id("x" * 100, set().__contains__) == "x" * 92 + "-retry-1"
    assert retry_id("x" * 100, taken.__contains__) == "x" * 91 + "-retry-10"


def test_the_manifest_names_its_origin_and_takes_over_what_it_deletes() -> None:
    manifest = manifest_of(origin_of(SUMMARY), "handbook-1-retry-1", {"mode": "changed", "deletes": ["emp-8"]})
    assert manifest == {
        "jobId": "handbook-1-retry-1",
        "prefix": "KendraDocuments/handbook",
        "retryOf": "handbook-1",
        "deletes": ["emp-8"],
    }
