from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kendra_ingestion.metadata import METADATA_MAX_BYTES
from kendra_ingestion.outcomes import FAILED, UNCHANGED, Outcome, failed
from kendra_ingestion.report import header
from kendra_ingestion.report import rows as to_rows
from tests.fakes.crash import Crash, Fuse
from tests.fakes.pipeline import INGESTION, REPORTS, Pipeline

NOTHING = {"cursor": None, "done": True, "chunks": [], "planned": 0, "failed": 0, "unchanged": 0}


@pytest.fixture
def pipeline() -> Pipeline:
    pipeline = Pipeline()
    pipeline.upload_manifest()
    return pipeline


def chunk(pipeline: Pipeline, number: int) -> Any:
    return pipeline.workspace().chunk(number)


def outcomes(pipeline: Pipeline) -> list[Outcome]:
    """The outcomes of what is in no chunk, of all passes."""
    workspace = pipeline.workspace()
    return [
        outcome
        for planning_pass in range(workspace.plan()["passes"])
        for outcome in workspace.planned_outcomes(planning_pass)
    ]


def failures(pipeline: Pipeline) -> dict[str, str | None]:
    """The planned failures, as code by document id."""
    return {outcome.document_id: outcome.error_code for outcome in outcomes(pipeline) if outcome.outcome == FAILED}


def unchanged(pipeline: Pipeline) -> list[str]:
    return [outcome.document_id for outcome in outcomes(pipeline) if outcome.outcome == UNCHANGED]


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
    assert answer == {"cursor": None, "done": True, "chunks": [0, 1], "planned": 105, "failed": 0, "unchanged": 0}
    assert planned_ids(pipeline, answer) == ids
    assert [len(request) for request in chunk(pipeline, 1)["requests"]] == [5]
    first = chunk(pipeline, 0)["requests"][0][0]
    assert len(first.pop("digest")) == 32
    assert first == {
        "documentId": "doc-00000",
        "key": "team/day/batches/doc-00000.json",
        "contentType": "JSON",
        "attributes": {},
        "accessControlList": [],
        "size": 2,
    }


def test_an_empty_folder_is_a_plan_of_nothing(pipeline: Pipeline) -> None:
    pipeline.load_manifest()
    assert pipeline.list_batches() == NOTHING


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
    files = dict(pipeline.store.contents(REPORTS))
    for at in [*range(1, fuse.calls, 17), *range(fuse.calls - 5, fuse.calls + 1)]:
        pipeline.store.buckets[REPORTS].clear()
        pipeline.s3 = pipeline.store
        pipeline.load_manifest()
        pipeline.s3 = Fuse(at, done=done).guard(pipeline.store)
        with pytest.raises(Crash):
            pipeline.list_batches()
        pipeline.s3 = pipeline.store
        assert pipeline.list_batches() == expected
        assert dict(pipeline.store.contents(REPORTS)) == files


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


def test_a_plan_that_an_earlier_attempt_published_is_taken_as_it_is(pipeline: Pipeline) -> None:
    pipeline.add_many(105)
    pipeline.load_manifest()
    first = pipeline.list_batches()
    pipeline.add("new.json", "new")
    pipeline.attempt = "attempt-2"
    pipeline.store.reads.clear()
    assert pipeline.list_batches() == first
    assert not any(key.endswith(".metadata.json") for key in pipeline.store.reads)
    assert len(planned_ids(pipeline, first)) == 105


def test_a_plan_that_was_left_half_made_is_made_anew(pipeline: Pipeline) -> None:
    pipeline.add_many(1200)
    pipeline.load_manifest()
    assert not pipeline.list_batches(stop_at=0)["done"]
    pipeline.attempt = "attempt-2"
    pipeline.add("new.json", "new")
    answer = pipeline.list_batches()
    assert answer["planned"] == 1201
    assert "new" in planned_ids(pipeline, answer)


