"""Looking at a folder, deciding what a job is called, and uploading it."""

from __future__ import annotations

import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from millrace.errors import UploadFailed, UsageError
from millrace.submission import Submission, find_manifest, pair, plan, survey, upload_files, write_manifest
from tests.fakes.operator.aws import FakeS3

NOW = datetime(2025, 10, 5, 12, 0, 9, tzinfo=UTC)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """`phonebook/` with one pair at its top and one below it."""
    folder = tmp_path / "phonebook"
    for name in ("a.json", "a.json.metadata.json", "deep/er/b.json", "deep/er/b.json.metadata.json"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("{}")
    return folder


def submission_of(folder: Path, **named: str) -> Submission:
    return plan(survey(folder), "ingestion", NOW, **named)  # type: ignore[arg-type]


class TestSurvey:
    def test_pairs_are_found_at_any_depth(self, folder: Path) -> None:
        found = survey(folder)
        assert found.pairs == 2
        assert {file.name for file in found.files} >= {"a.json", "deep/er/b.json.metadata.json"}
        assert found.flawless

    def test_files_without_a_partner_are_named_and_kept(self, folder: Path) -> None:
        (folder / "lonely.json").write_text("{}")
        (folder / "gone.json.metadata.json").write_text("{}")
        found = survey(folder)
        assert found.without_metadata == ("lonely.json",)
        assert found.without_document == ("gone.json.metadata.json",)
        assert {"lonely.json", "gone.json.metadata.json"} <= {file.name for file in found.files}
        assert not found.flawless

    def test_the_folders_manifest_is_no_document(self, folder: Path) -> None:
        (folder / "manifest.json").write_text('{"mode": "full"}')
        (folder / "deep" / "manifest.json").write_text("{}")
        found = survey(folder)
        assert found.manifest == {"mode": "full"}
        assert found.without_metadata == ("deep/manifest.json",)

    def test_hidden_files_links_and_pipes_are_left_out_by_name(self, folder: Path) -> None:
        (folder / ".DS_Store").write_text("")
        (folder / ".git").mkdir()
        (folder / ".git" / "config").write_text("")
        (folder / "link.json").symlink_to(folder / "a.json")
        (folder / "linked").symlink_to(folder / "deep")
        os.mkfifo(folder / "pipe.json")
        found = survey(folder)
        assert {entry.name for entry in found.left_out} == {
            ".DS_Store",
            ".git",
            "link.json",
            "linked",
            "pipe.json",
        }
        assert len(found.files) == 4
        assert not found.flawless

    def test_what_is_not_a_folder_is_refused(self, folder: Path) -> None:
        for wrong in (folder / "a.json", folder / "missing"):
            with pytest.raises(UsageError, match="is not a folder"):
                survey(wrong)

    @pytest.mark.parametrize("text", ["{", "[]", "[" * 100_000])
    def test_a_manifest_that_is_no_json_object_is_refused(self, folder: Path, text: str) -> None:
        (folder / "manifest.json").write_text(text)
        with pytest.raises(UsageError, match=r"manifest\.json"):
            survey(folder)


def test_names_that_sort_between_the_two_of_a_pair_do_not_part_them() -> None:
    names = ["x.json", "x.json-a", "x.json-a.metadata.json", "x.json.metadata.json"]
    assert pair(names) == (2, (), ())


def test_metadata_of_a_document_is_no_document_itself() -> None:
    chain = ["x", "x.metadata.json", "x.metadata.json.metadata.json"]
    assert pair(chain) == (1, (), ("x.metadata.json.metadata.json",))
    assert pair(chain[1:]) == (1, (), ())


class TestPlan:
    def test_the_folder_and_the_time_name_the_job(self, folder: Path) -> None:
        job = submission_of(folder)
        assert (job.job_id, job.prefix) == ("phonebook-2025-10-05T12-00-09Z", "phonebook")
        assert job.manifest == {"jobId": "phonebook-2025-10-05T12-00-09Z", "prefix": "phonebook"}
        assert job.manifest_key == "phonebook/_control/manifest.json"

    def test_the_manifest_comes_before_the_folder_and_an_option_before_both(self, folder: Path) -> None:
        given = {"jobId": "mine", "prefix": "of/mine", "deletes": ["gone"]}
        (folder / "manifest.json").write_text(json.dumps(given))
        assert submission_of(folder).manifest == given
        job = submission_of(folder, prefix="other/", job_id="yours")
        assert job.manifest == {"jobId": "yours", "prefix": "other", "deletes": ["gone"]}

    def test_a_folders_odd_name_still_gives_a_valid_job_id(self, tmp_path: Path) -> None:
        odd = tmp_path / "Büro (neu)"
        odd.mkdir()
        assert submission_of(odd).job_id == "B-ro-neu-2025-10-05T12-00-09Z"
        assert submission_of(odd).prefix == "Büro (neu)"

    @pytest.mark.parametrize("prefix", ["/etc", "a//b", "../up", "a/../b", "a\\b", "a\nb", "x" * 901])
    def test_a_prefix_that_the_pipeline_would_refuse_is_refused_here(self, folder: Path, prefix: str) -> None:
        with pytest.raises(UsageError, match="--prefix"):
            submission_of(folder, prefix=prefix)

    @pytest.mark.parametrize("job_id", [".hidden", "a/b", "a b", "é", "x" * 101])
    def test_a_job_id_that_the_pipeline_would_refuse_is_refused_here(self, folder: Path, job_id: str) -> None:
        with pytest.raises(UsageError, match="--job-id"):
            submission_of(folder, job_id=job_id)

    def test_a_manifests_field_of_a_wrong_type_is_named(self, folder: Path) -> None:
        (folder / "manifest.json").write_text('{"jobId": 7}')
        with pytest.raises(UsageError, match="jobId must be a string"):
            submission_of(folder)

    def test_a_name_with_a_control_character_is_refused(self, folder: Path) -> None:
        (folder / "two\nlines.json").write_text("{}")
        with pytest.raises(UsageError, match="control character"):
            submission_of(folder)

    @pytest.mark.skipif(sys.platform == "darwin", reason="this file system refuses names that are not UTF-8")
    def test_a_name_that_is_not_utf8_is_refused(self, folder: Path) -> None:
        (folder / os.fsdecode(b"caf\xe9.json")).write_text("{}")
        with pytest.raises(UsageError, match="not valid UTF-8"):
            submission_of(folder)

    def test_a_key_of_more_than_1024_bytes_is_refused(self, folder: Path) -> None:
        with pytest.raises(UsageError, match="1024"):
            plan(survey(folder), "ingestion", NOW, prefix="é" * 500 + "/" + "x" * 20)


class TestUpload:
    def test_every_file_arrives_under_batches_and_is_counted(self, folder: Path) -> None:
        s3, arrived = FakeS3(), []
        found = survey(folder)
        upload_files(s3, submission_of(folder), found.files, arrived=arrived.append)
        assert len(arrived) == 4
        assert sorted(s3.writes) == [
            "phonebook/batches/a.json",
            "phonebook/batches/a.json.metadata.json",
            "phonebook/batches/deep/er/b.json",
            "phonebook/batches/deep/er/b.json.metadata.json",
        ]

    def test_a_file_that_does_not_arrive_is_named_and_stops_the_rest(self, folder: Path) -> None:
        for number in range(2_000):  # more than a thread puts while the interpreter lets no other one run
            (folder / f"more-{number:04}.json").write_text("{}")
        s3 = FakeS3()
        s3.refuse_keys = {"phonebook/batches/a.json"}
        with pytest.raises(UploadFailed, match=r"a\.json did not arrive.*no job began"):
            upload_files(s3, submission_of(folder), survey(folder).files, threads=2)
        assert len(s3.writes) < 2_000

    def test_an_interruption_stops_the_rest(self, folder: Path) -> None:
        for number in range(200):
            (folder / f"more-{number:03}.json").write_text("{}")
        s3 = FakeS3()

        def interrupt(_: object) -> None:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            upload_files(s3, submission_of(folder), survey(folder).files, arrived=interrupt, threads=2)
        assert len(s3.writes) < 200

    def test_a_file_that_vanishes_is_named(self, folder: Path) -> None:
        found = survey(folder)
        (folder / "a.json").unlink()
        with pytest.raises(UploadFailed, match="cannot read"):
            upload_files(FakeS3(), submission_of(folder), found.files)

    def test_the_manifest_is_json_and_its_time_is_that_of_s3(self, folder: Path) -> None:
        s3 = FakeS3()
        job = submission_of(folder)
        assert write_manifest(s3, job) == datetime(2025, 10, 5, 12, 0, tzinfo=UTC)
        assert json.loads(s3.objects["ingestion", job.manifest_key]) == job.manifest

    @pytest.mark.parametrize(
        ("body", "found"),
        [(b'{"jobId": "a"}', {"jobId": "a"}), (b"{", {}), (b"[]", {}), (b"\xff", {}), (None, None)],
    )
    def test_a_manifest_that_waits_is_found_even_where_it_cannot_be_read(
        self, body: bytes | None, found: dict[str, str] | None
    ) -> None:
        s3 = FakeS3()
        if body is not None:
            s3.objects["ingestion", "p/_control/manifest.json"] = body
        assert find_manifest(s3, "ingestion", "p/_control/manifest.json") == found
