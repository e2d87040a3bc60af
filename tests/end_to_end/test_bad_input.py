"""Bad input is a clear row or a clear failed execution with a notification; the others are indexed."""

from __future__ import annotations

import json

import pytest

from tests.end_to_end.one_of_each import OneOfEach
from tests.end_to_end.stack import Stack


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
        (b'{"jobId": "odd-mode", "prefix": "PREFIX", "mode": "sometimes"}', "mode"),
        (b'{"jobId": "odd-retry", "prefix": "PREFIX", "retryOf": "a/b"}', "retryOf"),
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


def test_each_fault_is_one_row_and_every_other_document_is_indexed(stack: Stack, prefix: str) -> None:
    asked = OneOfEach.of("fault", stack.outputs["ingestion_bucket"], prefix)
    asked.run(stack, prefix, "every-fault")
    asked.check(stack, "every-fault")
    message = stack.notification(mentioning="Job every-fault:")["Message"]
    assert f"{len(asked.failures)} failed" in message
    assert "UnknownAttribute" in message


def test_a_retry_of_a_job_that_nobody_knows_is_refused(stack: Stack, prefix: str) -> None:
    execution = stack.run(prefix, "retry-of-nobody", retryOf="nobody-knows")
    assert (execution.status, execution.error) == ("FAILED", "ManifestInvalid")
    assert "/retryOf" in (execution.cause or "")
    assert "nobody-knows" in (execution.cause or "")
