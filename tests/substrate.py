"""Settings that MiniStack, which an embedded AWS stands on, takes while it runs."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Mapping
from typing import Any

from millrace.local.instance import Instance

SECONDS = 30
MOCKS = "stepfunctions._sfn_mock_config"
"""What Tasks answer in test cases, in the format of Step Functions Local's mock file."""
WAIT_SCALE = "stepfunctions._SFN_WAIT_SCALE"
"""By which a state machine's waits, and its pauses before retries, are multiplied; not its timeouts."""


def configure(instance: Instance, settings: Mapping[str, Any]) -> None:
    """Set what the whole instance obeys from now on."""
    request = urllib.request.Request(f"{instance.url}/_ministack/config", data=json.dumps(settings).encode())
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=SECONDS) as answer:
        applied = json.loads(answer.read())["applied"]
    assert applied.keys() == settings.keys(), f"the embedded AWS refused {settings.keys() - applied.keys()}"
