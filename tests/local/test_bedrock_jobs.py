"""Ingestion jobs over HTTP: what needs the wire, S3, IAM, time and the control interface."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from millrace.local.instance import Instance, InstanceError
from millrace.local.knowledge_bases import knowledge_base
from tests.fakes.deployed import allow, eventually, name, policy, role

pytestmark = pytest.mark.network

TOKEN = "t" * 33
PACE = {"ingestion_seconds": 0.01, "ingestion_starts_per_second": 1000, "ingestion_reads_per_second": 1000}
STAT = Path("/proc/self/stat")


class Source:
    """A bucket and the data source of a knowledge base that may read it."""

    def __init__(self, aws: Instance) -> None:
        self.aws = aws
        self.s3, self.agent = aws.client("s3"), aws.client("bedrock-agent")
        self.runtime = aws.client("bedrock-agent-runtime")
        self.name, self.bucket = name("base"), name("documents")
        self.s3.create_bucket(Bucket=self.bucket)
        arn = f"arn:aws:s3:::{self.bucket}"
        configuration = {"type": "S3", "s3Configuration": {"bucketArn": arn}}
        self.base, self.id = knowledge_base(aws, self.name, self.bucket, configuration)
        self.names = {"knowledgeBaseId": self.base, "dataSourceId": self.id}

    def put(self, key: str, body: str = "some words") -> dict[str, Any]:
        return self.s3.put_object(Bucket=self.bucket, Key=key, Body=body.encode())

    def start(self, **more: Any) -> str:
        return self.agent.start_ingestion_job(**self.names, **more)["ingestionJob"]["ingestionJobId"]

    def job(self, job_id: str) -> dict[str, Any]:
        return self.agent.get_ingestion_job(**self.names, ingestionJobId=job_id)["ingestionJob"]

    def ended(self, job_id: str) -> dict[str, Any]:
        def ask() -> dict[str, Any] | None:
            job = self.job(job_id)
            return job if job["status"] in ("COMPLETE", "FAILED", "STOPPED") else None

        return eventually(ask)

    def run(self) -> dict[str, Any]:
        return self.ended(self.start())

    def found(self, text: str = "words") -> list[str]:
        answer = self.runtime.retrieve(
            knowledgeBaseId=self.base,
            retrievalQuery={"text": text},
            retrievalConfiguration={"vectorSearchConfiguration": {"numberOfResults": 100}},
        )
        uris = [result["location"]["s3Location"]["uri"] for result in answer["retrievalResults"]]
        return sorted(uri.removeprefix(f"s3://{self.bucket}/") for uri in uris)

    def may(self, *actions: str) -> None:
        """Leave the knowledge base's role these actions only."""
        self.aws.client("iam").put_role_policy(
            RoleName=f"{self.name}-knowledge-base", PolicyName="read-documents", PolicyDocument=policy(allow(*actions))
        )


@pytest.fixture
def source(embedded_aws: Instance) -> Iterator[Source]:
    usual = embedded_aws.bedrock_statistics()["pace"]
    embedded_aws.set_bedrock_pace(**PACE)
    made = Source(embedded_aws)
    yield made
    embedded_aws.forget_job_orders()
    embedded_aws.release_jobs(made.id)
    embedded_aws.set_bedrock_pace(**usual)


def test_what_is_uploaded_is_found_once_a_job_is_complete_and_deleted_objects_are_not(source: Source):
    source.put("a.txt")
    source.put("übung/ß +%20.txt", "Übung words")
    source.put("a.txt.metadata.json", '{"metadataAttributes": {"colour": "red"}}')
    source.put("broken.txt", "")
    answer = source.agent.start_ingestion_job(**source.names, description="first")
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 202
    job = source.ended(answer["ingestionJob"]["ingestionJobId"])
    assert job["status"] == "COMPLETE"
    assert job["statistics"]["numberOfNewDocumentsIndexed"] == 2
    assert job["statistics"]["numberOfDocumentsFailed"] == 1
    assert "broken.txt" in job["failureReasons"][0]
    assert source.found() == ["a.txt", "übung/ß +%20.txt"]
    source.s3.delete_object(Bucket=source.bucket, Key="a.txt")
    assert source.run()["statistics"]["numberOfDocumentsDeleted"] == 1
    assert source.found() == ["übung/ß +%20.txt"]


