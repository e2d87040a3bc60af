"""A service that MiniStack lacks, or has only in name: held to the published API on the way in and out."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from millrace.local.anchors import hold
from millrace.local.model import InvalidInput, Model, WrongAnswer
from millrace.local.wire import Answer, ApiError, Received, wire_of

__all__ = ["ApiError", "Concurrency", "Emulated", "Operation", "register", "replace"]

Operation = Callable[[dict[str, Any]], dict[str, Any]]
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Concurrency:
    """How many requests of these operations together an account may have running; one more gets the error `code`."""

    operations: frozenset[str]
    most: int
    code: str = "ServiceQuotaExceededException"


class Emulated:
    """The operations of one service, in the shape that MiniStack asks of a service module.

    An operation takes the request and gives the answer, both as they stand in the wire's JSON, or raises
    ApiError; it runs in a worker thread, so that the server's loop never waits for it. `payload_bytes` limits
    the whole body of an operation's request, `concurrency` the requests that run at the same time, where the
    service does.
    """

    def __init__(
        self,
        service: str,
        operations: Mapping[str, Operation],
        *,
        payload_bytes: Mapping[str, int] | None = None,
        concurrency: Concurrency | None = None,
    ) -> None:
        self._model = Model(service)
        self._operations = operations
        self._payload_bytes = payload_bytes or {}
        self._concurrency = concurrency
        self._running = 0
        unknown = operations.keys() - self._model.operations
        if unknown:
            raise ValueError(f"{service} has no operations {', '.join(sorted(unknown))}")
        self._wire = wire_of(self._model, operations)

    async def handle_request(
        self, method: str, path: str, headers: dict[str, str], body: bytes, query_params: dict[str, list[str]]
    ) -> Answer:
        received = Received(method, path, headers, body, query_params)
        concurrency = self._concurrency
        if concurrency is None or not self._is_one_of(concurrency.operations, received):
            return await asyncio.to_thread(self.answer, received)
        if self._running >= concurrency.most:
            message = f"More than {concurrency.most} requests of {' and '.join(sorted(concurrency.operations))} run"
            return self._wire.refusal(ApiError(concurrency.code, message))
        self._running += 1
        try:
            return await asyncio.to_thread(self.answer, received)
        finally:
            self._running -= 1

    def _is_one_of(self, operations: frozenset[str], received: Received) -> bool:
        try:
            return self._wire.operation(received) in operations
        except ApiError:
            return False

    def answer(self, received: Received) -> Answer:
        operation = f"{received.method} {received.path}"
        try:
            operation = self._wire.operation(received)
            self._check_size(operation, received.body)
            answer = self.perform(operation, self._wire.request(operation, received))
            return self._wire.reply(operation, answer)
        except ApiError as error:
            return self._wire.refusal(error)
        except WrongAnswer as error:
            log.exception("an emulated operation is wrong")
            return self._wire.refusal(ApiError("InternalServerException", str(error), 500))
        except Exception as error:
            log.exception("%s failed", operation)
            failed = ApiError("InternalServerException", f"{operation} failed: {error!r}", 500)
            return self._wire.refusal(failed)

    def _check_size(self, operation: str, body: bytes) -> None:
        limit = self._payload_bytes.get(operation)
        if limit is not None and len(body) > limit:
            message = f"The payload of {operation} is {len(body)} bytes; the limit is {limit}"
            raise ApiError("ValidationException", message)

    def perform(self, operation: str, request: Any) -> dict[str, Any]:
        """The operation's answer to the request. Raises ApiError, WrongAnswer."""
        if operation not in self._operations:
            service = self._model.service
            raise ApiError("UnknownOperationException", f"The embedded AWS does not emulate {service} {operation}", 501)
        try:
            self._model.check_input(operation, request)
        except InvalidInput as error:
            raise ApiError(error.code, error.message) from None
        answer = self._operations[operation](_without_null(request))
        self._model.check_output(operation, answer)
        return answer

    def reset(self) -> None:
        """MiniStack's reset has nothing to do here: an instance that is to be empty is started anew."""

    def get_state(self) -> None:
        return None

    def load_persisted_state(self, _data: Any) -> None:
        raise NotImplementedError("the embedded AWS does not restore state")


def register(substrate: ModuleType, name: str, service: Emulated, target_prefix: str) -> None:
    """Put the service where MiniStack's router, dispatcher and IAM evaluator look for services."""
    from ministack.core import iam_actions, router

    hold(router, "detect_service", "SERVICE_PATTERNS")
    hold(iam_actions, "extract_iam_action", "SERVICE_TO_IAM_NAMESPACE.get(service)")
    _serve(substrate, name, service)
    router.SERVICE_PATTERNS[name] = {"target_prefixes": [target_prefix]}
    iam_actions.SERVICE_TO_IAM_NAMESPACE[name] = name


def replace(substrate: ModuleType, name: str, service: Emulated) -> None:
    """Put the service in place of MiniStack's own of that name, which keeps its ways to find it. Raises ValueError."""
    if name not in substrate.SERVICE_HANDLERS:
        raise ValueError(f"MiniStack has no service {name} to replace")
    _serve(substrate, name, service)


def _serve(substrate: ModuleType, name: str, service: Emulated) -> None:
    hold(substrate, "_lazy_handler", "mod = _get_module(module_name)")
    hold(substrate, "_get_module", "mod = _loaded_modules.get(name)")
    hold(substrate, "_dispatch_service_request", "handler = SERVICE_HANDLERS.get(service)")
    substrate._loaded_modules[name] = service
    substrate.SERVICE_REGISTRY[name] = {"module": name}
    substrate.SERVICE_HANDLERS[name] = substrate._lazy_handler(name)


def _without_null(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_null(item) for name, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_without_null(item) for item in value]
    return value
