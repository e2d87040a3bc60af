"""The engine: the mended interpreter, and Step Functions of each account and region on top of it.

Importing this takes seconds where Python has no bytecode of the interpreter yet; `door` does it in the
background.
"""

from __future__ import annotations

import functools
import hashlib
import json
import logging
import threading
from collections.abc import Callable, Mapping
from typing import Any

from ministack.core.responses import request_scope
from ministack.services import stepfunctions as substrate
from ministack.services import sts

from millrace.local import anchors
from millrace.local.states import definitions, mends
from millrace.local.states.calls import Caller, Calls, Keys
from millrace.local.states.definitions import SCHEMA, Diagnostic
from millrace.local.states.executions import Execution
from millrace.local.states.interpreter import AmazonStateLanguageParser, ASLParserException
from millrace.local.states.mocks import MockedCase, read_case
from millrace.local.states.operations import Engine, Parsed, StateMachines
from millrace.local.states.statuses import measures, status_event

logger = logging.getLogger("millrace.local.states")

put_events = anchors.hold(
    substrate, "_emit_execution_status_event", "eventbridge._put_events(", "allow_aws_source=True"
)


class Services:
    """Step Functions of every account and region that was asked for."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._services: dict[tuple[str, str], StateMachines] = {}
        self._lock = threading.Lock()

    def of(self, account: str, region: str) -> StateMachines:
        with self._lock:
            known = (account, region)
            if known not in self._services:
                self._services[known] = StateMachines(region=region, account=account, engine=self._engine)
            return self._services[known]

    def reset(self) -> None:
        """Forget everything; running executions are stopped."""
        with self._lock:
            forgotten = list(self._services.values())
            self._services.clear()
        for service in forgotten:
            for execution in list(service.executions.values()):
                execution.stop(None, None)


def build(url: str, *, enforce_iam: bool, dies_at: Callable[[str, str], bool]) -> Services:
    """Mend the interpreter (once for the process) and answer for the endpoint `url`. Raises anchors.AnchorMoved."""
    mends.apply(Calls(url, role_session if enforce_iam else account_keys))
    return Services(
        Engine(parse=parse, mocked_case=mocked_case, time_scale=time_scale, on_status=tell, dies_at=dies_at)
    )


def account_keys(caller: Caller) -> Keys:
    """Without IAM, MiniStack takes an access key of twelve digits for the account."""
    return Keys(caller.account, "unused")


def role_session(caller: Caller) -> Keys:
    """A session of the role, which MiniStack's policy evaluator knows; made anew when MiniStack has forgotten it."""
    name = caller.role.rpartition("/")[2]
    digest = hashlib.sha256(f"states:{caller.role}".encode()).hexdigest()
    keys = Keys(f"ASIA{digest[:16].upper()}", digest[:40], digest[40:])
    if keys.access_key not in sts._sessions:
        sts.register_session(
            keys.access_key,
            {
                "Arn": f"arn:aws:sts::{caller.account}:assumed-role/{name}/states",
                "UserId": f"{name}:states",
                "SecretAccessKey": keys.secret_key,
                "SessionToken": keys.token,
            },
        )
    return keys


_parsing = threading.Lock()


@functools.lru_cache(maxsize=256)
def parse(definition: str) -> Parsed:
    """The program of a definition, or every diagnostic. Programs hold no state: executions share them."""
    found = definitions.check(definition)
    if found:
        return Parsed(None, found)
    try:
        with _parsing:
            program, _ = AmazonStateLanguageParser.parse(definition)
    except ASLParserException as error:
        return Parsed(None, [Diagnostic(SCHEMA, _syntax(error), "")])
    except Exception as error:  # the interpreter's components refuse their arguments with any exception
        return Parsed(None, [Diagnostic(SCHEMA, str(error), "")])
    return Parsed(program, [])


def _syntax(error: ASLParserException) -> str:
    return "; ".join(error.errors) or "the definition is not in the Amazon States Language"


def time_scale() -> float:
    """What MiniStack's SFN_WAIT_SCALE says, also when it was changed through `/_ministack/config`."""
    return float(substrate._SFN_WAIT_SCALE)


def mocked_case(machine: str, case: str) -> MockedCase:
    """A test case of MiniStack's SFN_MOCK_CONFIG, also when it was set through `/_ministack/config`."""
    configuration: Mapping[str, Any] = substrate._sfn_mock_config
    return read_case(configuration, machine, case)


def tell(execution: Execution) -> None:
    """Tell CloudWatch and EventBridge of a new status."""
    measure(execution)
    publish(execution)


def measure(execution: Execution) -> None:
    """Count an execution that began or ended, as AWS does (Step Functions developer guide, "Monitoring metrics")."""
    from ministack.services import cloudwatch

    with request_scope(execution.order.account, execution.order.region):
        for name, value, unit in measures(execution):
            dimensions = {"StateMachineArn": execution.order.machine_arn}
            cloudwatch.record_metric("AWS/States", name, value, unit, dimensions)


def publish(execution: Execution) -> None:
    """Tell EventBridge's default bus of a new status, as AWS does for standard workflows. Best effort."""
    from ministack.services import eventbridge

    if ":express:" in execution.order.arn:
        return
    entry = {
        "Source": "aws.states",
        "DetailType": "Step Functions Execution Status Change",
        "Detail": json.dumps(status_event(execution)),
        "Resources": [execution.order.arn],
    }
    try:
        with request_scope(execution.order.account, execution.order.region):
            eventbridge._put_events({"Entries": [entry]}, allow_aws_source=True)
    except Exception:
        logger.warning("the status of %s was not published", execution.order.arn, exc_info=True)
