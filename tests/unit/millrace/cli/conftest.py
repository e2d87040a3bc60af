from __future__ import annotations

import pytest

from millrace import deployment
from tests.fakes.operator.aws import FakeAws


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> FakeAws:
    """What every command of the test talks to."""
    aws = FakeAws()
    monkeypatch.setattr(deployment, "find", lambda *_: aws.deployment)
    return aws
