"""Ingestion jobs, with a clock of their own: one takes 100 seconds, STARTING for the first 20 of them."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from millrace.local.bedrock.store import Job
from millrace.local.emulated import ApiError
from tests.unit.millrace.local.bedrock.world import BUCKET, TOKEN, World, etag

SECONDS = 100


class Source:
    """An S3 data source of the world's knowledge base, or of another one."""

    def __init__(self, world: World, source_id: str, base_id: str | None = None) -> None:
        self.world = world
        self.id = source_id
        self.names = {"knowledgeBaseId": base_id or world.base, "dataSourceId": source_id}

    def start(self, **more: Any) -> str:
        return self.world.call("StartIngestionJob", **self.names, **more)["ingestionJob"]["ingestionJobId"]

    def refusal(self, operation: str = "StartIngestionJob", **more: Any) -> ApiError:
        return self.world.refusal(operation, **self.names, **more)

    def job(self, job_id: str) -> dict[str, Any]:
        return self.world.call("GetIngestionJob", **self.names, ingestionJobId=job_id)["ingestionJob"]

    def status(self, job_id: str) -> str:
        return self.job(job_id)["status"]

    def stop(self, job_id: str) -> dict[str, Any]:
        return self.world.call("StopIngestionJob", **self.names, ingestionJobId=job_id)["ingestionJob"]

    def listed(self, **more: Any) -> list[str]:
        summaries = self.world.call("ListIngestionJobs", **self.names, **more)["ingestionJobSummaries"]
        return [summary["ingestionJobId"] for summary in summaries]

    def ended(self, job_id: str) -> dict[str, Any]:
        """The job after its time."""
        self.world.now += SECONDS
        self.world.work()
        return self.job(job_id)

    def run(self) -> dict[str, Any]:
        return self.ended(self.start())

    def order(self, outcome: str = "COMPLETE", **order: Any) -> None:
        self.world.bedrock.control.order({"data_source_id": self.id, "outcome": outcome, **order})

    def covered(self) -> list[dict[str, str]]:
        """What each job's scan saw: ETags by key."""
        jobs = self.world.bedrock.control.jobs(self.id, covered=True)
        return [{one["key"]: one["etag"] for one in job["covered"]} for job in jobs]

    def found(self, text: str = "words") -> list[str]:
        results = self.world.retrieve(text, numberOfResults=100)
        return sorted(result["location"]["s3Location"]["uri"].removeprefix(f"s3://{BUCKET}/") for result in results)

    def detail(self, key: str) -> dict[str, Any]:
        identifier = {"dataSourceType": "S3", "s3": {"uri": f"s3://{BUCKET}/{key}"}}
        answer = self.world.call("GetKnowledgeBaseDocuments", **self.names, documentIdentifiers=[identifier])
        return answer["documentDetails"][0]


@pytest.fixture
def source(world: World) -> Source:
    return Source(world, world.bucket)


@pytest.fixture
def content(world: World) -> dict[str, bytes]:
    """What the bucket holds."""
    world.objects.content = {"a.txt": b"some words", "b.txt": b"other words"}
    return world.objects.content


def statistics(job: dict[str, Any]) -> dict[str, int]:
    """Those that are not zero, by their short names."""
    return {
        name.removeprefix("numberOf").replace("Documents", ""): count
        for name, count in job["statistics"].items()
        if count
    }


def other_base(world: World, name: str) -> Source:
    base = world.create_base(name)["knowledgeBaseId"]
    world.now += 60
    configuration = {"type": "S3", "s3Configuration": {"bucketArn": f"arn:aws:s3:::{BUCKET}"}}
    return Source(world, world.create_source("s", configuration, knowledgeBaseId=base)["dataSourceId"], base)


def sibling(world: World, **more: Any) -> Source:
    configuration = {"type": "S3", "s3Configuration": {"bucketArn": f"arn:aws:s3:::{BUCKET}", **more}}
    return Source(world, world.create_source("sibling", configuration)["dataSourceId"])


