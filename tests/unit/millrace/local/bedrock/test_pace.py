from __future__ import annotations

import pytest

from millrace.local.bedrock.pace import Pace


@pytest.mark.parametrize(
    ("operation", "rate"),
    [
        ("StartIngestionJob", 0.1),
        ("GetIngestionJob", 10),
        ("ListIngestionJobs", 10),
        ("StopIngestionJob", 5),
        ("IngestKnowledgeBaseDocuments", 5),
        ("InvokeModel", 100),
    ],
)
def test_each_operation_has_the_quota_of_its_sort(operation, rate):
    pace = Pace(
        5,
        0,
        0,
        ingestion_seconds=60,
        ingestion_starts_per_second=0.1,
        ingestion_reads_per_second=10,
        invocations_per_second=100,
    )
    assert pace.requests_per_second_of(operation) == rate
