"""Running MiniStack's Python functions in our execution environments, in place of its own workers.

MiniStack's workers name every error `Runtime.HandlerError`, end after the first one, hand all variables of the host
to the function, and let it import whatever is installed here.
"""

from __future__ import annotations

import functools
import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from millrace.local.anchors import hold, patch
from millrace.local.image_functions import ImageFunctions, handler_of, image_config, is_image
from millrace.local.images import Image, Images
from millrace.local.lambda_environment import Environment, Function, end

# Lambda's quotas page: the payload of a synchronous and of an asynchronous invocation.
REQUEST_BYTES = {"RequestResponse": 6_291_456, "Event": 1_048_576}
DEFAULT_TIMEOUT = 3
DEFAULT_MEMORY = 128


def install(folder: Path, endpoint: str, images: Images) -> None:
    """`folder` is where environments live, `endpoint` what functions are told to call AWS at."""
    from ministack.core import lambda_runtime as pool
    from ministack.services import lambda_svc as service

    folder.mkdir(parents=True, exist_ok=True)
    functions = ImageFunctions(images)
    functions.install()
    hold(pool, "kill_workers", "proc, worker._proc = worker._proc, None", "worker._discard_tmpdir()")
    hold(pool, "acquire_worker", "worker = _worker_class_for(config)(func_name, config, code_zip)")
    hold(pool, "execution_credentials")
    hold(service, "_resolve_layer_zip")

    class PythonWorker(pool.Worker):
        """An environment in the shape that MiniStack's pool leases, reaps and ends."""

        def __init__(self, func_name: str, config: dict[str, Any], code_zip: bytes) -> None:
            super().__init__(func_name, config, code_zip)
            layers = [service._resolve_layer_zip(layer) for layer in config.get("Layers") or []]
            region = pool._account_region_from_function_config(config)[1]
            self.environment = Environment(
                function_of(config, functions.image_of(config) or code_zip, layers),
                folder,
                endpoint=endpoint,
                region=region,
                keys=pool.execution_credentials(config),
            )

        @property
        def _proc(self) -> subprocess.Popen[bytes] | None:
            return self.environment.process if "environment" in self.__dict__ else None

        @_proc.setter
        def _proc(self, process: subprocess.Popen[bytes] | None) -> None:
            if process is not None:
                raise AttributeError("an environment starts its own process")

        def _discard_tmpdir(self) -> None:
            self.environment.close()

    def choose_class(original: Any) -> Any:
        return functools.wraps(original)(lambda config: PythonWorker if is_ours(config) else original(config))

    def execute(original: Any) -> Any:
        @functools.wraps(original)
        def execute_function(func: dict[str, Any], event: Any, request_id: str) -> dict[str, Any]:
            config = func.get("config") or func
            code = func.get("code_zip")
            there = bool(code) or is_image(config)
            if not there or not is_ours(config) or service._durable_env_overlay():
                return original(func, event, request_id)
            service._ensure_reaper_thread()
            version = config.get("Version", "$LATEST")
            worker, _ = pool.acquire_worker(config["FunctionName"], config, code, qualifier=version)
            try:
                outcome = worker.environment.invoke(event, request_id, config["FunctionArn"])
            finally:
                pool.release_worker(worker)
            answer: dict[str, Any] = {"body": json.loads(outcome.payload), "log": outcome.log.rstrip("\n")}
            return {**answer, "error": True, "function_error": "Unhandled"} if outcome.failed else answer

        return execute_function

    def refuse_large_requests(original: Any) -> Any:
        @functools.wraps(original)
        async def handle_request(
            method: str, path: str, headers: dict[str, str], body: bytes, query_params: dict[str, Any]
        ) -> Any:
            refusal = refusal_of_size(path, headers, len(body))
            return refusal or await original(method, path, headers, body, query_params)

        return handle_request

    patch(service, "handle_request", refuse_large_requests, "body: bytes, query_params: dict) -> tuple:")
    patch(pool, "_worker_class_for", choose_class, 'str(config.get("Runtime", "")).startswith("provided")')
    patch(
        service,
        "_execute_function_warm",
        execute,
        "worker, reason = acquire_worker(func_name, config, code_zip, qualifier=qualifier)",
        '"error": True',
    )
    patch(service, "_execute_function_docker", execute, 'config.get("PackageType", "Zip")', "_get_docker_client()")


def is_ours(config: dict[str, Any]) -> bool:
    """Python functions and images, except where a feature is asked for that only MiniStack's own workers have."""
    snapshot = (config.get("SnapStart") or {}).get("OptimizationStatus") == "On"
    return (is_image(config) or str(config.get("Runtime", "")).startswith("python")) and not snapshot


def refusal_of_size(path: str, headers: Mapping[str, str], size: int) -> tuple[int, dict[str, str], bytes] | None:
    """Lambda's answer to an invocation whose payload is too large; None if it is not."""
    if not path.endswith("/invocations"):
        return None
    limit = REQUEST_BYTES.get(headers.get("x-amz-invocation-type", "RequestResponse"))
    if limit is None or size <= limit:
        return None
    told = {
        "Type": "User",
        "message": f"Request must be smaller than {limit} bytes for the InvokeFunction operation",
    }
    answered = {"Content-Type": "application/json", "x-amzn-ErrorType": "RequestTooLargeException"}
    return 413, answered, json.dumps(told).encode()


def function_of(config: dict[str, Any], code: bytes | Image, layers: list[bytes | None]) -> Function:
    """Raises RuntimeError when a layer's content is gone."""
    name = config["FunctionName"]
    present = [layer for layer in layers if layer is not None]
    if len(present) != len(layers):
        raise RuntimeError(f"a layer of function {name} is gone")
    logging_config = config.get("LoggingConfig") or {}
    return Function(
        name=name,
        arn=config["FunctionArn"],
        version=config.get("Version", "$LATEST"),
        handler=handler_of(code, image_config(config)) if isinstance(code, Image) else config["Handler"],
        runtime=config["Runtime"],
        timeout=float(config.get("Timeout") or DEFAULT_TIMEOUT),
        memory=int(config.get("MemorySize") or DEFAULT_MEMORY),
        log_group=logging_config.get("LogGroup") or f"/aws/lambda/{name}",
        code=code,
        layers=present,
        variables=(config.get("Environment") or {}).get("Variables") or {},
        tracing=(config.get("TracingConfig") or {}).get("Mode") == "Active",
        log_format=logging_config.get("LogFormat") or "Text",
        log_level=logging_config.get("ApplicationLogLevel") or "",
    )


def end_all() -> None:
    """End every environment."""
    from ministack.core import lambda_runtime as pool

    with pool._lock:
        workers = [worker for entries in pool._workers.values() for worker in entries]
    for worker in workers:
        if worker._proc is not None:
            end(worker._proc)
    pool.reset()
