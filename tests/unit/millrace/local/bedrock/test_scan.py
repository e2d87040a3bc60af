from __future__ import annotations

import pytest

from millrace.local.bedrock.scan import Changes, Kind, Known, Task, compare

A, B = "s3://b/a.txt", "s3://b/b.txt"
META = A + ".metadata.json"


def test_a_document_that_nobody_knows_is_new():
    assert compare({A: "1", META: "m"}, {}) == Changes(1, 1, [Task(A, Kind.NEW, False, "1", "m")], [], 0, 0)


def test_what_the_index_has_as_it_is_listed_is_left_alone():
    changes = compare({A: "1", META: "m", B: "2"}, {A: Known(True, "1", "m"), B: Known(True, "2", None)})
    assert (changes.documents, changes.metadata_files, changes.tasks, changes.gone) == (2, 1, [], [])


@pytest.mark.parametrize(
    ("listed", "known", "kind", "metadata_modified"),
    [
        ({A: "2"}, Known(True, "1"), Kind.MODIFIED, False),
        ({A: "2", META: "m"}, Known(True, "1", "m"), Kind.MODIFIED, False),
        ({A: "2", META: "n"}, Known(True, "1", "m"), Kind.MODIFIED, True),
        ({A: "1", META: "n"}, Known(True, "1", "m"), Kind.METADATA, True),
        ({A: "1", META: "m"}, Known(True, "1"), Kind.METADATA, True),
        ({A: "1"}, Known(True, "1", "m"), Kind.METADATA, True),
        ({A: "1"}, Known(True), Kind.MODIFIED, False),
        ({A: "1"}, Known(False), Kind.NEW, False),
    ],
    ids=[
        "other content",
        "other content, same metadata",
        "both",
        "other metadata",
        "metadata came",
        "metadata went",
        "ingested directly",
        "failed before",
    ],
)
def test_what_is_listed_otherwise_than_it_is_known_is_done_again(listed, known, kind, metadata_modified):
    (task,) = compare(listed, {A: known}).tasks
    assert (task.kind, task.metadata_modified) == (kind, metadata_modified)
    assert (task.etag, task.metadata_etag) == (listed[A], listed.get(META))


def test_what_is_no_longer_listed_is_gone_and_counts_if_the_index_has_it():
    changes = compare({}, {A: Known(True, "1", "m"), B: Known(False)})
    assert (changes.gone, changes.deleted, changes.metadata_deleted) == ([A, B], 1, 1)


def test_markers_of_folders_and_metadata_files_are_no_documents():
    changes = compare({"s3://b/folder/": "0", "s3://b/orphan.txt.metadata.json": "m"}, {})
    assert (changes.documents, changes.metadata_files, changes.tasks) == (0, 1, [])


def test_the_work_is_in_the_order_of_the_keys():
    assert [task.id for task in compare({B: "2", A: "1"}, {}).tasks] == [A, B]
