"""Puts the engine behind MiniStack's `states`, for requests over HTTP and for MiniStack's own callers."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import json
import logging
import re
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import ModuleType
from typing import TYPE_CHECKING, Any

from millrace.local import anchors
from millrace.local.model import InvalidInput, Model
from millrace.local.states.arns import InvalidArn, parse
from millrace.local.states.errors import ApiError
from millrace.local.states.tokens import InvalidToken, machine_of

if TYPE_CHECKING:
    from millrace.local.states.engine import Services
    from millrace.local.states.executions import Execution

logger = logging.getLogger("millrace.local.states")

Reply = tuple[int, dict[str, str], bytes]
JSON = {"Content-Type": "application/x-amz-json-1.0"}
REQUESTS_AT_ONCE = 64
"""Requests that may wait at once: StartSyncExecution waits as long as its execution runs."""


class Door:
    """Answers requests with the engine, which is loaded in the background: the first requests wait for it."""

    def __init__(self, load: Callable[[], Services]) -> None:
        self._loaded: Future[Services] = Future()
        self._model = Model("stepfunctions")
        self._threads = ThreadPoolExecutor(REQUESTS_AT_ONCE, thread_name_prefix="states")
        threading.Thread(target=self._load, args=(load,), name="states engine", daemon=True).start()

    def _load(self, load: Callable[[], Services]) -> None:
        try:
            self._loaded.set_result(load())
        except BaseException as error:
            logger.critical("the Step Functions engine cannot run: %s", error)
            self._loaded.set_exception(error)

    async def handle(self, _method: str, _path: str, headers: dict[str, str], body: bytes, _query: Any) -> Reply:
        """MiniStack's interface of a service. Account and region are those of the request."""
        operation = headers.get("x-amz-target", "").rpartition(".")[2]
        context = contextvars.copy_context()
        return await asyncio.get_running_loop().run_in_executor(
            self._threads, context.run, self.answer, operation, body
        )

    def answer(self, operation: str, body: bytes) -> Reply:
        from ministack.core.responses import get_account_id, get_region

        try:
            request = json.loads(body or b"{}")
        except ValueError as error:
            return _refusal("SerializationException", f"the request is not JSON: {error}")
        return self.do(operation, request, get_account_id(), get_region())

    def do(self, operation: str, request: Any, account: str, region: str) -> Reply:
        service = self._loaded.result().of(account, region)
        if operation not in self._model.operations:
            return _refusal("UnknownOperationException", f"Step Functions has no operation {operation!r}")
        act = getattr(service, _snake(operation), None)
        if act is None:
            return _refusal("UnsupportedOperation", f"The embedded Step Functions does not offer {operation}")
        try:
            self._model.check_input(operation, request)
            answer = act(request)
        except (ApiError, InvalidInput) as error:
            return _refusal(error.code, error.message)
        self._model.check_output(operation, answer)
        return 200, dict(JSON), json.dumps(answer).encode()

    def start_execution(self, request: dict[str, Any]) -> Reply:
        """For MiniStack's own callers (EventBridge, Scheduler, Pipes): in the target's account and region."""
        try:
            arn = parse(request["stateMachineArn"], "stateMachine")
        except InvalidArn as error:
            return _refusal("InvalidArn", str(error))
        reply = self.do("StartExecution", request, arn.account, arn.region)
        if reply[0] >= 400:
            logger.warning("no execution of %s was started: %s", request["stateMachineArn"], reply[2].decode())
        return reply

    def abort(self, execution: str) -> None:
        """Stop the execution of that ARN, if it still runs."""
        self._of(execution)[execution].stop(None, None)

    def status_of(self, execution: str) -> str:
        """The status of the execution of that ARN."""
        return self._of(execution)[execution].status

    def _of(self, execution: str) -> dict[str, Execution]:
        """The executions of the account and region of that ARN. Raises InvalidArn."""
        arn = parse(execution, "execution")
        return self._loaded.result().of(arn.account, arn.region).executions

    def reset(self) -> None:
        self._loaded.result().reset()


def _refusal(code: str, message: str) -> Reply:
    return 400, dict(JSON), json.dumps({"__type": code, "message": message}).encode()


def _snake(operation: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", operation).lower()


def asking_for_the_machine(resource_of: Callable[..., str]) -> Callable[..., str]:
    """Who answers a task's token needs to be allowed that on the state machine; of junk nobody knows the machine."""

    @functools.wraps(resource_of)
    def extract_resource_arn(
        service: str, method: str, path: str, headers: dict[str, str], body: bytes, *rest: Any
    ) -> str:
        if service == "states" and ".SendTask" in headers.get("x-amz-target", ""):
            try:
                return machine_of(json.loads(body)["taskToken"])
            except (InvalidToken, ValueError, KeyError, TypeError):
                return "*"
        return resource_of(service, method, path, headers, body, *rest)

    return extract_resource_arn


def hang(app: ModuleType, door: Door) -> None:
    """Let MiniStack's requests, own callers and reset come to the door. Raises anchors.AnchorMoved."""
    from ministack.core import iam_actions
    from ministack.services import stepfunctions

    app.SERVICE_HANDLERS["states"] = door.handle
    anchors.patch(
        iam_actions,
        "extract_resource_arn",
        asking_for_the_machine,
        'if service == "states":',
        '_safe_json_field(body, "stateMachineArn")',
    )
    anchors.patch(stepfunctions, "_start_execution", lambda _: door.start_execution, 'data.get("stateMachineArn", "")')
    anchors.patch(stepfunctions, "_resolve_state_machine_arn", lambda _: lambda arn: arn, "if arn in _state_machines:")

    def resetting(reset: Callable[[], None]) -> Callable[[], None]:
        def reset_both() -> None:
            reset()
            door.reset()

        return reset_both

    anchors.patch(stepfunctions, "reset", resetting, "_executions.clear()")