class TestOverTime:
    def test_a_job_is_starting_then_in_progress_and_complete_when_its_time_has_come(self, world, source, content):
        started = world.call("StartIngestionJob", **source.names, description="why")["ingestionJob"]
        job_id = started["ingestionJobId"]
        assert (started["status"], started["description"]) == ("STARTING", "why")
        assert set(started["statistics"].values()) == {0}
        assert started["startedAt"] == started["updatedAt"]
        world.work()
        assert source.status(job_id) == "STARTING"
        world.now += 20
        job = source.job(job_id)
        assert job["status"] == "IN_PROGRESS"
        assert statistics(job) == {"Scanned": 2}
        assert job["updatedAt"] > job["startedAt"] == started["startedAt"]
        world.now += 79
        world.work()
        assert source.status(job_id) == "IN_PROGRESS"
        assert source.found() == []
        world.now += 1
        world.work()
        assert source.status(job_id) == "COMPLETE"
        assert source.found() == ["a.txt", "b.txt"]

    def test_a_job_is_not_in_progress_before_it_has_worked_out_what_to_do(self, world, source, content):
        job_id = source.start()
        world.now += 50
        assert source.status(job_id) == "STARTING"

    def test_the_ingestion_is_woken_by_what_it_has_to_do_and_sleeps_until_then(self, world, source, content):
        assert world.ingestion.next_due() is None
        source.start()
        assert world.woken == 1
        world.work()
        assert world.ingestion.next_due() == world.now + SECONDS
        source.stop(source.listed()[0])
        assert world.woken == 2

    def test_a_stopped_job_is_stopping_first_and_leaves_the_index_as_it_was(self, world, source, content):
        job_id = source.start()
        world.now += 50
        world.work()
        assert source.stop(job_id)["status"] == "STOPPING"
        assert source.stop(job_id)["status"] == "STOPPING"
        world.now += 19
        world.work()
        assert source.status(job_id) == "STOPPING"
        assert source.refusal().code == "ConflictException"
        world.now += 1
        world.work()
        assert source.status(job_id) == "STOPPED"
        assert source.found() == []
        assert world.store.size(f"{source.id}/{job_id}") == (0, 0)
        assert statistics(source.run()) == {"Scanned": 2, "NewIndexed": 2}

    def test_a_job_that_has_ended_cannot_be_stopped(self, world, source, content):
        job_id = source.start()
        source.ended(job_id)
        error = source.refusal("StopIngestionJob", ingestionJobId=job_id)
        assert (error.code, "is COMPLETE" in error.message) == ("ConflictException", True)

    def test_a_longer_pace_holds_for_the_next_job(self, world, source, content):
        job_id = source.start()
        world.bedrock.set_pace({"ingestion_seconds": 500})
        assert source.ended(job_id)["status"] == "COMPLETE"
        assert source.ended(source.start())["status"] == "IN_PROGRESS"