def test_of_two_attempts_that_plan_at_once_the_first_to_end_counts(pipeline: Pipeline) -> None:
    pipeline.add_many(1200)
    pipeline.load_manifest()
    late = pipeline.list_batches(stop_at=0)
    pipeline.attempt = "attempt-2"
    first = pipeline.list_batches()
    pipeline.attempt = "attempt-1"
    pipeline.add("new.json", "new")
    while not late["done"]:
        late = pipeline.list_batches(late["cursor"])
    assert late == first
    assert "new" not in planned_ids(pipeline, late)


def test_a_job_that_is_stopped_has_no_plan(pipeline: Pipeline) -> None:
    pipeline.add_many(3)
    pipeline.load_manifest()
    pipeline.stop()
    assert pipeline.list_batches() == NOTHING
    assert pipeline.workspace().find_plan() is None
    assert not any(key.endswith(".metadata.json") for key in pipeline.store.reads)


def test_a_stop_is_seen_while_a_pass_goes_on(pipeline: Pipeline) -> None:
    pipeline.add_many(2_000)
    pipeline.load_manifest()

    def stop(key: str) -> None:
        pipeline.clock.now += 0.01
        if key.endswith("doc-00700.json.metadata.json"):
            pipeline.stop()

    pipeline.store.before_get = stop
    assert pipeline.list_batches() == NOTHING
    assert pipeline.workspace().find_plan() is None
    assert not any(key.endswith("doc-01000.json.metadata.json") for key in pipeline.store.reads)


def test_a_stopped_job_sends_nothing_of_a_plan_that_was_there_already(pipeline: Pipeline) -> None:
    pipeline.add_many(3)
    pipeline.load_manifest()
    pipeline.list_batches()
    pipeline.stop()
    assert pipeline.list_batches() == NOTHING


def next_job(pipeline: Pipeline, job_id: str, **manifest: Any) -> Pipeline:
    """Another job over the same folder, with its manifest loaded."""
    job = Pipeline(prefix=pipeline.prefix, job_id=job_id)
    job.s3, job.store, job.entries = pipeline.store, pipeline.store, pipeline.entries
    job.kendra, job.index, job.clock = pipeline.kendra, pipeline.index, pipeline.clock
    job.upload_manifest(**manifest)
    job.load_manifest()
    return job


def test_a_second_run_over_an_unchanged_folder_plans_nothing_to_send(pipeline: Pipeline) -> None:
    ids = pipeline.add_many(105)
    pipeline.run_all()
    again = next_job(pipeline, "job-2", mode="changed")
    assert again.list_batches() == NOTHING | {"planned": 105, "unchanged": 105}
    assert unchanged(again) == ids
    assert again.workspace().plan()["unchanged"] == 105


def metadata_reads(pipeline: Pipeline) -> list[str]:
    """The ids in the names of the metadata files that were read, and forget them."""
    read = [key for key in pipeline.store.reads if key.endswith(".json.metadata.json")]
    pipeline.store.reads.clear()
    return [key.rpartition("/")[2].removesuffix(".json.metadata.json") for key in read]


def test_what_has_not_changed_is_not_even_read(pipeline: Pipeline) -> None:
    ids = pipeline.add_many(30)
    pipeline.run_all()
    assert sorted(metadata_reads(pipeline)) == ids
    pipeline.add("doc-00007.json", "doc-00007", Title="new")
    pipeline.add("doc-00030.json", "doc-00030")
    next_job(pipeline, "job-2", mode="changed").run_all()
    assert sorted(metadata_reads(pipeline)) == ["doc-00007", "doc-00030"] == pipeline.index.sent()[30:]
    next_job(pipeline, "job-3", mode="changed").run_all()
    assert metadata_reads(pipeline) == []
    assert len(pipeline.index.sent()) == 32


