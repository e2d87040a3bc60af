from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kendra_ingestion.outcomes import failed
from kendra_ingestion.pairing import METADATA_SUFFIX, Found, Listed
from kendra_ingestion.report import header, rows
from kendra_ingestion.retrying import Retry

BEGAN = "2025-10-05T12:00:00.000Z"
BEGAN_SECONDS = 1_759_665_600.0
PASSING, PERMANENT = "InternalError", "DocumentTooLarge"

texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
ids = texts | st.sampled_from(["=1+1", "'=1", "''", "@a", "-x", "a,b", 'say "a"', "a\nb", "a\r\nb", "\u2028"])


def retry_of(*failures: tuple[str, str]) -> Retry:
    report = header() + rows("origin", [failed(document_id, code, "so\nit is") for document_id, code in failures])
    return Retry.of("origin", io.StringIO(report.decode(), newline="\n"), BEGAN)


def found(key: str = "x.json", *, modified: float = 0.0, metadata_modified: float = 0.0) -> Found:
    return Found(Listed(key, 1, "e", modified), Listed(key + METADATA_SUFFIX, 1, "e", metadata_modified))


def wants(retry: Retry, document_id: str | None, key: str = "x.json", **modified: float) -> bool:
    return retry.wants(found(key, **modified), document_id, "in")


@given(st.lists(st.tuples(ids, st.sampled_from([PASSING, PERMANENT])), max_size=8), st.sets(ids, max_size=8))
def test_exactly_what_the_report_says_is_tried_again(failures: list[tuple[str, str]], others: set[str]) -> None:
    retry = retry_of(*failures)
    helped = {document_id for document_id, code in failures if code == PASSING}
    failed_ids = {document_id for document_id, _ in failures}
    for document_id in failed_ids | others:
        assert wants(retry, document_id) == (document_id in helped)
    told = retry.summary()
    assert (told["failed"], told["planned"], told["gone"]) == (len(failed_ids), len(helped), 0)
    assert sum(told["neverSucceed"].values()) == len(failed_ids - helped)


@given(st.sets(ids, min_size=1, max_size=8), st.data())
def test_each_failed_id_is_planned_or_cannot_succeed_or_is_gone(failed_ids: set[str], data: st.DataObject) -> None:
    codes = st.sampled_from([PASSING, PERMANENT, "QuotaExceeded", "ConflictingDelete"])
    retry = retry_of(*((document_id, data.draw(codes)) for document_id in sorted(failed_ids)))
    for document_id in sorted(failed_ids):
        fate = data.draw(st.sampled_from(["put", "delete", "both", "gone", "elsewhere"]))
        if fate in ("put", "both"):
            wants(retry, document_id, modified=data.draw(st.sampled_from([0.0, BEGAN_SECONDS + 1])))
        if fate in ("delete", "both"):
            retry.wants_delete(document_id, held=fate == "both")
        if data.draw(st.booleans()):
            retry = Retry.resume(retry.state(), retry.packed())
    told = retry.summary()
    assert told["failed"] == len(failed_ids) == told["planned"] + sum(told["neverSucceed"].values()) + told["gone"]


def test_lines_that_are_no_rows_are_read_as_the_report_means_them() -> None:
    retry = retry_of(("a\nb", PASSING))
    assert not wants(retry, "a")
    assert wants(retry, "a\nb")


@pytest.mark.parametrize("modified", [{"modified": BEGAN_SECONDS + 1}, {"metadata_modified": BEGAN_SECONDS + 1}])
def test_what_could_never_succeed_is_tried_when_one_of_its_files_is_younger(modified: dict[str, float]) -> None:
    assert wants(retry_of(("a", PERMANENT)), "a", **modified)


def test_a_file_that_the_origin_saw_is_no_reason_to_try_again() -> None:
    assert not wants(retry_of(("a", PERMANENT)), "a", modified=BEGAN_SECONDS, metadata_modified=BEGAN_SECONDS)


def test_a_young_file_that_did_not_fail_is_left_out() -> None:
    assert not wants(retry_of(("a", PASSING)), "b", modified=BEGAN_SECONDS + 1)


@pytest.mark.parametrize("reported", ["s3://in/x.json", "s3://in/x.json.metadata.json", "real-id"])
def test_a_document_is_found_by_any_name_that_it_may_have_failed_under(reported: str) -> None:
    retry = retry_of((reported, PASSING))
    assert wants(retry, "real-id")
    assert retry.summary()["planned"] == 1


def test_a_document_that_still_has_no_readable_id_is_found_by_its_place() -> None:
    assert wants(retry_of(("s3://in/x.json", PASSING)), None)


def test_of_several_rows_for_an_id_the_one_that_can_be_helped_counts() -> None:
    for codes in ((PASSING, PERMANENT), (PERMANENT, PASSING)):
        retry = retry_of(*(("a", code) for code in codes))
        assert wants(retry, "a")
        assert retry.summary()["failed"] == 1


def test_an_id_is_planned_when_one_of_its_documents_is() -> None:
    """Two documents may share an id; one that is left out does not take the other back."""
    retry = retry_of(("a", PERMANENT))
    assert wants(retry, "a", "new.json", modified=BEGAN_SECONDS + 1)
    assert not wants(retry, "a", "old.json")
    assert retry.summary()["planned"] == 1


def test_a_conflicting_delete_is_tried_when_the_conflict_has_gone() -> None:
    retry = retry_of(("a", "ConflictingDelete"), ("b", "ConflictingDelete"), ("c", "InvalidRequest"), ("d", PASSING))
    assert retry.wants_delete("a", held=False)
    assert not retry.wants_delete("b", held=True)
    assert not retry.wants_delete("c", held=False)
    assert retry.wants_delete("d", held=False)
    assert not retry.wants_delete("e", held=False)
    assert retry.summary() == {
        "job": "origin",
        "failed": 4,
        "planned": 2,
        "neverSucceed": {"ConflictingDelete": 1, "InvalidRequest": 1},
        "gone": 0,
    }


def test_a_report_without_rows_leaves_nothing_to_do() -> None:
    assert retry_of().summary() == {"job": "origin", "failed": 0, "planned": 0, "neverSucceed": {}, "gone": 0}


def test_failed_ids_are_small() -> None:
    retry = retry_of(*((f"emp-{number}", f"Code{number % 300}") for number in range(10_000)))
    assert len(retry.packed()) == 20 * 10_000
    again = Retry.resume(retry.state(), retry.packed())
    assert wants(again, "emp-9999")