class TestCoverage:
    def test_what_is_written_after_the_start_is_left_to_the_next_job(self, world, source, content):
        job_id = source.start()
        content["c.txt"] = b"late words"
        content["a.txt"] = b"changed words"
        del content["b.txt"]
        source.ended(job_id)
        assert source.found() == ["a.txt", "b.txt"]
        assert source.found("changed") == source.found("late") == []
        job = source.run()
        assert statistics(job) == {"Scanned": 2, "NewIndexed": 1, "ModifiedIndexed": 1, "Deleted": 1}
        assert source.found() == ["a.txt", "c.txt"]
        assert source.found("changed") == ["a.txt"]

    def test_each_job_tells_what_its_scan_saw(self, world, source, content):
        source.run()
        first = {key: etag(body) for key, body in content.items()}
        content["c.txt"] = b"words"
        content["c.txt.metadata.json"] = b'{"metadataAttributes": {}}'
        source.run()
        assert source.covered() == [first, {key: etag(body) for key, body in content.items()}]

    def test_the_inclusion_prefix_is_obeyed(self, world, source, content):
        content["in/c.txt"] = b"words"
        chosen = sibling(world, inclusionPrefixes=["in/"])
        assert statistics(chosen.run()) == {"Scanned": 1, "NewIndexed": 1}
        assert chosen.found() == ["in/c.txt"]
        assert list(chosen.covered()[0]) == ["in/c.txt"]

    def test_nothing_is_done_twice(self, world, source, content):
        content["a.txt.metadata.json"] = b'{"metadataAttributes": {"colour": "red"}}'
        assert statistics(source.run()) == {"Scanned": 2, "MetadataScanned": 1, "NewIndexed": 2}
        world.objects.asked.clear()
        assert statistics(source.run()) == {"Scanned": 2, "MetadataScanned": 1}
        assert world.objects.asked == [""]

    def test_a_metadata_file_that_came_changed_or_went_counts_and_takes_effect(self, world, source, content):
        source.run()
        colours: list[Any] = []
        for body in (b'{"metadataAttributes": {"colour": "red"}}', b'{"metadataAttributes": {"colour": "blue"}}', None):
            if body is None:
                del content["a.txt.metadata.json"]
            else:
                content["a.txt.metadata.json"] = body
            job = source.run()
            assert statistics(job) == {"Scanned": 2, **({"MetadataScanned": 1} if body else {}), "MetadataModified": 1}
            (found,) = world.retrieve("some")
            colours.append(found["metadata"].get("colour"))
        assert colours == ["red", "blue", None]

    def test_a_deleted_document_takes_its_metadata_with_it(self, world, source, content):
        content["a.txt.metadata.json"] = b'{"metadataAttributes": {}}'
        source.run()
        del content["a.txt"], content["a.txt.metadata.json"]
        assert statistics(source.run()) == {"Scanned": 1, "MetadataModified": 1, "Deleted": 1}
        assert source.detail("a.txt")["status"] == "NOT_FOUND"

    def test_what_was_ingested_directly_is_the_buckets_again_after_a_job(self, world, source, content):
        source.run()
        uri = f"s3://{BUCKET}/"
        identifiers = [{"dataSourceType": "S3", "s3": {"uri": uri + "a.txt"}}]
        world.call("DeleteKnowledgeBaseDocuments", **source.names, documentIdentifiers=identifiers)
        document = {"content": {"dataSourceType": "S3", "s3": {"s3Location": {"uri": uri + "gone.txt"}}}}
        content["gone.txt"] = b"words"
        world.call("IngestKnowledgeBaseDocuments", **source.names, documents=[document])
        world.settle()
        del content["gone.txt"]
        assert source.found() == ["b.txt", "gone.txt"]
        assert statistics(source.run()) == {"Scanned": 2, "NewIndexed": 1, "Deleted": 1}
        assert source.found() == ["a.txt", "b.txt"]

    def test_an_object_as_the_last_job_saw_it_takes_the_place_of_what_was_ingested_directly_since(
        self, world, source, content
    ):
        source.run()
        content["a.txt"] = b"changed words"
        document = {"content": {"dataSourceType": "S3", "s3": {"s3Location": {"uri": f"s3://{BUCKET}/a.txt"}}}}
        world.call("IngestKnowledgeBaseDocuments", **source.names, documents=[document])
        world.settle()
        assert source.found("changed") == ["a.txt"]
        content["a.txt"] = b"some words"
        assert statistics(source.run()) == {"Scanned": 2, "ModifiedIndexed": 1}
        assert source.found("some") == ["a.txt"]


