"""A JSON service that MiniStack lacks, added beside its own: held to the published API on the way in and out.

* ApiError   what the caller gets instead of an answer
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

from millrace.local.anchors import hold
from millrace.local.model import InvalidInput, Model, WrongAnswer

Answer = tuple[int, dict[str, str], bytes]
Operation = Callable[[dict[str, Any]], dict[str, Any]]
log = logging.getLogger(__name__)


class ApiError(Exception):
    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status


class Emulated:
    """The operations of one service, in the shape that MiniStack asks of a service module.

    An operation takes the request and gives the answer, both as they stand in the wire's JSON, or raises
    ApiError; it runs in a worker thread, so that the server's loop never waits for it.
    """

    def __init__(self, service: str, operations: Mapping[str, Operation]) -> None:
        self._model = Model(service)
        self._operations = operations
        self._version = self._model.json_version
        unknown = operations.keys() - self._model.operations
        if unknown:
            raise ValueError(f"{service} has no operations {', '.join(sorted(unknown))}")

    async def handle_request(
        self, _method: str, _path: str, headers: dict[str, str], body: bytes, _query_params: dict[str, Any]
    ) -> Answer:
        operation = headers.get("x-amz-target", "").rpartition(".")[2]
        return await asyncio.to_thread(self.answer, operation, body)

    def answer(self, operation: str, body: bytes) -> Answer:
        try:
            return self._reply(200, self._run(operation, body))
        except ApiError as error:
            return self._refuse(error)
        except WrongAnswer as error:
            log.exception("an emulated operation is wrong")
            return self._refuse(ApiError("InternalServerException", str(error), 500))
        except Exception as error:
            log.exception("%s failed", operation)
            return self._refuse(ApiError("InternalServerException", f"{operation} failed: {error!r}", 500))

    def _run(self, operation: str, body: bytes) -> dict[str, Any]:
        if operation not in self._model.operations:
            raise ApiError("UnknownOperationException", f"There is no operation {operation!r}")
        if operation not in self._operations:
            service = self._model.service
            raise ApiError("UnknownOperationException", f"The embedded AWS does not emulate {service} {operation}", 501)
        try:
            request = json.loads(body or b"{}")
        except ValueError as error:
            raise ApiError("SerializationException", f"The request is not JSON: {error}") from None
        try:
            self._model.check_input(operation, request)
        except InvalidInput as error:
            raise ApiError(error.code, error.message) from None
        answer = self._operations[operation](_without_null(request))
        self._model.check_output(operation, answer)
        return answer

    def _reply(self, status: int, document: dict[str, Any]) -> Answer:
        headers = {"Content-Type": f"application/x-amz-json-{self._version}"}
        return status, headers, json.dumps(document, ensure_ascii=False).encode()

    def _refuse(self, error: ApiError) -> Answer:
        status, headers, body = self._reply(error.status, {"__type": error.code, "message": error.message})
        return status, {**headers, "x-amzn-ErrorType": error.code}, body

    def reset(self) -> None:
        """MiniStack's reset has nothing to do here: an instance that is to be empty is started anew."""

    def get_state(self) -> None:
        return None

    def load_persisted_state(self, _data: Any) -> None:
        raise NotImplementedError("the embedded AWS does not restore state")


def register(substrate: ModuleType, name: str, service: Emulated, target_prefix: str) -> None:
    """Put the service where MiniStack's router, dispatcher and IAM evaluator look for services."""
    from ministack.core import iam_actions, router

    hold(substrate, "_lazy_handler", "mod = _get_module(module_name)")
    hold(substrate, "_get_module", "mod = _loaded_modules.get(name)")
    hold(substrate, "_dispatch_service_request", "handler = SERVICE_HANDLERS.get(service)")
    hold(router, "detect_service", "SERVICE_PATTERNS")
    hold(iam_actions, "extract_iam_action", "SERVICE_TO_IAM_NAMESPACE.get(service)")
    substrate._loaded_modules[name] = service
    substrate.SERVICE_REGISTRY[name] = {"module": name}
    substrate.SERVICE_HANDLERS[name] = substrate._lazy_handler(name)
    router.SERVICE_PATTERNS[name] = {"target_prefixes": [target_prefix]}
    iam_actions.SERVICE_TO_IAM_NAMESPACE[name] = name


def _without_null(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_null(item) for name, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_without_null(item) for item in value]
    return value
