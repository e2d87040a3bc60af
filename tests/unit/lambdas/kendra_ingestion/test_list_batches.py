from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kendra_ingestion.metadata import METADATA_MAX_BYTES
from tests.fakes.crash import Crash, Fuse
from tests.fakes.pipeline import INGESTION, REPORTS, Pipeline

WORK = "_work/job-1/run-1"


@pytest.fixture
def pipeline() -> Pipeline:
    pipeline = Pipeline()
    pipeline.upload_manifest()
    return pipeline


def chunk(pipeline: Pipeline, number: int) -> Any:
    return json.loads(pipeline.store[f"{REPORTS}/{WORK}/chunks/{number:05}.json"])


def failures(pipeline: Pipeline) -> dict[str, str]:
    """The planned failures of all passes, as code by document id."""
    lines = [
        json.loads(line)
        for key in pipeline.store.keys(REPORTS, f"{WORK}/plan/failures-")
        for line in pipeline.store[f"{REPORTS}/{key}"].splitlines()
    ]
    return {line["documentId"]: line["errorCode"] for line in lines}


def planned_ids(pipeline: Pipeline, answer: dict[str, Any]) -> list[str]:
    return [
        item["documentId"]
        for number in answer["chunks"]
        for request in chunk(pipeline, number)["requests"]
        for item in request
    ]


def test_pairs_become_chunks_of_requests(pipeline: Pipeline) -> None:
    ids = pipeline.add_many(105)
    pipeline.load_manifest()
    answer = pipeline.list_batches()
    assert answer == {"cursor": None, "done": True, "chunks": [0, 1], "planned": 105, "failed": 0}
    assert planned_ids(pipeline, answer) == ids
    assert [len(request) for request in chunk(pipeline, 1)["requests"]] == [5]
    assert chunk(pipeline, 0)["requests"][0][0] == {
        "documentId": "doc-00000",
        "key": "team/day/batches/doc-00000.json",
        "contentType": "JSON",
        "attributes": {},
        "accessControlList": [],
        "size": 2,
    }


def test_an_empty_folder_is_a_plan_of_nothing(pipeline: Pipeline) -> None:
    pipeline.load_manifest()
    assert pipeline.list_batches() == {"cursor": None, "done": True, "chunks": [], "planned": 0, "failed": 0}


def test_what_cannot_be_sent_is_a_failure_and_the_rest_goes_on(pipeline: Pipeline) -> None:
    place = f"s3://{INGESTION}/{pipeline.prefix}/batches"
    pipeline.add("good.json", "good")
    pipeline.add("deep/er/good.md", "good-too")
    pipeline.add("large.json", "large", size=6 * 1024 * 1024)
    pipeline.add("long-id.json", "x" * 2049)
    pipeline.add("again.json", "good")
    pipeline.add("unknown-field.json", "unknown-field", Atributes={})
    pipeline.add("fat.json", "fat", Title="x" * METADATA_MAX_BYTES)
    pipeline.add("latin.json", "latin")
    pipeline.add("broken.json", "broken")
    folder = f"{INGESTION}/{pipeline.prefix}/batches"
    pipeline.store[f"{folder}/latin.json.metadata.json"] = '{"Title": "é"}'.encode("latin-1")
    pipeline.store[f"{folder}/broken.json.metadata.json"] = b'{"DocumentId": "bro'
    pipeline.store[f"{folder}/alone.json"] = b"{}"
    pipeline.store[f"{folder}/orphan.json.metadata.json"] = b"{}"
    pipeline.store[f"{folder}/empty-folder/"] = b""
    pipeline.load_manifest()
    answer = pipeline.list_batches()
    assert sorted(planned_ids(pipeline, answer)) == ["good", "good-too"]
    assert failures(pipeline) == {
        "large": "DocumentTooLarge",
        f"{place}/long-id.json": "MetadataInvalid",
        "good": "DuplicateDocumentId",
        "unknown-field": "MetadataInvalid",
        f"{place}/fat.json": "MetadataInvalid",
        f"{place}/latin.json": "MetadataInvalid",
        f"{place}/broken.json": "MetadataInvalid",
        f"{place}/alone.json": "MissingMetadata",
        f"{place}/orphan.json.metadata.json": "MetadataWithoutDocument",
    }
    assert (answer["planned"], answer["failed"]) == (11, 9)


def test_fat_metadata_is_not_even_read(pipeline: Pipeline) -> None:
    pipeline.add("fat.json", "fat", Title="x" * METADATA_MAX_BYTES)
    pipeline.load_manifest()
    pipeline.list_batches()
    assert not any(key.endswith("fat.json.metadata.json") for key in pipeline.store.reads)


def test_metadata_that_grew_after_it_was_listed_is_not_read_to_its_end(pipeline: Pipeline) -> None:
    key = pipeline.add("x.json", "x")
    pipeline.load_manifest()

    def grow(read: str) -> None:
        if read == f"{key}.metadata.json":
            pipeline.store[f"{INGESTION}/{read}"] = b" " * METADATA_MAX_BYTES * 3

    pipeline.store.before_get = grow
    pipeline.list_batches()
    assert set(failures(pipeline).values()) == {"MetadataInvalid"}


