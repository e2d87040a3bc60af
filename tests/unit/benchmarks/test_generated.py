from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import generated
from benchmarks.generated import PREFIX, GeneratedS3
from kendra_ingestion.folder import Folder
from kendra_ingestion.metadata import METADATA_MAX_BYTES, read
from kendra_ingestion.pairing import pair
from kendra_ingestion.workspace import Workspace
from shared.object_writer import PART_BYTES

DOCUMENTS = 7_777


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(GeneratedS3(DOCUMENTS, tmp_path), "bucket")


def test_the_listing_is_in_the_order_of_s3_and_has_every_document(folder: Folder) -> None:
    listing = [each for page in folder.pages(PREFIX, None) for each in page]
    assert [each.key for each in listing] == sorted({each.key for each in listing}, key=str.encode)
    found = list(pair(listing))
    assert len(found) == DOCUMENTS
    assert sum(each.metadata is None for each in found) == generated.unpaired(DOCUMENTS) == 8


def test_a_page_is_never_longer_than_those_of_s3(folder: Folder) -> None:
    assert max(len(page) for page in folder.pages(PREFIX, None)) == 1_000


def test_a_listing_goes_on_after_the_last_key_of_any_page(folder: Folder) -> None:
    pages = list(folder.pages(PREFIX, None))
    for number, page in enumerate(pages[:-1]):
        assert next(folder.pages(PREFIX, page[-1].key)) == pages[number + 1]


def test_the_metadata_is_that_of_its_document(folder: Folder) -> None:
    *_, last = pair(each for page in folder.pages(PREFIX, None) for each in page)
    assert last.metadata is not None
    body = folder.read(last.metadata.key, METADATA_MAX_BYTES)
    document = read(body, bucket="bucket", key=last.key, size=last.document.size)
    assert document["documentId"] == f"emp-{DOCUMENTS - 1:09}"
    assert f"{document['documentId']}.json" in last.key


def test_what_is_written_in_parts_is_read_whole(tmp_path: Path) -> None:
    workspace = Workspace(GeneratedS3(0, tmp_path), "reports", job_id="job", run="run", attempt="attempt")
    lines = [b'{"documentId":"%07d","outcome":"unchanged"}\n' % number for number in range(PART_BYTES // 20)]
    workspace.publish_plan({"attempt": "attempt"})
    with workspace.planned_outcomes_writer(0) as writer:
        for each in lines:
            writer.write(each)
    found = [outcome.document_id for outcome in workspace.planned_outcomes(0)]
    assert len(b"".join(lines)) > 2 * PART_BYTES
    assert found == [f"{number:07}" for number in range(len(lines))]
