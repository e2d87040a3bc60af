"""Lambda's event source mappings, as MiniStack keeps them: which there are, what is refused of a new one or of a
change, and how their functions are run. What is particular to a source, queue or stream, is with its `Kind`.

* InvalidMapping    the root: Lambda does not take the mapping
  - AlreadyMapped   the source is mapped to the function already
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from millrace.local.acting import Actor
from millrace.local.anchors import hold, patch
from millrace.local.batch_answers import REPORTS_FAILURES
from millrace.local.iam import Authority, in_scope
from millrace.local.targets import service_of

Answer = tuple[int, dict[str, str], bytes]
Record = dict[str, Any]
Asked = Mapping[str, Any]
"""The members of CreateEventSourceMapping."""

LAMBDA = "lambda.amazonaws.com"
BATCH_BYTES = 6_291_456
"""Of one batch: the payload of a synchronous invocation (Lambda quotas); a pipe's batch has the same limit."""
THROTTLED_SECONDS = 0.5
"""Pause before a batch is offered again to a function that has no concurrency left."""


class InvalidMapping(ValueError):
    """The text is what Lambda says."""


class AlreadyMapped(InvalidMapping):
    pass


@dataclass(frozen=True)
class Role:
    """A function's execution role, asked what it may do for Lambda on the function's behalf."""

    arn: str
    function: str
    authority: Authority

    def may(self, action: str, resource: str) -> bool:
        return self.authority.refusal(self.arn, LAMBDA, action, resource, source=self.function) is None


class Kind(Protocol):
    """What is particular to the mappings of one service's sources."""

    service: str

    def completed(self, asked: Asked) -> dict[str, Any]:
        """What a new mapping is asked for, with the values that it has where nothing was said."""

    def check(self, wanted: Asked, function: Mapping[str, Any], role: Role) -> None:
        """Raise InvalidMapping if Lambda does not take the mapping for the function of this configuration."""

    def already(self, source: str, function: str, mapping: str) -> AlreadyMapped:
        """What is said where the mapping of that id does the same."""


@dataclass(frozen=True)
class Mapped:
    """A mapping (MiniStack's own record, which changes with it) and the function that it runs.

    `invoke` gives MiniStack's outcome of records: `{"body"?, "error"?, "throttle"?}`. `filtered` gives those of the
    records that are for the function, by the mapping's filters; what they leave out counts as done.
    """

    mapping: dict[str, Any]
    actor: Actor
    invoke: Callable[[list[Record]], dict[str, Any]]
    filtered: Callable[[list[Record]], list[Record]]

    @property
    def id(self) -> str:
        return str(self.mapping["UUID"])

    @property
    def source(self) -> str:
        return str(self.mapping["EventSourceArn"])

    def tell(self, outcome: str) -> None:
        self.mapping["LastProcessingResult"] = outcome


def reports_failures(mapping: Asked) -> bool:
    return REPORTS_FAILURES in (mapping.get("FunctionResponseTypes") or ())


def check_response_types(mapping: Asked) -> None:
    types = mapping.get("FunctionResponseTypes") or ()
    if any(kind != REPORTS_FAILURES for kind in types):
        raise InvalidMapping(f"FunctionResponseTypes may only hold {REPORTS_FAILURES}, not {', '.join(types)}")