def test_what_is_uploaded_while_a_job_runs_is_left_to_the_next(embedded_aws: Instance, source: Source):
    source.put("a.txt")
    embedded_aws.order_job(source.id, hold=True)
    job_id = source.start()
    eventually(lambda: source.job(job_id)["status"] == "IN_PROGRESS")
    source.put("b.txt")
    assert embedded_aws.release_jobs(source.id) == 1
    assert source.ended(job_id)["status"] == "COMPLETE"
    assert source.found() == ["a.txt"]
    source.run()
    assert source.found() == ["a.txt", "b.txt"]


def test_each_job_tells_which_versions_its_scan_saw(embedded_aws: Instance, source: Source):
    source.s3.put_bucket_versioning(Bucket=source.bucket, VersioningConfiguration={"Status": "Enabled"})
    versions = []
    for body in ("one", "two"):
        put = source.put("a.txt", body)
        versions.append({"key": "a.txt", "etag": put["ETag"].strip('"'), "version_id": put["VersionId"]})
        source.run()
    jobs = embedded_aws.jobs(source.id, covered=True)
    assert [job["covered"] for job in jobs] == [[versions[0]], [versions[1]]]
    assert [job["status"] for job in jobs] == ["COMPLETE"] * 2
    assert "covered" not in embedded_aws.jobs(source.id)[0]


def test_objects_that_came_by_a_copy_or_in_parts_are_read(source: Source):
    source.put("a.txt")
    source.s3.copy_object(Bucket=source.bucket, Key="copy.txt", CopySource={"Bucket": source.bucket, "Key": "a.txt"})
    upload = {"Bucket": source.bucket, "Key": "parts.txt"}
    upload["UploadId"] = source.s3.create_multipart_upload(**upload)["UploadId"]
    part = source.s3.upload_part(**upload, PartNumber=1, Body=b"words in parts")
    parts = [{"PartNumber": 1, "ETag": part["ETag"]}]
    source.s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
    source.run()
    assert source.found() == ["a.txt", "copy.txt", "parts.txt"]


def test_a_bucket_is_listed_and_read_with_the_role_of_the_knowledge_base(source: Source):
    source.put("a.txt")
    source.may("s3:ListBucket")
    job = source.run()
    assert (job["status"], job["statistics"]["numberOfDocumentsFailed"]) == ("COMPLETE", 1)
    assert "s3:GetObject" in job["failureReasons"][0]
    source.may("s3:GetObject")
    job = source.run()
    assert job["status"] == "FAILED"
    assert "s3:ListBucket" in job["failureReasons"][0]


def test_jobs_are_for_who_may_and_the_calls_are_on_record(embedded_aws: Instance, source: Source):
    arn = f"arn:aws:bedrock:{embedded_aws.region}:{embedded_aws.account}:knowledge-base/{source.base}"
    caller = role(embedded_aws, "lambda", allow("bedrock:StartIngestionJob", "bedrock:GetIngestionJob", on=arn))
    called = caller.rsplit("/", 1)[-1]
    trust = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
    embedded_aws.client("iam").update_assume_role_policy(RoleName=called, PolicyDocument=policy(trust))
    agent = embedded_aws.client("bedrock-agent", role=caller)
    job = agent.start_ingestion_job(**source.names)["ingestionJob"]["ingestionJobId"]
    agent.get_ingestion_job(**source.names, ingestionJobId=job)
    with pytest.raises(agent.exceptions.AccessDeniedException):
        agent.list_ingestion_jobs(**source.names)
    with pytest.raises(agent.exceptions.AccessDeniedException):
        agent.stop_ingestion_job(**source.names, ingestionJobId=job)
    calls = {
        call["action"]: (call["resource"], call["allowed"])
        for call in embedded_aws.calls()
        if call["principal"] == called
    }
    assert calls == {
        "bedrock:StartIngestionJob": (arn, True),
        "bedrock:GetIngestionJob": (arn, True),
        "bedrock:ListIngestionJobs": (arn, False),
        "bedrock:StopIngestionJob": (arn, False),
    }


