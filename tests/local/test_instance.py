"""Promises of the embedded AWS's life cycle, with real processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from millrace.local import instance as module
from millrace.local.instance import AlreadyStarted, Instance, InstanceError, Options
from millrace.local.process import Process

pytestmark = pytest.mark.network


def is_alive(pid: int) -> bool:
    try:
        Process.of(pid)
    except ProcessLookupError:
        return False
    return True


@pytest.fixture
def instance(tmp_path: Path):
    started = Instance.start(tmp_path / "one", Options(region="eu-central-1"))
    yield started
    started.stop()


def test_a_started_instance_is_found_and_a_stopped_one_is_not(instance: Instance):
    assert Instance.find(instance.folder) == instance
    instance.stop()
    assert Instance.find(instance.folder) is None
    instance.stop()


def test_the_status_tells_where_it_is(instance: Instance):
    status = instance.status()
    assert status["region"] == "eu-central-1"
    assert status["url"] == f"http://127.0.0.1:{status['port']}"
    assert status["pid"] == instance.process.pid
    assert Path(status["log"]).exists()
    assert 0 < status["uptimeSeconds"] < 60


def test_a_second_start_in_the_same_folder_is_refused(instance: Instance):
    with pytest.raises(AlreadyStarted, match="already runs"):
        Instance.start(instance.folder)


def test_two_instances_run_side_by_side_and_share_nothing(instance: Instance, tmp_path: Path):
    other = Instance.start(tmp_path / "two")
    try:
        instance.client("sqs").create_queue(QueueName="mine")
        assert not other.client("sqs").list_queues().get("QueueUrls")
        assert other.url != instance.url
    finally:
        other.stop()
    assert Instance.find(instance.folder) == instance


def test_stop_ends_a_server_that_does_not_listen_any_more(instance: Instance, monkeypatch):
    monkeypatch.setattr(module, "STOP_SECONDS", 0.3)
    os.kill(instance.process.pid, signal.SIGSTOP)
    instance.stop()
    assert not is_alive(instance.process.pid)


def test_a_crashed_instance_is_not_found_and_can_be_started_again(instance: Instance):
    os.kill(instance.process.pid, signal.SIGKILL)
    deadline = time.monotonic() + 5
    while Instance.find(instance.folder) is not None and time.monotonic() < deadline:
        time.sleep(0.01)
    instance.stop()
    again = Instance.start(instance.folder)
    again.stop()


def test_a_process_that_took_over_the_pid_is_never_signalled(tmp_path: Path):
    stranger = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        details = {
            "url": "http://127.0.0.1:1",
            "region": "us-east-1",
            "account": "123456789012",
            "process": {"pid": stranger.pid, "started": "long ago"},
            "started_at": 0.0,
        }
        (tmp_path / "instance.json").write_text(json.dumps(details))
        assert Instance.find(tmp_path) is None
        Instance(tmp_path, "", "", "", Process(stranger.pid, "long ago"), 0.0).stop()
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_an_instance_that_cannot_start_tells_what_its_log_says(tmp_path: Path):
    (tmp_path / "kendra.sqlite").mkdir()
    with pytest.raises(InstanceError, match=r"its log says:[\s\S]*kendra\.sqlite"):
        Instance.start(tmp_path)
    assert Instance.find(tmp_path) is None


def test_a_damaged_folder_says_what_to_do(tmp_path: Path):
    (tmp_path / "instance.json").write_text("{")
    with pytest.raises(InstanceError, match="remove the folder"):
        Instance.find(tmp_path)


def test_it_writes_only_into_its_folder(instance: Instance):
    names = {path.name for path in instance.folder.iterdir()}
    assert names == {"instance.json", "bedrock.sqlite", "kendra.sqlite", "log", "options.json", "tmp"}


def test_the_environment_leads_any_sdk_to_this_instance_alone(instance: Instance):
    code = "import boto3; print(boto3.client('sts').get_caller_identity()['Account'])"
    environment = {**instance.environment(), "PATH": os.environ["PATH"]}
    said = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert said.stdout.strip() == instance.account


def test_an_unknown_question_is_answered_with_what_can_be_asked(instance: Instance):
    with pytest.raises(InstanceError, match="GET /_millrace/status"):
        instance._call("GET", "/_millrace/nothing")


def test_clients_do_not_read_the_persons_own_configuration(instance: Instance, monkeypatch, tmp_path: Path):
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    assert instance.client("sts").get_caller_identity()["Account"] == instance.account
