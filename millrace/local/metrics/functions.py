"""What functions are measured by: the metrics of Lambda itself, and those that they write into their logs."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import Any

from millrace.local.anchors import hold, patch
from millrace.local.metrics.embedded_format import measured
from millrace.local.metrics.store import Store

NAMESPACE = "AWS/Lambda"


def measure_functions(store: Store) -> None:
    from ministack.services import lambda_svc

    def running(original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def dispatch(func: Any, config: dict[str, Any], event: Any, request_id: str, started: float) -> Any:
            result = original(func, config, event, request_id, started)
            told = result if isinstance(result, dict) else {}
            of_function = {"FunctionName": config["FunctionName"]}
            for name, value, unit in (
                ("Invocations", 1, "Count"),
                ("Errors", int(bool(told.get("error"))), "Count"),
                ("Throttles", 0, "Count"),
                ("Duration", (time.time() - started) * 1000, "Milliseconds"),
            ):
                store.record(NAMESPACE, name, value, unit, of_function)
            for line in str(told.get("log") or "").splitlines():
                for one in measured(line):
                    store.keep(one)
            return result

        return dispatch

    def throttled(_original: Callable[..., None]) -> Callable[..., None]:
        """MiniStack tells of a throttle where it happens, without a duration, and a second time where it answers."""

        def emit(function_name: str, **told: Any) -> None:
            if told["throttle"] and not told["duration_ms"]:
                store.record(NAMESPACE, "Throttles", 1, "Count", {"FunctionName": function_name})

        return emit

    hold(lambda_svc, "_execute_function", "_emit_lambda_metrics(fn_name, duration_ms=0.0, error=False, throttle=True)")
    patch(lambda_svc, "_execute_function_dispatch", running, "request_id: str, started: float) -> dict:")
    patch(
        lambda_svc, "_emit_lambda_metrics", throttled, "def _emit_lambda_metrics(function_name: str, duration_ms: float"
    )