def test_what_the_ledger_does_not_know_as_it_is_is_read_though_its_files_are_as_they_were(pipeline: Pipeline) -> None:
    pipeline.add_many(5)
    pipeline.run_all()
    metadata_reads(pipeline)
    del pipeline.entries["doc-00002"]
    again = next_job(pipeline, "job-2", mode="changed")
    assert planned_ids(again, again.list_batches()) == ["doc-00002"]
    assert metadata_reads(again) == ["doc-00002"]


def test_a_catalogue_that_has_expired_is_done_without(pipeline: Pipeline) -> None:
    ids = pipeline.add_many(5)
    pipeline.run_all()
    metadata_reads(pipeline)
    for key in [key for key in pipeline.store.keys(REPORTS, "_work/") if "/catalogue-" in key]:
        del pipeline.store[f"{REPORTS}/{key}"]
    again = next_job(pipeline, "job-2", mode="changed")
    assert again.list_batches()["unchanged"] == 5
    assert sorted(metadata_reads(again)) == ids


def test_a_catalogue_of_several_passes_serves_several_passes(pipeline: Pipeline) -> None:
    ids = pipeline.add_many(1_300)
    first = pipeline
    first.upload_manifest()
    first.load_manifest()
    answer = first.list_batches(stop_at=0)
    assert not answer["done"]
    while not answer["done"]:
        answer = first.list_batches(answer["cursor"], stop_at=0)
    for chunk in answer["chunks"]:
        first.process_all(chunk)
    first.verify_all()
    first.aggregate_failures()
    metadata_reads(first)
    again = next_job(first, "job-2", mode="changed")
    answer = again.list_batches(stop_at=0)
    while not answer["done"]:
        answer = again.list_batches(answer["cursor"], stop_at=0)
    assert answer["unchanged"] == len(ids)
    assert metadata_reads(again) == []


def test_mode_full_sends_what_has_not_changed(pipeline: Pipeline) -> None:
    ids = pipeline.add_many(5)
    pipeline.run_all()
    again = next_job(pipeline, "job-2")
    assert planned_ids(again, again.list_batches()) == ids


def test_only_what_changed_is_sent(pipeline: Pipeline) -> None:
    pipeline.add_many(5)
    pipeline.run_all()
    pipeline.add("doc-00001.json", "doc-00001", body=b'{"new": true}')
    pipeline.add("doc-00003.json", "doc-00003", Title="new")
    pipeline.add("new.json", "new")
    again = next_job(pipeline, "job-2", mode="changed")
    answer = again.list_batches()
    assert planned_ids(again, answer) == ["doc-00001", "doc-00003", "new"]
    assert (answer["planned"], answer["unchanged"]) == (6, 3)


def test_the_same_bytes_uploaded_again_have_not_changed(pipeline: Pipeline) -> None:
    pipeline.add_many(5)
    pipeline.run_all()
    pipeline.add_many(5)
    assert next_job(pipeline, "job-2", mode="changed").list_batches()["unchanged"] == 5


@pytest.mark.parametrize("outcome", ["failed", "unverified", "sent", "unknown"])
def test_what_the_index_may_not_have_is_sent_again(pipeline: Pipeline, outcome: str) -> None:
    pipeline.add_many(3)
    pipeline.run_all()
    pipeline.entries["doc-00001"] = pipeline.entries["doc-00001"]._replace(outcome=outcome)
    again = next_job(pipeline, "job-2", mode="changed")
    assert planned_ids(again, again.list_batches()) == ["doc-00001"]


def test_a_document_that_changed_while_the_run_went_on_is_sent_again_next_time(pipeline: Pipeline) -> None:
    pipeline.add_many(3)
    pipeline.load_manifest()
    answer = pipeline.list_batches()
    pipeline.add("doc-00001.json", "doc-00001", body=b'{"new": true}')
    for number in answer["chunks"]:
        pipeline.process_all(number)
    pipeline.verify_all()
    pipeline.aggregate_failures()
    again = next_job(pipeline, "job-2", mode="changed")
    assert planned_ids(again, again.list_batches()) == ["doc-00001"]


