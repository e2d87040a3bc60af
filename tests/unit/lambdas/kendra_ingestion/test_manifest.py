from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kendra_ingestion import manifest
from kendra_ingestion.errors import ManifestInvalid
from kendra_ingestion.manifest import MANIFEST_MAX_BYTES, Manifest, read_manifest, read_request

FOLDER = "KendraDocuments/phonebook/2025-10-05"
GOOD = {"jobId": "phonebook-2025-10-05T12-00Z", "prefix": FOLDER}


def read(fields: Any, folder: str = FOLDER) -> Manifest:
    return read_manifest(json.dumps(fields).encode(), folder=folder)


def refusal(fields: Any, folder: str = FOLDER) -> str:
    with pytest.raises(ManifestInvalid) as refused:
        read(fields, folder)
    return str(refused.value)


def test_a_manifest_describes_a_job() -> None:
    assert read(GOOD | {"deletes": ["emp-888", "emp-999"], "mode": "full"}) == Manifest(
        "phonebook-2025-10-05T12-00Z", FOLDER, "full", ("emp-888", "emp-999"), None
    )


def test_a_manifest_may_ask_for_what_changed_of_what_failed() -> None:
    job = read(GOOD | {"mode": "changed", "retryOf": "phonebook-2025-10-04"})
    assert (job.mode, job.retry_of) == ("changed", "phonebook-2025-10-04")


def test_a_job_does_not_retry_itself() -> None:
    assert "manifest /retryOf is" in refusal(GOOD | {"retryOf": GOOD["jobId"]})
    assert "this job's own id" in refusal(GOOD | {"retryOf": GOOD["jobId"]})


def test_all_but_the_job_and_its_prefix_may_be_left_out() -> None:
    assert read(GOOD) == Manifest(GOOD["jobId"], FOLDER, "full", (), None)


def test_the_sample_is_a_manifest() -> None:
    body = (Path(__file__).parents[4] / "sample/kendra_ingestion/manifest.json").read_bytes()
    assert read_manifest(body, folder=json.loads(body)["prefix"]).job_id


def test_the_schema_is_a_schema_and_explains_each_field() -> None:
    schema = json.loads(Path(manifest.__file__).with_name("manifest.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    assert all(field["description"] for field in schema["properties"].values())


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({"jobId": None}, "/jobId is null; allowed: 1 to 100 of"),
        ({"jobId": 7}, "/jobId is 7"),
        ({"jobId": ""}, "/jobId has 0 characters"),
        ({"jobId": "a" * 101}, "/jobId has 101 characters"),
        ({"jobId": "-a"}, '/jobId is "-a"'),
        ({"jobId": ".."}, '/jobId is ".."'),
        ({"jobId": "a/b"}, '/jobId is "a/b"'),
        ({"jobId": "a\n"}, '/jobId is "a\\n"'),
        ({"jobId": "é"}, "/jobId is"),
        ({"mode": "new"}, '/mode is "new"; allowed: full: every document'),
        ({"mode": None}, "/mode is null"),
        ({"retryof": "x"}, "/retryof is not known; allowed: jobId, prefix, mode, retryOf, deletes"),
        ({"retryOf": None}, "/retryOf is null; allowed: the jobId of an earlier job"),
        ({"retryOf": ""}, "/retryOf has 0 characters"),
        ({"retryOf": "a" * 101}, "/retryOf has 101 characters"),
        ({"retryOf": "../a"}, '/retryOf is "../a"'),
        ({"retryOf": "a\n"}, '/retryOf is "a\\n"'),
        ({"deletes": "a"}, '/deletes is "a"'),
        ({"deletes": [""]}, "/deletes/0 has 0 characters"),
        ({"deletes": ["a", "x" * 2049]}, "/deletes/1 has 2,049 characters; allowed: a string of 1 to 2,048"),
        ({"deletes": ["a", 5]}, "/deletes/1 is 5"),
        ({"deletes": ["a", "b", "a"]}, '/deletes/2: "a" is given twice'),
        ({"deletes": [str(number) for number in range(100_001)]}, "/deletes has 100,001 entries"),
    ],
)
def test_a_wrong_field_is_named_with_what_is_allowed(change: dict[str, Any], names: str) -> None:
    assert names in refusal(GOOD | change)


@pytest.mark.parametrize("missing", ["jobId", "prefix"])
def test_a_missing_field_is_named(missing: str) -> None:
    assert f"manifest /{missing} is missing; allowed: " in refusal({k: GOOD[k] for k in GOOD if k != missing})