class TestFailures:
    def test_documents_that_cannot_be_indexed_fail_alone_and_the_job_is_complete(self, world, source, content):
        broken = {
            "empty.txt": (b" \n", "no text could be extracted", "FAILED"),
            "image.png": (b"\x89PNG", "is not supported", "IGNORED"),
            "large.txt": (b" " * (50 * 1024 * 1024 + 1), "the limit of a file is 52428800", "IGNORED"),
            "meta.txt": (b"words", "not valid JSON", "FAILED"),
        }
        content.update({key: body for key, (body, _, _) in broken.items()})
        content["meta.txt.metadata.json"] = b"{"
        job = source.run()
        assert job["status"] == "COMPLETE"
        assert statistics(job) == {"Scanned": 6, "MetadataScanned": 1, "NewIndexed": 2, "Failed": 4}
        for reason, (key, (_, said, status)) in zip(job["failureReasons"], sorted(broken.items()), strict=True):
            assert reason.startswith(f"s3://{BUCKET}/{key}: ")
            assert said in reason
            assert source.detail(key)["status"] == status
        assert source.found() == ["a.txt", "b.txt"]

    def test_what_failed_is_tried_again_until_it_is_mended_or_gone(self, world, source, content):
        content["a.txt"], content["c.txt"] = b"", b"\xff"
        assert statistics(source.run()) == {"Scanned": 3, "NewIndexed": 1, "Failed": 2}
        content["a.txt"] = b"mended words"
        assert statistics(source.run()) == {"Scanned": 3, "NewIndexed": 1, "Failed": 1}
        del content["c.txt"]
        assert statistics(source.run()) == {"Scanned": 2}
        assert source.detail("c.txt")["status"] == "NOT_FOUND"

    def test_what_was_found_stays_when_its_update_fails(self, world, source, content):
        source.run()
        content["a.txt"] = b"\xff"
        for _ in range(2):
            assert statistics(source.run()) == {"Scanned": 2, "Failed": 1}
            assert source.found("some") == ["a.txt"]
        content["a.txt"] = b"mended"
        assert statistics(source.run()) == {"Scanned": 2, "ModifiedIndexed": 1}

    def test_an_object_that_may_not_be_read_fails_alone(self, world, source, content):
        world.objects.denied.add("a.txt")
        job = source.run()
        assert statistics(job) == {"Scanned": 2, "NewIndexed": 1, "Failed": 1}
        assert "is denied" in job["failureReasons"][0]

    def test_a_bucket_that_may_not_be_listed_fails_the_job_and_deletes_nothing(self, world, source, content):
        source.run()
        world.objects.denied.add("")
        job = source.run()
        assert (job["status"], statistics(job)) == ("FAILED", {})
        assert "is denied" in job["failureReasons"][0]
        assert source.found() == ["a.txt", "b.txt"]

    @pytest.mark.parametrize(
        ("configuration", "said"),
        [
            ({"bucketArn": "arn:aws:s3:::nowhere"}, "nowhere does not exist"),
            ({"bucketOwnerAccountId": "999999999999"}, "999999999999 does not own the bucket"),
        ],
    )
    def test_a_bucket_that_is_not_there_or_anothers_fails_the_job(self, world, content, configuration, said):
        job = sibling(world, **configuration).run()
        assert job["status"] == "FAILED"
        assert said in job["failureReasons"][0]

    def test_a_defect_of_ours_fails_the_job_and_names_itself(self, world, source, content, monkeypatch):
        monkeypatch.setattr(world.store, "known_documents", lambda _: 1 / 0)
        job = source.run()
        assert job["status"] == "FAILED"
        assert "ZeroDivisionError" in job["failureReasons"][0]
        monkeypatch.undo()
        assert source.run()["status"] == "COMPLETE"

    def test_reasons_are_as_long_and_as_many_as_the_api_allows(self, world, source, content):
        content.update({f"{number:04}-{'x' * 1000}.png": b"" for number in range(2050)})
        content["-" + "y" * 1000 + ".txt"] = b"\xff"
        job = source.run()
        assert statistics(job)["Failed"] == 2051
        assert len(job["failureReasons"]) == 2048


