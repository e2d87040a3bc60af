"""The embedded Step Functions: moto's interpreter of the Amazon States Language behind MiniStack's `states` service.

The interpreter (`interpreter`) parses and evaluates; `mends` are its differences from the documented semantics, mended;
executions, history, redrive and the API's operations are this package's own. `door` is where requests come in.

Known limits, each refused with an error that names it unless it says otherwise:

| what | here |
| --- | --- |
| Distributed Map, Map Runs | refused when the machine is created |
| activities | refused when the machine is created |
| optimized integrations other than lambda, dynamodb, sns, sqs, states, events | refused when the machine is created |
| TestState, aliases of state machines | refused: UnsupportedOperation |
| state machines that CloudFormation makes | not seen by this engine |
| EXPRESS machines | run as standard ones do; StartSyncExecution waits for them |
| loggingConfiguration, tracingConfiguration | kept and given back; no log event and no trace is written |
| optimized integrations' answers | without SdkHttpMetadata and SdkResponseMetadata |
| blobs that are not UTF-8 | given in base64; AWS documents no form |
| executions and machines | live as long as the process |
"""

from __future__ import annotations

import logging
from types import ModuleType
from typing import TYPE_CHECKING

from millrace.local.states.door import Door, hang

if TYPE_CHECKING:
    from millrace.local.faults import Faults
    from millrace.local.states.engine import Services


def install(app: ModuleType, url: str, faults: Faults, *, enforce_iam: bool) -> None:
    """Answer MiniStack's Step Functions requests with this engine.

    `app` is the imported `ministack.app`, `url` the endpoint that tasks call. With `enforce_iam` each task calls as the
    role of its state machine. Executions die where `faults` say so. The interpreter is loaded in the background; the
    first requests wait for it. Raises anchors.AnchorMoved when MiniStack is another version than the one this was
    written for; when moto is, the log says so and every request fails with it.
    """
    logging.getLogger("moto").setLevel(logging.ERROR)

    def load() -> Services:
        from millrace.local.states import engine

        return engine.build(url, enforce_iam=enforce_iam, dies_at=faults.dies_at)

    door = Door(load)
    faults.abort, faults.status_of = door.abort, door.status_of
    hang(app, door)