def test_several_faults_are_told_at_once() -> None:
    assert "/jobId is missing" in refusal({})
    assert "/prefix is missing" in refusal({})


@pytest.mark.parametrize(
    "prefix",
    [
        "", "/", "/a", "a/", "a//b", ".", "..", "../a", "a/..", "a/../b", "./a", "a/./b",
        "a\\b", "a\nb", "a\n", "a\x00b", "a\x7fb", "x" * 901, "/etc/passwd", "s3://other/a",
    ],
)  # fmt: skip
def test_a_prefix_that_climbs_out_or_makes_no_folder_is_refused(prefix: str) -> None:
    assert "manifest /prefix " in refusal(GOOD | {"prefix": prefix}, folder=prefix)


@pytest.mark.parametrize("prefix", ["a", "a/b/c", "ä ö/ü", "a..b", "...", "a b/.c", "x" * 900])
def test_a_prefix_that_is_a_folder_is_taken(prefix: str) -> None:
    assert read(GOOD | {"prefix": prefix}, folder=prefix).prefix == prefix


def test_a_prefix_must_be_the_folder_that_the_manifest_lies_in() -> None:
    assert '/prefix is "other"; allowed: "KendraDocuments' in refusal(GOOD | {"prefix": "other"})


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"null", b"{", b"\xff\xfe", b"\xef\xbb\xbf{}", b"[" * 100_000, b'{"jobId": NaN}']
)
def test_what_is_not_a_json_object_is_refused(body: bytes) -> None:
    with pytest.raises(ManifestInvalid, match="manifest / "):
        read_manifest(body, folder=FOLDER)


def test_a_manifest_of_20_mb_is_refused_before_it_is_parsed() -> None:
    with pytest.raises(ManifestInvalid, match="has 20,000,000 bytes; allowed: at most 5,242,880"):
        read_manifest(b" " * 20_000_000, folder=FOLDER)


@pytest.mark.parametrize("item", [{}, [], None, {"a": []}])
def test_a_manifest_made_of_nonsense_is_refused_in_seconds(item: Any) -> None:
    body = json.dumps(GOOD | {"deletes": [item] * 600_000}, separators=(",", ":")).encode()
    began = time.monotonic()
    with pytest.raises(ManifestInvalid):
        read_manifest(body[:MANIFEST_MAX_BYTES], folder=FOLDER)
    assert time.monotonic() - began < 30


@given(st.recursive(st.none() | st.text() | st.integers(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)))
def test_any_other_json_is_refused_with_a_field(fields: Any) -> None:
    assert "manifest /" in refusal(fields)


def test_the_input_of_an_event_and_of_a_person_are_taken() -> None:
    event = {"bucket": "in", "key": "a/b/_control/manifest.json", "sequencer": "0055"}
    request = read_request(event, ingestion_bucket="in")
    assert (request.prefix, request.of_event) == ("a/b", True)
    del event["sequencer"]
    request = read_request(event, ingestion_bucket="in")
    assert (request.prefix, request.of_event) == ("a/b", False)


@pytest.mark.parametrize(
    ("given_input", "names"),
    [
        (None, "input / is null"),
        ([], "input / is a list"),
        ("x", 'input / is "x"'),
        ({}, "input /bucket is missing"),
        ({"bucket": "in"}, "input /key is missing"),
        ({"bucket": 5, "key": "a/_control/manifest.json"}, "input /bucket is 5"),
        ({"bucket": "in", "key": None}, "input /key is null"),
        ({"bucket": "in", "key": ""}, 'input /key is ""'),
        ({"bucket": "in", "key": "a/_control/manifest.json", "sequencer": 1}, "input /sequencer is 1"),
        ({"bucket": "in", "key": "a/_control/manifest.json", "Comment": "hi"}, "input /Comment is not known"),
        (
            {"bucket": "foreign", "key": "a/_control/manifest.json"},
            'input /bucket is "foreign"; allowed: "in"',
        ),
        ({"bucket": "in", "key": "a/manifest.json"}, "allowed: <prefix>/_control/manifest.json"),
        ({"bucket": "in", "key": "_control/manifest.json"}, "allowed: <prefix>/_control/manifest.json"),
        ({"bucket": "in", "key": "/_control/manifest.json"}, "allowed: <prefix>/_control/manifest.json"),
    ],
)
def test_nonsense_as_input_is_refused_with_its_field(given_input: object, names: str) -> None:
    with pytest.raises(ManifestInvalid) as refused:
        read_request(given_input, ingestion_bucket="in")
    assert names in str(refused.value)
