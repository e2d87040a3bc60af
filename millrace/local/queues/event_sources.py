"""MiniStack's event source mappings: which there are, what is refused of a new one, and how their functions are run."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from millrace.local.acting import Actor
from millrace.local.anchors import hold, patch
from millrace.local.iam import Authority, in_scope
from millrace.local.queues.functions import FunctionSource
from millrace.local.queues.mappings import (
    ACTIONS,
    LAMBDA,
    AlreadyMapped,
    InvalidMapping,
    NoPermission,
    NoQueue,
    check,
)
from millrace.local.queues.polling import Record
from millrace.local.queues.service import Queue, Queues

Answer = tuple[int, dict[str, str], bytes]
DEFAULT_TIMEOUT_SECONDS = 3
SQS = ":sqs:"


class EventSources:
    """`changed` is called when a mapping is made or changed."""

    def __init__(self, queues: Queues, authority: Authority, changed: Callable[[], None]) -> None:
        from ministack.services import lambda_svc

        self._lambda: Any = lambda_svc
        self._queues = queues
        self._authority = authority
        self._changed = changed

    def install(self) -> None:
        service = self._lambda
        hold(service, "_get_func_record_for_qualifier")
        hold(service, "_iter_all_esms", "yield acct_id, region, esm")
        hold(service, "_execute_function", "_acquire_execution_slot(func, config)", "return _throttle_response(")
        hold(service, "_apply_filter_criteria", "def _apply_filter_criteria(records: list[dict], esm: dict)")
        hold(service, "_resolve_existing_esm_function", "return func_name, qualifier, None")
        patch(service, "_create_esm", self._creating, "_esms[esm_id] = esm", '"BatchSize": data.get("BatchSize", 10)')
        patch(service, "_update_esm", self._updating, 'esm["LastModified"] = int(time.time())')
        patch(service, "_poll_sqs", lambda _: lambda: False, "_sqs._receive_messages_for_esm(queue_url, batch_size)")

    def all(self) -> Iterator[FunctionSource]:
        """The enabled mappings whose queue and function exist."""
        for account, region, mapping in self._lambda._iter_all_esms():
            if mapping["Enabled"] and SQS in mapping["EventSourceArn"]:
                found = in_scope(region, account, functools.partial(self._source, mapping, account, region))
                if found is not None:
                    yield found

    def _source(self, mapping: dict[str, Any], account: str, region: str) -> FunctionSource | None:
        function = self._function(mapping["FunctionName"], mapping.get("Qualifier"))
        queue = self._queues.find(mapping["EventSourceArn"])
        if function is None or queue is None:
            return None
        actor = Actor(LAMBDA, function["config"]["Role"], mapping["FunctionArn"], account, region)

        def invoke(records: list[Record]) -> dict[str, Any]:
            return in_scope(region, account, lambda: self._invoke(mapping, function, records))

        return FunctionSource(mapping, queue, actor, invoke)

    def _function(self, name: str, qualifier: str | None) -> dict[str, Any] | None:
        function: dict[str, Any] | None = self._lambda._get_func_record_for_qualifier(name, qualifier)[0]
        return function

    def _invoke(self, mapping: dict[str, Any], function: dict[str, Any], records: list[Record]) -> dict[str, Any]:
        """Run the function on what the mapping's filters leave; what they leave out counts as done."""
        kept = self._lambda._apply_filter_criteria(records, mapping)
        return dict(self._lambda._execute_function(function, {"Records": kept}) if kept else {})

    def _creating(self, original: Callable[[dict[str, Any]], Answer]) -> Callable[[dict[str, Any]], Answer]:
        @functools.wraps(original)
        def create(data: dict[str, Any]) -> Answer:
            name, qualifier, refusal = self._lambda._resolve_existing_esm_function(data.get("FunctionName", ""))
            if refusal:
                return original(data)
            return self._checked(data, name, qualifier, None) or self._told(original(data))

        return create

    def _updating(self, original: Callable[[str, dict[str, Any]], Answer]) -> Callable[[str, dict[str, Any]], Answer]:
        @functools.wraps(original)
        def update(mapping_id: str, data: dict[str, Any]) -> Answer:
            mapping = self._lambda._esms.get(mapping_id)
            if mapping is None:
                return original(mapping_id, data)
            name, qualifier = mapping["FunctionName"], mapping.get("Qualifier")
            if "FunctionName" in data:
                name, qualifier, refusal = self._lambda._resolve_existing_esm_function(data["FunctionName"])
                if refusal:
                    return original(mapping_id, data)
            refused = self._checked({**mapping, **data}, name, qualifier, mapping_id)
            return refused or self._told(original(mapping_id, data))

        return update

    def _told(self, answer: Answer) -> Answer:
        self._changed()
        return answer

    def _checked(self, wanted: Mapping[str, Any], name: str, qualifier: str | None, own: str | None) -> Answer | None:
        """Lambda's refusal of a mapping with these settings; None if it takes them. `own` is the mapping's id."""
        arn = wanted.get("EventSourceArn", "")
        function = self._function(name, qualifier)
        if SQS not in arn or function is None:
            return None
        try:
            self._check(wanted, arn, name, function, own)
        except AlreadyMapped as error:
            return self._refusal("ResourceConflictException", str(error), 409)
        except InvalidMapping as error:
            return self._refusal("InvalidParameterValueException", str(error), 400)
        return None

    def _refusal(self, code: str, message: str, status: int) -> Answer:
        answer: Answer = self._lambda.error_response_json(code, message, status)
        return answer

    def _check(self, wanted: Mapping[str, Any], arn: str, name: str, function: dict[str, Any], own: str | None) -> None:
        queue: Queue | None = self._queues.find(arn)
        if queue is None:
            raise NoQueue
        config = function["config"]
        for action in ACTIONS:
            asked = (config["Role"], LAMBDA, f"sqs:{action}", arn)
            if self._authority.refusal(*asked, source=config["FunctionArn"]) is not None:
                raise NoPermission(action)
        check(
            wanted,
            fifo=queue["is_fifo"],
            visibility=float(queue["attributes"]["VisibilityTimeout"]),
            timeout=float(config.get("Timeout") or DEFAULT_TIMEOUT_SECONDS),
        )
        for mapping in self._lambda._esms.values():
            same = mapping["EventSourceArn"] == arn and mapping["FunctionName"] == name and mapping["UUID"] != own
            if same:
                raise AlreadyMapped(arn, name, mapping["UUID"])