@pytest.mark.parametrize("fate", ["vanishes", "is forbidden"])
def test_metadata_that_cannot_be_read_is_a_failure_of_its_own(pipeline: Pipeline, fate: str) -> None:
    pipeline.add("a.json", "a")
    key = pipeline.add("b.json", "b")
    pipeline.load_manifest()
    if fate == "vanishes":
        pipeline.store.before_get = lambda read: (
            pipeline.store.buckets[INGESTION].pop(read, None) if read == f"{key}.metadata.json" else None
        )
    else:
        pipeline.store.forbidden.add(f"{key}.metadata.json")
    answer = pipeline.list_batches()
    assert planned_ids(pipeline, answer) == ["a"]
    assert failures(pipeline) == {f"s3://{INGESTION}/{key}": "Unreadable"}


def test_deletes_are_planned_after_the_documents(pipeline: Pipeline) -> None:
    pipeline.add("a.json", "a")
    pipeline.upload_manifest(deletes=["old-1", "a", "old-2"])
    pipeline.load_manifest()
    answer = pipeline.list_batches()
    assert answer["chunks"] == [0, 1]
    assert chunk(pipeline, 1) == {
        "chunk": 1,
        "action": "delete",
        "requests": [[{"documentId": "old-1"}, {"documentId": "old-2"}]],
    }
    assert failures(pipeline) == {"a": "ConflictingDelete"}


def plan_in_passes(pipeline: Pipeline) -> tuple[dict[str, Any], int]:
    """Plan with so little time that each pass gets through one page."""
    answer = pipeline.list_batches(stop_at=0)
    passes = 1
    while not answer["done"]:
        assert answer["chunks"] == []
        answer = pipeline.list_batches(answer["cursor"], stop_at=0)
        passes += 1
    return answer, passes


def fill(pipeline: Pipeline) -> None:
    """Some pages, with what must survive from pass to pass: duplicates, conflicts, pairs that a page parts."""
    pipeline.add_many(1200)
    pipeline.add("zz.json", "doc-00007")
    pipeline.add("doc-00499.json-between", "between", ContentType="JSON")
    pipeline.store[f"{INGESTION}/{pipeline.prefix}/batches/doc-00300.json-alone"] = b""
    pipeline.upload_manifest(deletes=["doc-00001", "doc-01100", "gone"])
    pipeline.load_manifest()


def test_many_short_passes_plan_what_one_long_pass_does(pipeline: Pipeline) -> None:
    fill(pipeline)
    whole = pipeline.list_batches()
    expected = (whole, planned_ids(pipeline, whole), failures(pipeline))
    again = Pipeline()
    fill(again)
    answer, passes = plan_in_passes(again)
    assert passes == 3
    assert (answer, planned_ids(again, answer), failures(again)) == expected
    assert expected[2]["doc-00007"] == "DuplicateDocumentId"


@pytest.mark.parametrize("done", [False, True])
def test_a_pass_that_dies_anywhere_and_is_retried_plans_the_same(pipeline: Pipeline, done: bool) -> None:
    pipeline.add_many(220)
    pipeline.add("zz.json", "doc-00007")
    pipeline.upload_manifest(deletes=["doc-00001", "gone"])
    pipeline.load_manifest()
    fuse = Fuse()
    pipeline.s3 = fuse.guard(pipeline.store)
    expected = pipeline.list_batches()
    files = dict(pipeline.store.contents(REPORTS, WORK))
    for at in [*range(1, fuse.calls, 17), *range(fuse.calls - 5, fuse.calls + 1)]:
        pipeline.store.buckets[REPORTS].clear()
        pipeline.s3 = pipeline.store
        pipeline.load_manifest()
        pipeline.s3 = Fuse(at, done=done).guard(pipeline.store)
        with pytest.raises(Crash):
            pipeline.list_batches()
        pipeline.s3 = pipeline.store
        assert pipeline.list_batches() == expected
        assert dict(pipeline.store.contents(REPORTS, WORK)) == files


@settings(max_examples=25)
@given(st.lists(st.sampled_from(["pair", "alone", "orphan", "broken", "twin"]), max_size=12))
def test_whatever_lies_in_the_folder_is_planned_once_or_failed_once(kinds: list[str]) -> None:
    pipeline = Pipeline()
    for place, kind in enumerate(kinds):
        key = pipeline.add(f"{place:02}.json", "twin" if kind == "twin" else f"doc-{place}")
        if kind == "alone":
            del pipeline.store[f"{INGESTION}/{key}.metadata.json"]
        if kind == "orphan":
            del pipeline.store[f"{INGESTION}/{key}"]
        if kind == "broken":
            pipeline.store[f"{INGESTION}/{key}.metadata.json"] = b"{"
    pipeline.upload_manifest()
    pipeline.load_manifest()
    answer = pipeline.list_batches()
    assert answer["planned"] == len(kinds)
    assert len(planned_ids(pipeline, answer)) + answer["failed"] == len(kinds)
