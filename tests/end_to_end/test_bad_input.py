"""Bad input is a clear row or a clear failed execution with a notification; the others are indexed."""

from __future__ import annotations

import json

import pytest

from tests.end_to_end.stack import Stack, metadata, pair


@pytest.mark.parametrize(
    ("manifest", "named"),
    [
        (b"{not json", "JSON"),
        (b'\xff\xfe{"jobId": 1}', "UTF-8"),
        (b'{"jobId": 7, "prefix": "PREFIX"}', "jobId"),
        (b'{"prefix": "PREFIX"}', "jobId"),
        (b'{"jobId": "a/b", "prefix": "PREFIX"}', "jobId"),
        (b'{"jobId": "bad-prefix", "prefix": "PREFIX/../other"}', "prefix"),
        (b'{"jobId": "bad-prefix", "prefix": "/PREFIX"}', "prefix"),
        (b'{"jobId": "other-bucket", "prefix": "PREFIX", "bucket": "somebody-elses"}', "bucket"),
        (b'{"jobId": "other-prefix", "prefix": "tests/somebody-elses"}', "prefix"),
        (b'{"jobId": "deep", "prefix": "PREFIX", "deletes": ' + b"[" * 100_000, "JSON"),
    ],
)
def test_a_bad_manifest_fails_the_execution_with_a_cause_that_names_the_field(
    stack: Stack, prefix: str, manifest: bytes, named: str
) -> None:
    key = stack.submit(prefix, manifest.replace(b"PREFIX", prefix.encode()))
    execution = stack.wait_for_job(key)
    assert (execution.status, execution.error) == ("FAILED", "ManifestInvalid")
    assert named in (execution.cause or "")
    assert "ManifestInvalid" in stack.notification(mentioning=key)["Message"]


def test_a_manifest_of_20_megabytes_is_refused_before_it_is_read(stack: Stack, prefix: str) -> None:
    body = json.dumps({"jobId": "huge", "prefix": prefix, "deletes": ["x" * 2000] * 10_000}).encode()
    execution = stack.wait_for_job(stack.submit(prefix, body))
    assert (execution.status, execution.error) == ("FAILED", "ManifestInvalid")
    assert "bytes" in (execution.cause or "")


@pytest.mark.parametrize("nonsense", ["just a string", [], {}, {"bucket": 5}, {"bucket": "b", "key": ["k"]}])
def test_an_execution_started_by_hand_with_nonsense_says_what_is_wrong(stack: Stack, nonsense: object) -> None:
    execution = stack.wait(stack.start(nonsense))
    assert (execution.status, execution.error) == ("FAILED", "ManifestInvalid")


def test_a_manifest_in_a_foreign_bucket_is_refused(stack: Stack, prefix: str) -> None:
    execution = stack.wait(stack.start({"bucket": "somebody-elses", "key": f"{prefix}/_control/manifest.json"}))
    assert (execution.status, execution.error) == ("FAILED", "ManifestInvalid")
    assert "bucket" in (execution.cause or "")


def test_each_fault_of_a_folder_is_one_row_and_every_other_document_is_indexed(stack: Stack, prefix: str) -> None:
    bucket = stack.outputs["ingestion_bucket"]
    good = [f"good-{n}" for n in range(23)]
    objects: dict[str, bytes] = {}
    for name in good:
        objects |= pair(name)
    objects |= {
        "alone.json": b"a document without metadata",
        "orphan.json.metadata.json": metadata("orphan"),
        "x.json": b"between its pair lies x.json-a",
        "x.json-a": b"a document without metadata whose key sorts between a pair",
        "x.json.metadata.json": metadata("fault-x"),
        "first.json": b"first",
        "first.json.metadata.json": metadata("twice"),
        "second.json": b"second",
        "second.json.metadata.json": metadata("twice"),
        "large.json": b"x" * (6 * 1024 * 1024),
        "large.json.metadata.json": metadata("large"),
        "long.json": b"long",
        "long.json.metadata.json": metadata("y" * 2049),
        "attribute.json": b"attribute",
        "attribute.json.metadata.json": metadata("attribute", Attributes={"nobody_knows_this": "x"}),
        "bytes.json": b"bytes",
        "bytes.json.metadata.json": b'{"DocumentId": "\xff\xfe"}',
        "broken.json": b"broken",
        "broken.json.metadata.json": b'{"DocumentId": ',
        "body.json": b"\xff\xfe\x00\x01 not text",
        "body.json.metadata.json": metadata("body"),
        "empty.json": b"",
        "empty.json.metadata.json": metadata("empty"),
        "deep/er/nested.json": b"nested",
        "deep/er/nested.json.metadata.json": metadata("nested"),
        "formula.json": b"formula",
        "formula.json.metadata.json": metadata("=cmd()", Attributes={"nobody_knows_this": "x"}),
    }
    stack.upload(prefix, objects)
    job_id = "every-fault"

    execution = stack.run(prefix, job_id)

    assert execution.status == "SUCCEEDED", execution
    failures = stack.failures(job_id)
    summary = stack.summary(job_id)
    counts = summary["counts"]
    assert counts["planned"] == sum(counts[k] for k in counts if k != "planned")
    assert counts["failed"] == len(failures)
    indexed = [*good, "fault-x", "twice", "nested"]
    assert counts["indexed"] == len(indexed)
    assert set(stack.statuses(*indexed).values()) == {"INDEXED"}
    where = f"s3://{bucket}/{prefix}/batches/"
    for expected in (
        f"{where}alone.json",
        f"{where}orphan.json.metadata.json",
        f"{where}x.json-a",
        f"{where}broken.json",
        f"{where}bytes.json",
        "large",
        "attribute",
        "body",
        "empty",
        "'=cmd()",
    ):
        assert expected in failures, f"{expected} has no row among {sorted(failures)}"
    # Beside those: the second document of one id, and the one whose id is too long.
    assert len(failures) == 12
    assert "every-fault" in stack.notification(mentioning=job_id)["Message"]
