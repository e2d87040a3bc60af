"""A retry plans the failed documents of an earlier job that may succeed now, says which may not, and sends no other."""

from __future__ import annotations

import pytest

from millrace.errors import ExitCode
from tests.end_to_end.command import at_once, lines, millrace
from tests.end_to_end.stack import BOTH_OPTIONS, Stack, metadata, pair

GOOD = 15
REQUESTS = 2
"""Of 10 documents at most, for the good ones and the one that the index cannot read."""


def upload(stack: Stack, prefix: str, name: str) -> list[str]:
    """Good documents, whose ids are returned, and five that can never succeed as they are."""
    ids = [f"{name}-{number}" for number in range(GOOD)]
    for document_id in ids:
        stack.upload(prefix, pair(document_id))
    stack.upload(prefix, pair(f"{name}-unreadable", "") | {"alone.json": b"no metadata"})
    stack.upload(prefix, {"twice.json": b"twice", "twice.json.metadata.json": metadata(ids[0])})
    stack.upload(prefix, pair(f"{name}-invalid", ContentType="PAPER"))
    stack.upload(prefix, {"large.json": b"x" * 6_000_000, "large.json.metadata.json": metadata(f"{name}-large")})
    return ids


@BOTH_OPTIONS
def test_only_what_may_succeed_is_tried_again(healthy: Stack, prefix: str) -> None:
    ids = upload(healthy, prefix, "tried")
    healthy.refuse("put")
    assert healthy.run(prefix, "tried-origin").status == "SUCCEEDED"
    assert healthy.counts("tried-origin") == {"planned": GOOD + 5, "failed": GOOD + 5}
    healthy.instance.forget_faults()
    before = healthy.requests("put")

    assert healthy.run(prefix, "tried-by-manifest", retryOf="tried-origin").status == "SUCCEEDED"

    assert healthy.requests("put") - before == REQUESTS
    # A row names an id, not a file: the second file of an id that is tried again is told again that it is the second.
    assert healthy.counts("tried-by-manifest") == {"planned": GOOD + 2, "indexed": GOOD, "failed": 2}
    failures = {"tried-unreadable": "InvalidRequest", ids[0]: "DuplicateDocumentId"}
    assert healthy.failures("tried-by-manifest") == failures
    assert set(healthy.statuses(*ids).values()) == {"INDEXED"}
    retry = healthy.summary("tried-by-manifest")["retry"]
    never = {"DocumentTooLarge": 1, "MetadataInvalid": 1, "MissingMetadata": 1}
    # Ids, of which one had two rows.
    assert retry == {"job": "tried-origin", "failed": 19, "planned": 16, "neverSucceed": never, "gone": 0}


def test_the_command_says_what_it_tries_and_what_can_never_succeed(healthy: Stack, prefix: str) -> None:
    folder = healthy.instance.folder
    upload(healthy, prefix, "said")
    healthy.refuse("put")
    assert healthy.run(prefix, "said").status == "SUCCEEDED"
    healthy.instance.forget_faults()

    done = at_once(folder, "retry", "said", "--watch")
    assert done.exit_code == ExitCode.FAILED_DOCUMENTS, done.output
    said = " ".join(done.stdout.split())
    assert "failed documents of job said: 20; tried again: 16" in said
    assert "can never succeed as they are: 4" in said
    for code in ("MissingMetadata", "DocumentTooLarge", "DuplicateDocumentId", "MetadataInvalid"):
        assert code in said
    assert "submitted as said-retry-1" in said
    assert healthy.counts("said-retry-1") == {"planned": GOOD + 2, "indexed": GOOD, "failed": 2}

    # A retry of the retry: what is left can never succeed, so nothing is planned.
    done = at_once(folder, "retry", "said-retry-1", "--watch", "--json")
    assert done.exit_code == ExitCode.OK, done.output
    asked, *_, came = lines(done)
    assert (asked["jobId"], asked["retryOf"]) == ("said-retry-2", "said-retry-1")
    never = {"DuplicateDocumentId": 1, "InvalidRequest": 1}
    assert (asked["failed"], asked["retryable"], asked["permanent"]) == (2, 0, never)
    assert (came["type"], came["planned"], came["neverSucceed"]) == ("retried", 0, never)
    assert healthy.counts("said-retry-2") == {}

    done = at_once(folder, "retry", "said-retry-2")
    assert done.exit_code == ExitCode.OK, done.output
    assert "nothing to try again" in done.stdout


