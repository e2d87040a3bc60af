from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import generated
from benchmarks.generated import PREFIX, GeneratedS3
from kendra_ingestion.folder import Folder
from kendra_ingestion.metadata import METADATA_MAX_BYTES, read
from kendra_ingestion.pairing import pair

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
