"""Alarms, kept with their expressions and evaluated; and GetMetricData with expressions."""

from __future__ import annotations

import functools
import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from millrace.local.anchors import hold, patch
from millrace.local.iam import in_scope
from millrace.local.metrics.expressions import InvalidExpression
from millrace.local.metrics.judging import COMPARISONS, judged
from millrace.local.metrics.queries import InvalidQuery, Query, Row, check, evaluated, period_of_all
from millrace.local.metrics.store import Store

EVALUATION_SECONDS = 60.0
OF_ONE_METRIC = (
    "MetricName",
    "Namespace",
    "Statistic",
    "ExtendedStatistic",
    "Period",
    "Dimensions",
    "Unit",
)
"""What an alarm of an expression has not."""
Operation = Callable[..., Any]
log = logging.getLogger(__name__)


class Alarms:
    """`measure` measures what nobody tells of, in the running scope, before alarms are evaluated."""

    def __init__(self, store: Store, measure: Callable[[], None]) -> None:
        from ministack.services import cloudwatch

        self._cloudwatch: Any = cloudwatch
        self._store = store
        self._measure = measure

    def install(self) -> None:
        service = self._cloudwatch
        hold(service, "_record_history", '"HistoryItemType": "StateUpdate"')
        hold(service, "_dispatch_alarm_actions", "_sns._fanout(topic_arn, new_uuid(), message, subject)")
        hold(service, "_evaluate_parent_alarms")
        hold(service, "_error", "use_json=False, use_cbor=False")
        hold(service, "_cbor_metric_data_result", 'out["Timestamps"]')
        patch(service, "_evaluate_alarm", lambda _: self._evaluate, "breaching = cmp.get(op, False)")
        patch(service, "_put_metric_alarm", self._putting, "_alarms[name] = alarm", "_evaluate_alarm(alarm)")
        patch(service, "_get_metric_data", self._getting, '"Expressions not implemented"')

    def start(self) -> None:
        threading.Thread(target=self._run, name="alarms", daemon=True).start()

    def _run(self) -> None:
        while True:
            time.sleep(EVALUATION_SECONDS)
            self.evaluate_all()

    def evaluate_all(self) -> list[dict[str, Any]]:
        """Evaluate the alarms of every account and region now: `[{"name", "region", "state", "reason"}]`."""
        scopes = {(account, region) for account, region, _ in self._scoped()}
        for account, region in sorted(scopes):
            in_scope(region, account, self._measured)
        told = []
        for account, region, alarm in self._scoped():
            in_scope(region, account, functools.partial(self._safely, alarm))
            state, reason = alarm["StateValue"], alarm["StateReason"]
            told.append({"name": alarm["AlarmName"], "region": region, "state": state, "reason": reason})
        return told

    def _scoped(self) -> list[tuple[str, str, dict[str, Any]]]:
        return [(account, region, alarm) for (account, region, _), alarm in list(self._cloudwatch._alarms.all_items())]

    def _measured(self) -> None:
        try:
            self._measure()
        except Exception:
            log.exception("nothing was measured for the alarms")

    def _safely(self, alarm: dict[str, Any]) -> None:
        try:
            self._evaluate(alarm)
        except Exception:
            log.exception("alarm %s was not evaluated", alarm["AlarmName"])

    def _evaluate(self, alarm: dict[str, Any]) -> None:
        """Evaluate an alarm of the running scope; tell its history and its actions of a new state."""
        if alarm.get("ComparisonOperator") not in COMPARISONS:
            return
        queries = queries_of(alarm)
        watched = next(query["Id"] for query in queries if query.get("ReturnData", True))
        row = Row.ending(time.time(), period_of_all(queries), int(alarm["EvaluationPeriods"]))
        values = evaluated(queries, lambda stat: self._store.series(stat, row))[watched]
        judgement, before = judged(alarm, values), alarm["StateValue"]
        if judgement.state is None or judgement.state == before:
            return
        alarm.update(StateValue=judgement.state, StateReason=judgement.reason, StateUpdatedTimestamp=int(time.time()))
        service = self._cloudwatch
        service._record_history(alarm["AlarmName"], before, judgement.state, judgement.reason)
        service._dispatch_alarm_actions(alarm, before, judgement.state, judgement.reason)
        service._evaluate_parent_alarms(alarm)

    def _putting(self, original: Operation) -> Operation:
        @functools.wraps(original)
        def put(params: Any, data: dict[str, Any], is_cbor: bool, is_json: bool = False) -> Any:
            queries = data.get("Metrics") or []
            try:
                check_alarm(queries)
            except (InvalidQuery, InvalidExpression) as error:
                return self._refusal(str(error), is_cbor, is_json)
            answer = original(params, data, is_cbor, is_json)
            alarm = self._cloudwatch._alarms.get(data.get("AlarmName"))
            if queries and answer[0] < 300 and alarm is not None:
                for name in OF_ONE_METRIC:
                    alarm.pop(name, None)
                alarm["Metrics"] = queries
                self._safely(alarm)
            return answer

        return put

    def _getting(self, original: Operation) -> Operation:
        @functools.wraps(original)
        def get(params: Any, data: dict[str, Any], is_cbor: bool, is_json: bool = False) -> Any:
            if not (is_cbor or is_json):
                return original(params, data, is_cbor, is_json)
            queries = data.get("MetricDataQueries") or []
            try:
                check(queries)
            except (InvalidQuery, InvalidExpression) as error:
                return self._refusal(str(error), is_cbor, is_json)
            start, end = (self._cloudwatch._parse_ts(data[name]) for name in ("StartTime", "EndTime"))
            row = Row.between(start, end, period_of_all(queries))
            series = evaluated(queries, lambda stat: self._store.series(stat, row))
            newest_first = data.get("ScanBy", "TimestampDescending") == "TimestampDescending"
            results = [
                self._result(query, list(zip(row.starts, series[query["Id"]], strict=True)), newest_first)
                for query in queries
                if query.get("ReturnData", True)
            ]
            if is_cbor:
                told = [self._cloudwatch._cbor_metric_data_result(each) for each in results]
                return self._cloudwatch._cbor_ok({"MetricDataResults": told})
            return self._cloudwatch._json_ok({"MetricDataResults": results})

        return get

    def _result(self, query: Query, found: list[tuple[float, float | None]], newest_first: bool) -> dict[str, Any]:
        present = [(at, value) for at, value in found if value is not None]
        if newest_first:
            present.reverse()
        return {
            "Id": query["Id"],
            "Label": query.get("Label") or query["Id"],
            "Timestamps": [self._cloudwatch._ts_iso(at) for at, _ in present],
            "Values": [value for _, value in present],
            "StatusCode": "Complete",
        }

    def _refusal(self, message: str, is_cbor: bool, is_json: bool) -> Any:
        return self._cloudwatch._error("ValidationError", message, 400, use_json=is_json, use_cbor=is_cbor)


def queries_of(alarm: dict[str, Any]) -> list[Query]:
    """An alarm's expression with what it reads, or its one metric as a query."""
    if alarm.get("Metrics"):
        return list(alarm["Metrics"])
    metric = {name: alarm.get(name) for name in ("Namespace", "MetricName", "Dimensions")}
    statistic = alarm.get("ExtendedStatistic") or alarm.get("Statistic") or "Average"
    return [{"Id": "metric", "MetricStat": {"Metric": metric, "Period": alarm.get("Period", 60), "Stat": statistic}}]


def check_alarm(queries: list[Query]) -> None:
    """Raise InvalidQuery, InvalidExpression if no alarm can watch these; an alarm of one metric has none."""
    check(queries)
    if queries and sum(bool(query.get("ReturnData", True)) for query in queries) != 1:
        raise InvalidQuery("Exactly one element of the metrics list should return data.")