def test_an_unchanged_document_holds_its_id_against_duplicates_and_deletes(pipeline: Pipeline) -> None:
    pipeline.add("a.json", "a")
    pipeline.run_all()
    pipeline.add("b.json", "a")
    again = next_job(pipeline, "job-2", mode="changed", deletes=["a"])
    assert again.list_batches() == NOTHING | {"planned": 3, "failed": 2, "unchanged": 1}
    assert [outcome.error_code for outcome in outcomes(again)] == [None, "DuplicateDocumentId", "ConflictingDelete"]


def report(pipeline: Pipeline, *rows: tuple[str, str]) -> None:
    """A job `origin` ended now, and its report has these rows of document id and code."""
    lines = to_rows("origin", [failed(document_id, code, "because\nof, that") for document_id, code in rows])
    place = f"{REPORTS}/_reports/origin"
    pipeline.store[f"{place}/summary.json"] = json.dumps({"startedAt": pipeline.store.now.isoformat()}).encode()
    pipeline.store[f"{place}/failures.csv"] = header() + lines


def test_a_retry_plans_only_what_failed(pipeline: Pipeline) -> None:
    pipeline.add_many(6)
    report(pipeline, ("doc-00001", "InternalError"), ("doc-00004", "NotProcessed"), ("=gone", "InternalError"))
    retry = next_job(pipeline, "job-2", retryOf="origin")
    answer = retry.list_batches()
    assert answer == NOTHING | {"chunks": [0], "planned": 2}
    assert planned_ids(retry, answer) == ["doc-00001", "doc-00004"]
    assert retry.workspace().plan()["retry"] == {
        "job": "origin",
        "failed": 3,
        "planned": 2,
        "neverSucceed": {},
        "gone": 1,
    }


def test_what_can_never_succeed_is_left_out_until_its_files_change(pipeline: Pipeline) -> None:
    pipeline.add("large.json", "large", size=6 * 1024 * 1024)
    pipeline.add("larger.json", "larger", size=7 * 1024 * 1024)
    report(pipeline, ("large", "DocumentTooLarge"), ("larger", "DocumentTooLarge"))
    pipeline.add("large.json", "large")
    retry = next_job(pipeline, "job-2", retryOf="origin")
    assert planned_ids(retry, retry.list_batches()) == ["large"]
    told = retry.workspace().plan()["retry"]
    assert (told["planned"], told["neverSucceed"], told["gone"]) == (1, {"DocumentTooLarge": 1}, 0)


def test_a_document_that_failed_without_a_readable_id_is_found_by_its_place(pipeline: Pipeline) -> None:
    place = f"s3://{INGESTION}/{pipeline.prefix}/batches"
    report(
        pipeline,
        (f"{place}/broken.json", "MetadataInvalid"),
        (f"{place}/hidden.json", "Unreadable"),
        (f"{place}/alone.json", "MissingMetadata"),
        (f"{place}/orphan.json.metadata.json", "MetadataWithoutDocument"),
    )
    for name in ("broken", "hidden", "alone", "orphan", "other"):
        pipeline.add(f"{name}.json", f"id-{name}")
    retry = next_job(pipeline, "job-2", retryOf="origin")
    assert planned_ids(retry, retry.list_batches()) == ["id-alone", "id-broken", "id-hidden", "id-orphan"]
    assert retry.workspace().plan()["retry"]["planned"] == 4


