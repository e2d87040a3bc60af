"""A job that is stopped, aborted or fails can be taken up again, and what was done before is not done again."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from millrace.errors import ExitCode
from tests.end_to_end.command import at_once, lines
from tests.end_to_end.stack import Stack, pair

DOCUMENTS = 160
REQUESTS = 16
"""In two chunks, the first of which has 100 documents."""


@pytest.fixture(scope="module", params=["sfn", "sqs"])
def slow(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack that sends one chunk after the other, with four requests a second."""
    folder = tmp_path_factory.mktemp("slow")
    stack = Stack.up(folder, deploy_option=request.param, sink_requests_per_second=4, max_concurrency=1)
    yield stack
    stack.instance.stop()


def begin(stack: Stack, prefix: str, job_id: str, documents: int = DOCUMENTS) -> tuple[str, str]:
    """Submit so many documents; the manifest's key, and the execution."""
    files = {name: body for number in range(documents) for name, body in pair(f"{job_id}-{number}").items()}
    stack.upload(prefix, files)
    key = stack.submit(prefix, {"jobId": job_id, "prefix": prefix})
    return key, stack.started(key)


def check_stopped(stack: Stack, job_id: str, key: str, execution: str) -> None:
    """It ended well, said what it did, and left everything for whoever takes it up."""
    assert stack.wait(execution).status == "SUCCEEDED"
    assert stack.wait(execution).last_state == "Notify"
    assert stack.job(job_id)["status"] == "STOPPED"
    assert "owner" not in stack.job(job_id)
    assert stack.summary(job_id)["stopped"]
    assert stack.manifest_is_at(key)
    assert "redrive" in stack.notification(mentioning=f"Job {job_id}:")["Message"]


def check_finished(stack: Stack, job_id: str, key: str, documents: int = DOCUMENTS) -> None:
    assert stack.counts(job_id) == {"planned": documents, "indexed": documents}
    assert stack.failures(job_id) == {}
    assert stack.job(job_id)["status"] == "FINISHED"
    assert not stack.manifest_is_at(key)


def test_a_job_stopped_while_it_sends_goes_on_with_the_rest(slow: Stack, prefix: str) -> None:
    folder, before = slow.instance.folder, slow.requests("put")
    key, execution = begin(slow, prefix, "halfway")
    slow.wait_until(lambda: slow.requests("put") >= before + 3, "three requests are sent")

    done = at_once(folder, "stop", "halfway", "--json")

    assert done.exit_code == ExitCode.OK, done.output
    check_stopped(slow, "halfway", key, execution)
    counts = slow.counts("halfway")
    assert counts["planned"] == DOCUMENTS == sum(counts.values()) - DOCUMENTS
    failures = slow.failures("halfway")
    assert set(failures.values()) == {"Stopped"}
    assert 30 <= DOCUMENTS - len(failures) < DOCUMENTS
    slow.wait_until_calm()
    assert slow.requests("put") < before + REQUESTS, "it went on sending"

    done = at_once(folder, "redrive", "halfway", "--watch", "--json")

    assert done.exit_code == ExitCode.OK, done.output
    assert slow.requests("put") == before + REQUESTS
    check_finished(slow, "halfway", key)


def test_a_job_stopped_while_it_verifies_goes_on_asking(slow: Stack, prefix: str) -> None:
    folder, before = slow.instance.folder, slow.requests("put")
    usual = slow.instance.kendra_statistics()["pace"]["indexing_seconds"]
    slow.instance.set_kendra_pace(indexing_seconds=12)
    try:
        key, execution = begin(slow, prefix, "asking", documents=20)
        slow.wait_until(
            lambda: any(name.startswith("verification-") for name in slow.work("asking")), "verification begins"
        )
        assert at_once(folder, "stop", "asking").exit_code == ExitCode.OK
    finally:
        slow.instance.set_kendra_pace(indexing_seconds=usual)
    check_stopped(slow, "asking", key, execution)
    assert slow.counts("asking") == {"planned": 20, "unverified": 20}

    assert at_once(folder, "redrive", "asking", "--watch").exit_code == ExitCode.OK

    assert slow.requests("put") == before + 2
    check_finished(slow, "asking", key, documents=20)


def test_a_job_stopped_before_it_has_a_plan_has_planned_nothing(slow: Stack, prefix: str) -> None:
    folder, before = slow.instance.folder, slow.requests("put")
    # LoadManifest reads once; the next to read is ListBatches, when it looks whether it is to stop.
    slow.instance.order_fault("s3:GetObject", nth=[2], delay_seconds=4)
    try:
        key, execution = begin(slow, prefix, "early", documents=20)
        slow.wait_for_lock("early", execution)
        assert at_once(folder, "stop", "early").exit_code == ExitCode.OK
    finally:
        slow.instance.forget_faults()
    check_stopped(slow, "early", key, execution)
    assert "plan.json" not in slow.work("early")
    assert slow.counts("early") == {}
    assert slow.summary("early")["note"] == "stopped before anything was planned"

    assert at_once(folder, "redrive", "early", "--watch").exit_code == ExitCode.OK

    assert slow.requests("put") == before + 2
    check_finished(slow, "early", key, documents=20)


@pytest.mark.parametrize("way", ["redriven", "resubmitted"])
def test_an_aborted_job_does_not_send_finished_chunks_again(slow: Stack, prefix: str, way: str) -> None:
    job_id, folder, before = f"aborted-{way}", slow.instance.folder, slow.requests("put")
    key, execution = begin(slow, prefix, job_id)
    slow.wait_until(lambda: any(name.startswith("outcomes/00000/") for name in slow.work(job_id)), "a chunk is sent")

    assert at_once(folder, "stop", job_id, "--now").exit_code == ExitCode.OK

    assert slow.wait(execution).status == "ABORTED"
    assert slow.manifest_is_at(key)
    # What is under way when an execution is aborted goes on to its end.
    slow.wait_until_calm(seconds=3)
    assert slow.requests("put") > before

    if way == "redriven":
        done = at_once(folder, "redrive", job_id, "--watch", "--json")
        assert done.exit_code == ExitCode.OK, done.output
        assert (lines(done)[0]["way"], lines(done)[0]["execution"]) == ("redriven", execution)
    else:
        again = slow.start({"bucket": slow.outputs["ingestion_bucket"], "key": key})
        assert slow.wait(again).status == "SUCCEEDED"

    assert slow.requests("put") == before + REQUESTS
    check_finished(slow, job_id, key)


def test_a_failed_job_is_taken_up_and_sends_nothing_again(slow: Stack, prefix: str) -> None:
    before = slow.requests("put")
    slow.instance.order_fault("dynamodb:BatchGetItem", code="AccessDeniedException", status=400)
    try:
        key, execution = begin(slow, prefix, "unsettled", documents=20)
        ended = slow.wait(execution)
    finally:
        slow.instance.forget_faults()
    assert (ended.status, ended.last_state) == ("FAILED", "Failed")
    assert slow.job("unsettled")["status"] == "FAILED"
    assert "AccessDenied" in slow.notification(mentioning="unsettled")["Message"]
    assert slow.manifest_is_at(key)

    done = at_once(slow.instance.folder, "redrive", "unsettled", "--watch", "--json")

    assert done.exit_code == ExitCode.OK, done.output
    assert lines(done)[0]["way"] == "started"
    assert slow.requests("put") == before + 2
    check_finished(slow, "unsettled", key, documents=20)