class TestConflicts:
    def test_a_data_source_has_one_job_at_a_time(self, world, source, content):
        job_id = source.start()
        error = source.refusal()
        assert error.code == "ConflictException"
        assert source.id in error.message
        assert job_id in error.message
        source.ended(job_id)
        source.start()

    def test_a_knowledge_base_has_one_job_at_a_time(self, world, source, content):
        other = sibling(world)
        job_id = source.start()
        error = other.refusal()
        assert error.code == "ConflictException"
        assert "concurrent ingestion jobs per knowledge base: 1" in error.message
        source.ended(job_id)
        other.start()

    def test_an_account_has_five_jobs_at_a_time_in_a_region(self, world, source, content):
        sources = [other_base(world, f"base-{number}") for number in range(5)]
        running = [each.start() for each in sources]
        error = source.refusal()
        assert (error.code, "per account: 5" in error.message) == ("ServiceQuotaExceededException", True)
        world.region = "eu-west-1"
        other_base(world, "elsewhere").start()
        world.region = "us-east-1"
        sources[0].ended(running[0])
        source.start()

    def test_of_starts_at_the_same_moment_one_gets_the_job(self, world, source, content, monkeypatch):
        look = world.store.running_jobs

        def look_slowly() -> list[Job]:
            found = look()
            time.sleep(0.01)
            return found

        monkeypatch.setattr(world.store, "running_jobs", look_slowly)
        outcomes: list[str] = []
        together = threading.Barrier(8)

        def start() -> None:
            together.wait()
            try:
                outcomes.append(source.start())
            except ApiError as error:
                outcomes.append(error.code)

        threads = [threading.Thread(target=start) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert outcomes.count("ConflictException") == 7
        assert len(source.listed()) == 1

    def test_starts_are_throttled_whatever_becomes_of_them(self, world, source, content):
        world.bedrock.set_pace({"ingestion_starts_per_second": 0.1})
        job_id = source.start(clientToken=TOKEN)
        assert source.refusal(clientToken=TOKEN).code == "ThrottlingException"
        world.bedrock.set_pace({"ingestion_seconds": 7})
        assert source.refusal().code == "ThrottlingException"
        world.now += 10
        assert source.start(clientToken=TOKEN) == job_id

    def test_questions_have_a_quota_of_their_own(self, world, source, content):
        job_id = source.start()
        world.bedrock.set_pace({"ingestion_reads_per_second": 2})
        source.job(job_id)
        source.job(job_id)
        assert source.refusal("GetIngestionJob", ingestionJobId=job_id).code == "ThrottlingException"
        source.listed()


class TestClientToken:
    def test_the_same_token_is_the_same_job_while_it_runs_and_when_it_has_ended(self, world, source, content):
        job_id = source.start(clientToken=TOKEN)
        assert source.start(clientToken=TOKEN) == job_id
        source.ended(job_id)
        again = world.call("StartIngestionJob", **source.names, clientToken=TOKEN)["ingestionJob"]
        assert (again["ingestionJobId"], again["status"]) == (job_id, "COMPLETE")

    def test_the_same_token_is_the_same_job_although_another_one_runs(self, world, source, content):
        job_id = source.start(clientToken=TOKEN)
        source.ended(job_id)
        source.start()
        assert source.start(clientToken=TOKEN) == job_id

    def test_a_failed_job_is_replayed_as_it_is(self, world, source, content):
        source.order("FAILED")
        job_id = source.start(clientToken=TOKEN)
        source.ended(job_id)
        assert source.start(clientToken=TOKEN) == job_id

    def test_another_description_is_ignored_without_an_error(self, world, source, content):
        job_id = source.start(clientToken=TOKEN, description="first")
        assert source.start(clientToken=TOKEN, description="second") == job_id
        assert source.job(job_id)["description"] == "first"

    def test_a_refused_start_leaves_its_token_unused(self, world, source, content):
        first = source.start()
        assert source.refusal(clientToken=TOKEN).code == "ConflictException"
        source.ended(first)
        assert source.start(clientToken=TOKEN) != first

    def test_a_token_means_one_data_source(self, world, source, content):
        source.ended(source.start(clientToken=TOKEN))
        other = sibling(world)
        assert other.start(clientToken=TOKEN) not in source.listed()


class TestRequests:
    def test_a_data_source_that_takes_documents_one_by_one_has_no_jobs(self, world, content):
        error = Source(world, world.custom).refusal()
        assert (error.code, "CUSTOM" in error.message) == ("ValidationException", True)

    def test_what_does_not_exist_is_not_found(self, world, source, content):
        unknown = "ABCDEFGHIJ"
        assert Source(world, unknown).refusal().code == "ResourceNotFoundException"
        assert Source(world, source.id, unknown).refusal().code == "ResourceNotFoundException"
        for operation in ("GetIngestionJob", "StopIngestionJob"):
            assert source.refusal(operation, ingestionJobId=unknown).code == "ResourceNotFoundException"
        job_id = source.start()
        assert sibling(world).refusal("GetIngestionJob", ingestionJobId=job_id).code == "ResourceNotFoundException"

    @pytest.mark.parametrize(
        ("operation", "part", "said"),
        [
            ("StartIngestionJob", {"clientToken": "short"}, "greater than or equal to 33"),
            ("StartIngestionJob", {"clientToken": "-" * 40}, "regular expression"),
            ("StartIngestionJob", {"description": "x" * 201}, "less than or equal to 200"),
            ("GetIngestionJob", {"ingestionJobId": "x"}, "regular expression"),
            ("ListIngestionJobs", {"filters": []}, "greater than or equal to 1"),
            ("ListIngestionJobs", {"nextToken": "x"}, "nextToken"),
            ("ListIngestionJobs", {"maxResults": 1001}, "less than or equal to 1000"),
        ],
    )
    def test_a_request_that_breaks_the_api_is_refused(self, world, source, operation, part, said):
        error = source.refusal(operation, **part)
        assert error.code == "ValidationException"
        assert said in error.message

    def test_jobs_are_listed_the_newest_first_page_by_page(self, world, source, content):
        jobs = [source.run()["ingestionJobId"] for _ in range(3)]
        assert source.listed() == jobs[::-1]
        page = world.call("ListIngestionJobs", **source.names, maxResults=2)
        assert "failureReasons" not in page["ingestionJobSummaries"][0]
        assert source.listed(nextToken=page["nextToken"]) == jobs[:1]

    def test_jobs_are_listed_by_status_and_sorted_as_asked(self, world, source, content):
        source.order("FAILED")
        failed, complete, running = (source.run()["ingestionJobId"], source.run()["ingestionJobId"], source.start())

        def by(*values: str) -> list[dict[str, Any]]:
            return [{"attribute": "STATUS", "operator": "EQ", "values": list(values)}]

        assert source.listed(filters=by("STARTING", "IN_PROGRESS", "STOPPING")) == [running]
        assert source.listed(filters=by("FAILED")) == [failed]
        assert source.listed(filters=by()) == source.listed(filters=by("NONSENSE")) == []
        by_status = {"attribute": "STATUS", "order": "ASCENDING"}
        assert source.listed(sortBy=by_status) == [complete, failed, running]
        by_time = {"attribute": "STARTED_AT", "order": "ASCENDING"}
        assert source.listed(sortBy=by_time, filters=by("FAILED", "COMPLETE")) == [failed, complete]

    def test_a_deleted_data_source_takes_its_jobs_with_it(self, world, source, content):
        job_id = source.start()
        world.work()
        world.call("DeleteDataSource", **source.names)
        assert "DELETING" in source.refusal().message
        world.now += 60
        assert source.refusal("ListIngestionJobs").code == "ResourceNotFoundException"
        world.work()
        assert world.ingestion.next_due() is None
        assert world.store.size(f"{source.id}/{job_id}") == (0, 0)


class TestOrders:
    @pytest.mark.parametrize("outcome", ["FAILED", "STOPPED"])
    def test_the_next_job_ends_as_ordered_and_indexes_nothing(self, world, source, content, outcome):
        source.order(outcome)
        job_id = source.start()
        world.work()
        world.now += 90
        assert source.status(job_id) == ("STOPPING" if outcome == "STOPPED" else "IN_PROGRESS")
        job = source.ended(job_id)
        assert (job["status"], statistics(job)) == (outcome, {"Scanned": 2})
        assert job.get("failureReasons") == (["A failure that was ordered"] if outcome == "FAILED" else None)
        assert source.found() == []
        assert statistics(source.run()) == {"Scanned": 2, "NewIndexed": 2}

    def test_an_order_is_taken_by_a_job_and_not_by_a_refused_start(self, world, source, content):
        job_id = source.start()
        source.order("FAILED", reason="disk full")
        source.refusal()
        assert source.ended(job_id)["status"] == "COMPLETE"
        assert source.run()["failureReasons"] == ["disk full"]

    def test_a_held_job_waits_to_be_released_and_covers_what_it_saw_at_its_start(self, world, source, content):
        source.order(hold=True)
        job_id = source.start()
        world.now += 10 * SECONDS
        world.work()
        content["late.txt"] = b"words"
        assert source.status(job_id) == "IN_PROGRESS"
        assert world.ingestion.next_due() is None
        assert source.refusal().code == "ConflictException"
        assert world.bedrock.control.release(source.id) == 1
        world.work()
        assert source.status(job_id) == "COMPLETE"
        assert source.found() == ["a.txt", "b.txt"]
        assert world.bedrock.control.release(source.id) == 0

    def test_a_held_job_can_be_stopped(self, world, source, content):
        source.order(hold=True)
        job_id = source.start()
        source.stop(job_id)
        assert source.ended(job_id)["status"] == "STOPPED"

    def test_a_job_takes_as_long_as_ordered(self, world, source, content):
        source.order(seconds=1)
        job_id = source.start()
        world.now += 1
        world.work()
        assert source.status(job_id) == "COMPLETE"

    def test_an_order_for_what_is_not_there_is_refused(self, world):
        control = world.bedrock.control
        for ask in (
            lambda: control.order({"data_source_id": "ABCDEFGHIJ"}),
            lambda: control.release("ABCDEFGHIJ"),
            lambda: control.jobs("ABCDEFGHIJ", covered=False),
        ):
            with pytest.raises(ValueError, match="no data source ABCDEFGHIJ"):
                ask()


class TestScale:
    def test_a_job_of_many_documents_is_done_in_passes_and_seen_as_a_whole(self, world, source):
        world.objects.content = {f"{number}.txt": b"words %d" % number for number in range(450)}
        job_id = source.start()
        world.now += SECONDS
        passes = 0
        while source.status(job_id) != "COMPLETE":
            assert source.found() == []
            world.ingestion.run_due(world.now)
            passes += 1
        assert passes == 7
        assert world.store.size(source.id)[0] == 450
        assert statistics(source.job(job_id)) == {"Scanned": 450, "NewIndexed": 450}

    def test_ten_thousand_objects_are_scanned_again_in_a_second(self, world, source):
        world.objects.content = {f"{number}.txt": b"words %d" % number for number in range(10_000)}
        assert statistics(source.run()) == {"Scanned": 10_000, "NewIndexed": 10_000}
        world.objects.content["7.txt"] = b"changed"
        began = time.thread_time()
        assert statistics(source.run()) == {"Scanned": 10_000, "ModifiedIndexed": 1}
        assert time.thread_time() - began < 1