def test_what_can_never_succeed_is_tried_again_when_its_files_are_new(stack: Stack, prefix: str) -> None:
    upload(stack, prefix, "mended")
    assert stack.run(prefix, "mended-origin").status == "SUCCEEDED"
    assert stack.counts("mended-origin") == {"planned": GOOD + 5, "indexed": GOOD, "failed": 5}
    stack.upload(prefix, {"alone.json.metadata.json": metadata("mended-alone")})
    stack.upload(prefix, {"mended-unreadable.json": b"text now"})
    stack.upload(prefix, {"mended-invalid.json.metadata.json": metadata("mended-invalid")})
    before = stack.requests("put")

    assert stack.run(prefix, "mended-retry", retryOf="mended-origin").status == "SUCCEEDED"

    assert stack.counts("mended-retry") == {"planned": 3, "indexed": 3}
    assert stack.requests("put") == before + 1
    retry = stack.summary("mended-retry")["retry"]
    assert (retry["failed"], retry["planned"]) == (5, 3)
    assert retry["neverSucceed"] == {"DocumentTooLarge": 1, "DuplicateDocumentId": 1}


@BOTH_OPTIONS
def test_failed_deletes_are_tried_again(healthy: Stack, prefix: str) -> None:
    ids = [f"undeleted-{number}" for number in range(12)]
    for document_id in ids:
        healthy.upload(prefix, pair(document_id))
    assert healthy.run(prefix, "undeleted").status == "SUCCEEDED"
    other = f"{prefix}-deletes"
    healthy.upload(other, pair("undeleted-put"))
    healthy.refuse("delete")
    deletes = [*ids, "undeleted-put"]
    assert healthy.run(other, "undeleted-deletes", deletes=deletes).status == "SUCCEEDED"
    assert healthy.counts("undeleted-deletes") == {"planned": 14, "indexed": 1, "failed": 13}
    healthy.instance.forget_faults()

    done = at_once(healthy.instance.folder, "retry", "undeleted-deletes", "--watch", "--json")

    assert done.exit_code == ExitCode.OK, done.output
    # The delete that conflicts with a document of the folder can never succeed while the folder holds it.
    assert lines(done)[-1]["neverSucceed"] == {"ConflictingDelete": 1}
    assert healthy.counts("undeleted-deletes-retry-1") == {"planned": 12, "deleted": 12}
    assert set(healthy.statuses(*ids).values()) == {"NOT_FOUND"}
    assert healthy.statuses("undeleted-put") == {"undeleted-put": "INDEXED"}


def test_documents_that_are_gone_are_said_to_be_gone(healthy: Stack, prefix: str) -> None:
    healthy.upload(prefix, pair("gone-1") | pair("gone-2"))
    healthy.refuse("put")
    assert healthy.run(prefix, "gone-origin").status == "SUCCEEDED"
    healthy.instance.forget_faults()
    healthy.remove(prefix, pair("gone-1"))
    assert healthy.run(prefix, "gone-retry", retryOf="gone-origin").status == "SUCCEEDED"
    assert healthy.counts("gone-retry") == {"planned": 1, "indexed": 1}
    retry = healthy.summary("gone-retry")["retry"]
    assert (retry["failed"], retry["planned"], retry["gone"]) == (2, 1, 1)


@pytest.mark.parametrize(
    "arguments", [("retry", "nobody-knows"), ("redrive", "nobody-knows"), ("stop", "nobody-knows")]
)
def test_a_job_that_nobody_knows_is_refused_in_one_line(stack: Stack, arguments: tuple[str, ...]) -> None:
    done = millrace(stack.instance.folder, *arguments)
    assert done.returncode == ExitCode.FAILED
    assert "nobody-knows" in done.stderr
    assert "Traceback" not in done.stderr
