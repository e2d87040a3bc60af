"""`mode: changed` sends what the sink does not have as it is, and nothing else."""

from __future__ import annotations

import pytest

from tests.end_to_end.stack import Stack, StackOf, metadata, pair

NUMBER = 25
REQUESTS = 3
"""Of 10 documents at most."""


def upload(stack: Stack, prefix: str, ids: list[str], text: str = "some text") -> None:
    for document_id in ids:
        stack.upload(prefix, pair(document_id, text))


def run(stack: Stack, prefix: str, job_id: str, mode: str = "changed", **more: object) -> tuple[dict[str, int], int]:
    """Run a job; its counts that are not 0, and how many requests to put it sent."""
    before = stack.requests("put")
    execution = stack.run(prefix, job_id, mode=mode, **more)
    assert execution.status == "SUCCEEDED", execution
    return stack.counts(job_id), stack.requests("put") - before


@pytest.mark.parametrize(("option", "sink"), [("sfn", "kendra"), ("sqs", "bedrock")])
def test_a_second_run_over_an_unchanged_folder_sends_nothing(
    stack_of: StackOf, prefix: str, option: str, sink: str
) -> None:
    stack = stack_of(option, sink)
    ids = [f"unchanged-{number}" for number in range(NUMBER)]
    upload(stack, prefix, ids)
    assert run(stack, prefix, "unchanged-1") == ({"planned": NUMBER, "indexed": NUMBER}, REQUESTS)
    assert run(stack, prefix, "unchanged-2") == ({"planned": NUMBER, "unchanged": NUMBER}, 0)
    # The same bytes uploaded again are the same document.
    upload(stack, prefix, ids[:5])
    assert run(stack, prefix, "unchanged-3") == ({"planned": NUMBER, "unchanged": NUMBER}, 0)
    stack.upload(prefix, pair("unchanged-7", "another text"))
    counts, requests = run(stack, prefix, "unchanged-4")
    assert (counts["unchanged"], requests) == (NUMBER - 1, 1)


def test_what_changed_is_sent_and_nothing_else(stack: Stack, prefix: str) -> None:
    upload(stack, prefix, [f"changed-{number}" for number in range(8)])
    stack.upload(prefix, {"bad.json": b"\xff\xfe", "bad.json.metadata.json": metadata("changed-bad")})
    stack.upload(prefix, {"alone.json": b"no metadata"})
    counts, _ = run(stack, prefix, "changed-first")
    assert counts == {"planned": 10, "indexed": 8, "failed": 2}

    stack.upload(prefix, pair("changed-1", "another text"))
    stack.upload(prefix, {"changed-2.json.metadata.json": metadata("changed-2", Attributes={"department": "Pumps"})})
    stack.upload(prefix, pair("changed-new"))
    assert stack.run(f"{prefix}-deletes", "changed-deletes", deletes=["changed-3"]).status == "SUCCEEDED"
    assert stack.statuses("changed-3") == {"changed-3": "NOT_FOUND"}

    counts, requests = run(stack, prefix, "changed-second")
    # Sent: the two that changed, the new and the deleted one, and the one that failed last time, which fails again.
    assert counts == {"planned": 11, "unchanged": 5, "updated": 2, "indexed": 2, "failed": 2}
    assert requests == 1
    assert stack.failures("changed-second").keys() == stack.failures("changed-first").keys()
    assert stack.statuses("changed-3") == {"changed-3": "INDEXED"}

    stack.upload(prefix, {"bad.json": b"mended"})
    counts, requests = run(stack, prefix, "changed-third")
    assert counts == {"planned": 11, "unchanged": 9, "indexed": 1, "failed": 1}
    assert requests == 1


def test_a_document_that_changes_while_the_job_runs_is_sent_the_next_time(healthy: Stack, prefix: str) -> None:
    ids = [f"meanwhile-{number}" for number in range(20)]
    upload(healthy, prefix, ids)
    healthy.hold()
    key = healthy.submit(prefix, {"jobId": "meanwhile-1", "prefix": prefix, "mode": "changed"})
    execution = healthy.started(key)
    before = healthy.requests("put")
    healthy.wait_until(lambda: "plan.json" in healthy.work("meanwhile-1"), "the plan is made")
    assert healthy.requests("put") == before, "the document changed too late for this test"
    healthy.upload(prefix, pair("meanwhile-3", "changed meanwhile"))
    healthy.instance.forget_faults()
    assert healthy.wait(execution).status == "SUCCEEDED"
    assert healthy.counts("meanwhile-1") == {"planned": 20, "indexed": 20}

    counts, requests = run(healthy, prefix, "meanwhile-2")
    assert (counts, requests) == ({"planned": 20, "unchanged": 19, "updated": 1}, 1)
    assert run(healthy, prefix, "meanwhile-3") == ({"planned": 20, "unchanged": 20}, 0)


def test_the_same_documents_under_a_newer_prefix_are_unchanged(stack: Stack, prefix: str) -> None:
    ids = [f"dated-{number}" for number in range(12)]
    upload(stack, f"{prefix}/2025-10-05", ids)
    upload(stack, f"{prefix}/2025-10-06", ids)
    assert run(stack, f"{prefix}/2025-10-05", "dated-1") == ({"planned": 12, "indexed": 12}, 2)
    assert run(stack, f"{prefix}/2025-10-06", "dated-2") == ({"planned": 12, "unchanged": 12}, 0)


def test_the_full_mode_sends_all_and_the_changed_mode_knows_it(stack: Stack, prefix: str) -> None:
    upload(stack, prefix, [f"full-{number}" for number in range(NUMBER)])
    assert run(stack, prefix, "full-1", mode="full") == ({"planned": NUMBER, "indexed": NUMBER}, REQUESTS)
    assert run(stack, prefix, "full-2") == ({"planned": NUMBER, "unchanged": NUMBER}, 0)
    assert run(stack, prefix, "full-3", mode="full") == ({"planned": NUMBER, "updated": NUMBER}, REQUESTS)


def test_deletes_of_a_changed_job_are_always_sent(stack: Stack, prefix: str) -> None:
    upload(stack, prefix, ["kept", "removed"])
    assert run(stack, prefix, "removing-1") == ({"planned": 2, "indexed": 2}, 1)
    stack.remove(prefix, pair("removed"))
    for job_id in ("removing-2", "removing-3"):
        before = stack.requests("delete")
        counts, puts = run(stack, prefix, job_id, deletes=["removed"])
        assert (counts, puts) == ({"planned": 2, "unchanged": 1, "deleted": 1}, 0)
        assert stack.requests("delete") == before + 1