def test_errors_arrive_as_the_api_has_them(embedded_aws: Instance, source: Source):
    embedded_aws.order_job(source.id, hold=True)
    job = source.start()

    def refused(ask: Any, **more: Any) -> tuple[str, int]:
        with pytest.raises(ClientError) as raised:
            ask(**{**source.names, **more})
        response = raised.value.response
        return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]

    agent = source.agent
    assert refused(agent.start_ingestion_job) == ("ConflictException", 409)
    assert refused(agent.start_ingestion_job, dataSourceId="ABCDEFGHIJ") == ("ResourceNotFoundException", 404)
    assert refused(agent.get_ingestion_job, ingestionJobId="ABCDEFGHIJ") == ("ResourceNotFoundException", 404)
    assert refused(agent.list_ingestion_jobs, nextToken="x") == ("ValidationException", 400)
    stopped = agent.stop_ingestion_job(**source.names, ingestionJobId=job)
    assert stopped["ResponseMetadata"]["HTTPStatusCode"] == 202
    assert source.ended(job)["status"] == "STOPPED"
    assert refused(agent.stop_ingestion_job, ingestionJobId=job) == ("ConflictException", 409)
    embedded_aws.set_bedrock_pace(ingestion_starts_per_second=0.001)
    source.start()
    assert refused(agent.start_ingestion_job) == ("ThrottlingException", 429)


def test_the_sixth_job_of_an_account_is_refused(embedded_aws: Instance, source: Source):
    others = [Source(embedded_aws) for _ in range(5)]
    for other in others:
        embedded_aws.order_job(other.id, hold=True)
        other.start()
    with pytest.raises(source.agent.exceptions.ServiceQuotaExceededException) as raised:
        source.start()
    assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == 402
    for other in others:
        embedded_aws.release_jobs(other.id)
    eventually(lambda: all(job["ended"] for other in others for job in embedded_aws.jobs(other.id)))
    source.start()


def test_a_start_whose_answer_was_lost_is_the_same_job_when_it_is_repeated(embedded_aws: Instance, source: Source):
    embedded_aws.order_fault(
        "bedrock:StartIngestionJob", nth=[1], when="after", code="InternalServerException", status=500
    )
    try:
        with pytest.raises(source.agent.exceptions.InternalServerException):
            source.start(clientToken=TOKEN)
        job = source.start(clientToken=TOKEN)
    finally:
        embedded_aws.forget_faults()
    assert [each["id"] for each in embedded_aws.jobs(source.id)] == [job]
    assert embedded_aws.jobs(source.id)[0]["token"] == TOKEN


def test_an_order_decides_how_a_job_ends_and_a_wrong_one_is_refused(embedded_aws: Instance, source: Source):
    embedded_aws.order_job(source.id, "FAILED", reason="ordered")
    embedded_aws.order_job(source.id, "STOPPED")
    assert [order["outcome"] for order in embedded_aws.job_orders()] == ["FAILED", "STOPPED"]
    failed, stopped, complete = source.run(), source.run(), source.run()
    assert [job["status"] for job in (failed, stopped, complete)] == ["FAILED", "STOPPED", "COMPLETE"]
    assert failed["failureReasons"] == ["ordered"]
    for order in ({"data_source_id": source.id, "outcome": "BROKEN"}, {"data_source_id": "ABCDEFGHIJ"}):
        with pytest.raises(InstanceError, match=r"BROKEN|no data source ABCDEFGHIJ"):
            embedded_aws.order_job(**order)


@pytest.mark.skipif(not STAT.exists(), reason="how much of a processor a process has used is asked of Linux's /proc")
def test_a_held_job_costs_nothing(embedded_aws: Instance, source: Source):
    embedded_aws.order_job(source.id, hold=True)
    job = source.start()
    eventually(lambda: source.job(job)["status"] == "IN_PROGRESS")
    before = processor_seconds(embedded_aws)
    time.sleep(0.5)
    assert processor_seconds(embedded_aws) - before < 0.1


def processor_seconds(aws: Instance) -> float:
    """What the server's process has used of a processor."""
    stat = Path(f"/proc/{aws.process.pid}/stat").read_text("utf-8")
    user, system = stat.rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


@pytest.mark.soak
def test_ten_thousand_objects_are_scanned_again_in_a_second(source: Source):
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: source.put(f"{number}.txt", f"words {number}"), range(10_000)))
    assert source.ended(source.start())["statistics"]["numberOfNewDocumentsIndexed"] == 10_000
    began = time.monotonic()
    source.run()
    assert time.monotonic() - began < 3
