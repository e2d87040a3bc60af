from __future__ import annotations

import subprocess
import sys

import pytest

from shared import clients


@pytest.fixture(autouse=True)
def region(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")


def test_importing_it_does_not_import_boto3() -> None:
    code = f"import sys; sys.path[:0] = {sys.path!r}; import shared.clients; sys.exit('boto3' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=False)
    assert done.returncode == 0


def test_a_patient_client_tries_again_and_has_room_for_every_call() -> None:
    config = clients.patient("sqs").meta.config
    assert config.retries == {"mode": "standard", "total_max_attempts": 8}
    assert config.max_pool_connections == clients.CONNECTIONS


def test_a_client_has_the_settings_that_it_is_given() -> None:
    assert clients.client("dynamodb", read_timeout=8).meta.config.read_timeout == 8