class Mappings:
    def __init__(self, authority: Authority) -> None:
        from ministack.services import lambda_svc

        self._lambda: Any = lambda_svc
        self._authority = authority
        self._kinds: dict[str, tuple[Kind, Callable[[], None]]] = {}

    def install(self) -> None:
        service = self._lambda
        hold(service, "_get_func_record_for_qualifier")
        hold(service, "_iter_all_esms", "yield acct_id, region, esm")
        hold(service, "_execute_function", "_acquire_execution_slot(func, config)", "return _throttle_response(")
        hold(service, "_apply_filter_criteria", "def _apply_filter_criteria(records: list[dict], esm: dict)")
        hold(service, "_resolve_existing_esm_function", "return func_name, qualifier, None")
        patch(service, "_create_esm", self._creating, "_esms[esm_id] = esm", '"BatchSize": data.get("BatchSize", 10)')
        patch(service, "_update_esm", self._updating, 'esm["LastModified"] = int(time.time())')

    def add(self, kind: Kind, changed: Callable[[], None]) -> None:
        """Look after the mappings of these sources too. `changed` is called when one is made or changed."""
        self._kinds[kind.service] = (kind, changed)

    def enabled(self, service: str) -> Iterator[Mapped]:
        """The enabled mappings of the service's sources whose function exists."""
        for account, region, mapping in self._lambda._iter_all_esms():
            if mapping["Enabled"] and service_of(mapping["EventSourceArn"]) == service:
                found = in_scope(region, account, functools.partial(self._mapped, mapping, account, region))
                if found is not None:
                    yield found

    def _mapped(self, mapping: dict[str, Any], account: str, region: str) -> Mapped | None:
        function = self._function(mapping["FunctionName"], mapping.get("Qualifier"))
        if function is None:
            return None
        actor = Actor(LAMBDA, function["config"]["Role"], mapping["FunctionArn"], account, region)
        return Mapped(
            mapping,
            actor,
            invoke=lambda records: in_scope(region, account, lambda: self._invoke(mapping, records)),
            filtered=lambda records: list(self._lambda._apply_filter_criteria(records, mapping)),
        )

    def _function(self, name: str, qualifier: str | None) -> dict[str, Any] | None:
        function: dict[str, Any] | None = self._lambda._get_func_record_for_qualifier(name, qualifier)[0]
        return function

    def _invoke(self, mapping: dict[str, Any], records: list[Record]) -> dict[str, Any]:
        """Run the function, as it is now."""
        function = self._function(mapping["FunctionName"], mapping.get("Qualifier"))
        if function is None:
            return {"error": True, "body": {"errorMessage": f"Function not found: {mapping['FunctionArn']}"}}
        return dict(self._lambda._execute_function(function, {"Records": records}))

    def _creating(self, original: Callable[[dict[str, Any]], Answer]) -> Callable[[dict[str, Any]], Answer]:
        @functools.wraps(original)
        def create(data: dict[str, Any]) -> Answer:
            name, qualifier, refusal = self._lambda._resolve_existing_esm_function(data.get("FunctionName", ""))
            known = self._kinds.get(service_of(data.get("EventSourceArn", "")))
            if refusal or known is None:
                return original(data)
            kind, changed = known
            wanted = kind.completed(data)
            refused = self._refused(kind, wanted, name, qualifier, None)
            if refused is not None:
                return refused
            answer = original(wanted)
            changed()
            return answer

        return create

    def _updating(self, original: Callable[[str, dict[str, Any]], Answer]) -> Callable[[str, dict[str, Any]], Answer]:
        @functools.wraps(original)
        def update(mapping_id: str, data: dict[str, Any]) -> Answer:
            mapping = self._lambda._esms.get(mapping_id)
            known = self._kinds.get(service_of(mapping["EventSourceArn"])) if mapping else None
            if mapping is None or known is None:
                return original(mapping_id, data)
            name, qualifier = mapping["FunctionName"], mapping.get("Qualifier")
            if "FunctionName" in data:
                name, qualifier, refusal = self._lambda._resolve_existing_esm_function(data["FunctionName"])
                if refusal:
                    return original(mapping_id, data)
            kind, changed = known
            refused = self._refused(kind, {**mapping, **data}, name, qualifier, mapping_id)
            if refused is not None:
                return refused
            answer = original(mapping_id, data)
            changed()
            return answer

        return update

    def _refused(self, kind: Kind, wanted: Asked, name: str, qualifier: str | None, own: str | None) -> Answer | None:
        """Lambda's refusal of a mapping with these settings; None if it takes them. `own` is the mapping's id."""
        function = self._function(name, qualifier)
        if function is None:
            return None
        source, config = wanted["EventSourceArn"], function["config"]
        try:
            kind.check(wanted, config, Role(config["Role"], config["FunctionArn"], self._authority))
            for mapping in self._lambda._esms.values():
                same = mapping["EventSourceArn"] == source and mapping["FunctionName"] == name
                if same and mapping["UUID"] != own:
                    raise kind.already(source, name, mapping["UUID"])
        except AlreadyMapped as error:
            return self._refusal("ResourceConflictException", str(error), 409)
        except InvalidMapping as error:
            return self._refusal("InvalidParameterValueException", str(error), 400)
        return None

    def _refusal(self, code: str, message: str, status: int) -> Answer:
        answer: Answer = self._lambda.error_response_json(code, message, status)
        return answer