def test_only_the_deletes_that_failed_are_tried_again(pipeline: Pipeline) -> None:
    pipeline.add("held.json", "held")
    rows = [("old-1", "InternalError"), ("held", "ConflictingDelete"), ("free", "ConflictingDelete")]
    report(pipeline, *rows, ("refused", "InvalidRequest"), ("dropped", "InternalError"))
    deletes = ["old-1", "old-2", "held", "free", "refused"]
    retry = next_job(pipeline, "job-2", retryOf="origin", deletes=deletes)
    answer = retry.list_batches()
    assert planned_ids(retry, answer) == ["old-1", "free"]
    assert answer["failed"] == 0
    assert retry.workspace().plan()["retry"] == {
        "job": "origin",
        "failed": 5,
        "planned": 2,
        "neverSucceed": {"ConflictingDelete": 1, "InvalidRequest": 1},
        "gone": 1,
    }


def test_a_document_that_is_left_out_holds_its_id_against_duplicates_and_deletes(pipeline: Pipeline) -> None:
    pipeline.add("a.json", "a")
    pipeline.add("b.json", "b")
    report(pipeline, ("a", "DuplicateDocumentId"), ("b", "InternalError"))
    pipeline.add("twin-of-a.json", "a")
    retry = next_job(pipeline, "job-2", retryOf="origin", deletes=["a", "b"])
    answer = retry.list_batches()
    assert planned_ids(retry, answer) == ["b"]
    assert [(row.document_id, row.error_code) for row in outcomes(retry)] == [
        ("a", "DuplicateDocumentId"),
        ("b", "ConflictingDelete"),
    ]


def test_a_retry_of_what_changed_sends_what_failed_and_changed(pipeline: Pipeline) -> None:
    pipeline.add_many(4)
    pipeline.run_all()
    report(pipeline, ("doc-00001", "IndexingFailed"), ("doc-00002", "IndexingFailed"))
    pipeline.add("doc-00001.json", "doc-00001", body=b'{"new": true}')
    pipeline.add("doc-00003.json", "doc-00003", body=b'{"new": true}')
    retry = next_job(pipeline, "job-2", mode="changed", retryOf="origin")
    assert retry.list_batches() == NOTHING | {"chunks": [0], "planned": 2, "unchanged": 1}
    assert (planned_ids(retry, {"chunks": [0]}), unchanged(retry)) == (["doc-00001"], ["doc-00002"])


def test_a_retry_in_many_passes_plans_what_it_does_in_one(pipeline: Pipeline) -> None:
    def job(name: str) -> Pipeline:
        manifest = {"mode": "changed", "retryOf": "origin", "deletes": ["old", "doc-00002"]}
        return next_job(pipeline, name, **manifest)

    ids = pipeline.add_many(1600)
    pipeline.run_all()
    for place in (3, 900, 1400):
        pipeline.add(f"doc-{place:05}.json", ids[place], Title="new")
    report(pipeline, *((document_id, "InternalError") for document_id in ids[::3]), ("old", "NotProcessed"), ("x", "y"))
    whole = job("job-2")
    expected = whole.list_batches()
    parted = job("job-3")
    answer, passes = plan_in_passes(parted)
    assert (answer, passes) == (expected, 4)
    assert planned_ids(parted, answer) == planned_ids(whole, answer) == [ids[3], ids[900], "old"]
    assert outcomes(parted) == outcomes(whole)
    assert parted.workspace().plan()["retry"] == whole.workspace().plan()["retry"]


def test_a_retry_of_a_whole_job_does_what_failed_in_it(pipeline: Pipeline) -> None:
    pipeline.add_many(5)
    hidden = pipeline.add("hidden.json", "-hidden")
    pipeline.store[f"{INGESTION}/{pipeline.prefix}/batches/alone.json"] = b"{}"
    pipeline.store.forbidden = {f"{hidden}.metadata.json"}
    pipeline.run_all()
    assert set(pipeline.failures().values()) == {"Unreadable", "MissingMetadata"}
    pipeline.store.forbidden = set()
    retry = next_job(pipeline, "job-2", retryOf="job-1")
    assert planned_ids(retry, retry.list_batches()) == ["-hidden"]
    assert retry.workspace().plan()["retry"]["failed"] == 2
