"""The operations of the Step Functions API for one account and region: requests and answers are the wire's
JSON.

A time is a number of seconds since the epoch. Requests have been checked against the API's model before they
come here.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import json
import re
import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from millrace.local.states import arns, tokens
from millrace.local.states.definitions import Diagnostic
from millrace.local.states.errors import ApiError, InvalidRequest
from millrace.local.states.executions import RUNNING, SUCCEEDED, Execution, NotRedrivable, Order
from millrace.local.states.interpreter import (
    CallbackOutcome,
    CallbackOutcomeFailure,
    CallbackOutcomeSuccess,
    Program,
)
from millrace.local.states.machines import NO_LOGGING, NO_TRACING, OWNED_KEY, Machine, Revision, Version
from millrace.local.states.mocks import InvalidMock, MockedCase

FORBIDDEN_IN_NAMES = re.compile(r'[\s<>{}\[\]?*"#%\\^|~`$&,;:/\x00-\x1f\x7f-\x9f\ufffe\uffff\ud800-\udfff]')
NAME_LENGTH = 80
INPUT_BYTES = 262_144
MOST_TAGS = 50
"""Tags that one resource may have (AWS tagging quotas)."""
PAGE = 100
"""Results on a page when maxResults is absent or 0 (API reference)."""

Answer = dict[str, Any]
Request = Mapping[str, Any]


@dataclass
class Parsed:
    """What the engine has made of a definition: a program, or what is wrong with it."""

    program: Program | None
    diagnostics: list[Diagnostic]


@dataclass
class Engine:
    """What the operations need from outside: each is a function, so that a test can give its own."""

    parse: Callable[[str], Parsed]
    mocked_case: Callable[[str, str], MockedCase]
    time_scale: Callable[[], float] = lambda: 1.0
    on_status: Callable[[Execution], None] = lambda _: None
    dies_at: Callable[[str, str], bool] = lambda _execution, _event: False
    now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC)


@dataclass
class StateMachines:
    """Step Functions of one account in one region."""

    region: str
    account: str
    engine: Engine
    machines: dict[str, Machine] = field(default_factory=dict)
    executions: dict[str, Execution] = field(default_factory=dict)
    tags: dict[str, dict[str, str]] = field(default_factory=dict)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def create_state_machine(self, request: Request) -> Answer:
        name = _valid_name(request["name"])
        arn = arns.machine(self.region, self.account, name)
        if request.get("versionDescription") and not request.get("publish"):
            raise InvalidRequest("Version description can only be set when publish is true")
        self._program(request["definition"])
        _check_logging(request.get("loggingConfiguration"))
        revision = Revision(
            definition=request["definition"],
            role=_valid_role(request["roleArn"]),
            logging=request.get("loggingConfiguration") or NO_LOGGING,
            tracing=request.get("tracingConfiguration") or NO_TRACING,
            encryption=request.get("encryptionConfiguration") or OWNED_KEY,
        )
        kind = request.get("type") or "STANDARD"
        with self._lock:
            machine = self.machines.get(arn)
            if machine is None:
                machine = self.machines[arn] = Machine(arn, name, kind, revision, created_at=self.engine.now())
                self.tags[arn] = _tags(request.get("tags"))
            elif not _same(machine, kind, revision):
                raise ApiError("StateMachineAlreadyExists", f"State Machine Already Exists: '{arn}'")
            answer = {"stateMachineArn": arn, "creationDate": _seconds(machine.created_at)}
            if request.get("publish"):
                answer["stateMachineVersionArn"] = machine.publish(request.get("versionDescription")).arn
            return answer

    def update_state_machine(self, request: Request) -> Answer:
        machine = self._machine(request["stateMachineArn"])
        if request.get("versionDescription") and not request.get("publish"):
            raise InvalidRequest("Version description can only be set when publish is true")
        changeable = (
            "definition",
            "roleArn",
            "loggingConfiguration",
            "tracingConfiguration",
            "encryptionConfiguration",
        )
        if not any(request.get(name) is not None for name in changeable) and not request.get("publish"):
            raise ApiError(
                "MissingRequiredParameter",
                "Either the definition, the role ARN, the LoggingConfiguration, the EncryptionConfiguration "
                "or the TracingConfiguration must be specified",
            )
        if request.get("definition") is not None:
            self._program(request["definition"])
        _check_logging(request.get("loggingConfiguration"))
        with self._lock:
            machine.revision = machine.revision.changed(
                definition=request.get("definition"),
                role=_valid_role(request["roleArn"]) if request.get("roleArn") is not None else None,
                logging=request.get("loggingConfiguration"),
                tracing=request.get("tracingConfiguration"),
                encryption=request.get("encryptionConfiguration"),
            )
            answer: Answer = {"updateDate": _seconds(machine.revision.updated_at)}
            if machine.revision.id:
                answer["revisionId"] = machine.revision.id
            if request.get("publish"):
                answer["stateMachineVersionArn"] = machine.publish(request.get("versionDescription")).arn
            return answer

    def delete_state_machine(self, request: Request) -> Answer:
        """Deleting what is not there succeeds, as on AWS. Executions are stopped and forgotten."""
        arn = _arn(request["stateMachineArn"], "stateMachine").machine
        with self._lock:
            self.machines.pop(arn, None)
            self.tags.pop(arn, None)
            gone = [execution for execution in self.executions.values() if execution.order.machine_arn == arn]
            for execution in gone:
                del self.executions[execution.order.arn]
        for execution in gone:
            execution.stop(None, None)
        return {}

    def describe_state_machine(self, request: Request) -> Answer:
        arn = _arn(request["stateMachineArn"], "stateMachine")
        machine, version = self._machine_and_version(request["stateMachineArn"])
        revision = version.revision if version else machine.revision
        answer = {
            "stateMachineArn": version.arn if version else machine.arn,
            "name": machine.name,
            "status": "ACTIVE",
            "definition": revision.definition,
            "roleArn": revision.role,
            "type": machine.type,
            "creationDate": _seconds(version.created_at if version else machine.created_at),
            "loggingConfiguration": revision.logging,
            "tracingConfiguration": revision.tracing,
            "encryptionConfiguration": revision.encryption,
        }
        if revision.id:
            answer["revisionId"] = revision.id
        if arn.qualifier and version and version.description:
            answer["description"] = version.description
        return _without(answer, "definition") if request.get("includedData") == "METADATA_ONLY" else answer

    def list_state_machines(self, request: Request) -> Answer:
        items = [
            {
                "stateMachineArn": machine.arn,
                "name": machine.name,
                "type": machine.type,
                "creationDate": _seconds(machine.created_at),
            }
            for machine in sorted(self.machines.values(), key=lambda machine: machine.name)
        ]
        return _page("stateMachines", items, request)

    def validate_state_machine_definition(self, request: Request) -> Answer:
        found = self.engine.parse(request["definition"]).diagnostics
        most = request.get("maxResults") or PAGE
        return {
            "result": "FAIL" if found else "OK",
            "diagnostics": [
                {
                    "severity": "ERROR",
                    "code": flaw.code,
                    "message": flaw.message,
                    "location": flaw.location or "/",
                }
                for flaw in found[:most]
            ],
            "truncated": len(found) > most,
        }

    def publish_state_machine_version(self, request: Request) -> Answer:
        machine = self._machine(request["stateMachineArn"])
        wanted = request.get("revisionId")
        if wanted is not None and wanted != (machine.revision.id or "INITIAL"):
            raise ApiError("ConflictException", f"The revision of {machine.arn} is no longer {wanted}")
        with self._lock:
            version = machine.publish(request.get("description"))
        return {"stateMachineVersionArn": version.arn, "creationDate": _seconds(version.created_at)}

    def list_state_machine_versions(self, request: Request) -> Answer:
        machine = self._machine(request["stateMachineArn"])
        items = [
            {"stateMachineVersionArn": version.arn, "creationDate": _seconds(version.created_at)}
            for _, version in sorted(machine.versions.items(), reverse=True)
        ]
        return _page("stateMachineVersions", items, request)

    def delete_state_machine_version(self, request: Request) -> Answer:
        arn = _arn(request["stateMachineVersionArn"], "stateMachine")
        machine = self.machines.get(arn.machine)
        if machine is not None and (arn.qualifier or "").isdecimal():
            machine.versions.pop(int(arn.qualifier or 0), None)
        return {}

    def start_execution(self, request: Request) -> Answer:
        execution = self._start(request, self._executable(request["stateMachineArn"]))
        return {"executionArn": execution.order.arn, "startDate": _seconds(execution.started_at)}

    def start_sync_execution(self, request: Request) -> Answer:
        machine, version, case = self._executable(request["stateMachineArn"])
        if machine.type != "EXPRESS":
            raise ApiError(
                "StateMachineTypeNotSupported",
                "This operation is not supported by this type of state machine",
            )
        execution = self._start(request, (machine, version, case))
        execution.ended.wait()
        answer = {
            "executionArn": execution.order.arn,
            "stateMachineArn": machine.arn,
            "name": execution.order.name,
            "startDate": _seconds(execution.started_at),
            "stopDate": _seconds(execution.stopped_at),
            "status": "FAILED" if execution.status == "ABORTED" else execution.status,
            "input": execution.order.input,
            "inputDetails": {"included": True},
            "error": execution.error,
            "cause": execution.cause,
        }
        return _present({**answer, **_output(execution)})

    def stop_execution(self, request: Request) -> Answer:
        execution = self._execution(request["executionArn"])
        return {"stopDate": _seconds(execution.stop(request.get("error"), request.get("cause")))}

    def redrive_execution(self, request: Request) -> Answer:
        execution = self._execution(request["executionArn"])
        try:
            redriven_at = execution.redrive(request.get("clientToken"), self.engine.now())
        except NotRedrivable as refusal:
            raise ApiError("ExecutionNotRedrivable", str(refusal)) from refusal
        return {"redriveDate": _seconds(redriven_at)}

    def describe_execution(self, request: Request) -> Answer:
        with self._execution(request["executionArn"]).still() as execution:
            shown = _present({**self._told(execution), **_output(execution)})
        if request.get("includedData") == "METADATA_ONLY":
            return _without(shown, "input", "output", "inputDetails", "outputDetails", "error", "cause")
        return shown

    def _told(self, execution: Execution) -> Answer:
        refusal = execution.redrive_refusal(self.engine.now())
        return {
            **_listed(execution),
            "input": execution.order.input,
            "inputDetails": {"included": True},
            "traceHeader": execution.order.trace_header,
            "error": execution.error,
            "cause": execution.cause,
            "redriveStatus": "REDRIVABLE" if refusal is None else "NOT_REDRIVABLE",
            "redriveStatusReason": refusal,
        }

    def describe_state_machine_for_execution(self, request: Request) -> Answer:
        order = self._execution(request["executionArn"]).order
        machine = self.machines[order.machine_arn]
        return _present(
            {
                "stateMachineArn": order.machine_arn,
                "name": order.machine_name,
                "definition": order.definition,
                "roleArn": order.role,
                "updateDate": _seconds(machine.revision.updated_at),
                "loggingConfiguration": machine.revision.logging,
                "tracingConfiguration": machine.revision.tracing,
                "encryptionConfiguration": machine.revision.encryption,
            }
        )

    def list_executions(self, request: Request) -> Answer:
        """Newest first."""
        if request.get("mapRunArn"):
            raise InvalidRequest("The embedded Step Functions has no Map Runs; name a state machine")
        if not request.get("stateMachineArn"):
            raise InvalidRequest("Either stateMachineArn or mapRunArn must be specified")
        machine, version = self._machine_and_version(request["stateMachineArn"])
        wanted, redriven = request.get("statusFilter"), request.get("redriveFilter")
        items = []
        for one in sorted(self.executions.values(), key=lambda execution: execution.started_at, reverse=True):
            with one.still() as execution:
                if (
                    execution.order.machine_arn == machine.arn
                    and (version is None or execution.order.version_arn == version.arn)
                    and (wanted is None or execution.status == wanted)
                    and (redriven is None or (execution.redrives > 0) == (redriven == "REDRIVEN"))
                ):
                    items.append(_present(_listed(execution)))
        return _page("executions", items, request)

    def get_execution_history(self, request: Request) -> Answer:
        """A page of events. The token keeps the history's length, so that new events do not shift what follows."""
        execution = self._execution(request["executionArn"])
        token = _read_token(request.get("nextToken"))
        start, until = token if token else (0, len(execution.history))
        count = request.get("maxResults") or PAGE
        newest_first = bool(request.get("reverseOrder"))
        if not newest_first:
            until = len(execution.history)
        events = execution.history.part(start, count, newest_first=newest_first, until=until)
        with_data = request.get("includeExecutionData") is not False
        answer: Answer = {"events": [_event(event, with_data) for event in events]}
        if start + count < until:
            answer["nextToken"] = _token(start + count, until)
        return answer

    def tag_resource(self, request: Request) -> Answer:
        tags = self._tags_of(request["resourceArn"])
        merged = {**tags, **_tags(request["tags"])}
        if len(merged) > MOST_TAGS:
            raise ApiError("TooManyTags", f"'{request['resourceArn']}' would have more than {MOST_TAGS} tags")
        tags.update(merged)
        return {}

    def untag_resource(self, request: Request) -> Answer:
        tags = self._tags_of(request["resourceArn"])
        for key in request["tagKeys"]:
            tags.pop(key, None)
        return {}

    def list_tags_for_resource(self, request: Request) -> Answer:
        return {"tags": [{"key": key, "value": value} for key, value in self._tags_of(request["resourceArn"]).items()]}

    def send_task_success(self, request: Request) -> Answer:
        try:
            json.loads(request["output"])
        except ValueError as error:
            raise ApiError("InvalidOutput", f"Invalid Output: 'The output is not JSON: {error}'") from error
        token = request["taskToken"]
        return self._answer(token, CallbackOutcomeSuccess(callback_id=token, output=request["output"]))

    def send_task_failure(self, request: Request) -> Answer:
        token = request["taskToken"]
        outcome = CallbackOutcomeFailure(callback_id=token, error=request.get("error"), cause=request.get("cause"))
        return self._answer(token, outcome)

    def send_task_heartbeat(self, request: Request) -> Answer:
        execution = self._execution_of(request["taskToken"])
        if execution is None or not execution.hear_heartbeat(request["taskToken"]):
            raise _task_gone()
        return {}

    def _machine(self, text: str) -> Machine:
        return self._machine_and_version(text)[0]

    def _machine_and_version(self, text: str) -> tuple[Machine, Version | None]:
        arn = _arn(text, "stateMachine")
        machine = self.machines.get(arn.machine)
        version = None
        if machine is not None and arn.qualifier is not None:
            version = machine.versions.get(int(arn.qualifier)) if arn.qualifier.isdecimal() else None
        if machine is None or (arn.qualifier is not None and version is None):
            raise ApiError("StateMachineDoesNotExist", f"State Machine Does Not Exist: '{text}'")
        return machine, version

    def _executable(self, text: str) -> tuple[Machine, Version | None, str | None]:
        return (*self._machine_and_version(text), _arn(text, "stateMachine").case)

    def _execution(self, text: str) -> Execution:
        _arn(text, "execution", "express")
        try:
            return self.executions[text]
        except KeyError:
            raise ApiError("ExecutionDoesNotExist", f"Execution Does Not Exist: '{text}'") from None

    def _program(self, definition: str) -> Program:
        parsed = self.engine.parse(definition)
        if parsed.program is None:
            told = ", ".join(str(flaw) for flaw in parsed.diagnostics)
            raise ApiError("InvalidDefinition", f"Invalid State Machine Definition: '{told}'")
        return parsed.program

    def _start(self, request: Request, target: tuple[Machine, Version | None, str | None]) -> Execution:
        """The execution that was started, or the running one of the same name and input."""
        machine, version, case = target
        name = _valid_name(request["name"]) if request.get("name") is not None else str(uuid.uuid4())
        given: str = "{}" if request.get("input") is None else request["input"]
        _check_input(given)
        kind = "execution" if machine.type == "STANDARD" else "express"
        arn = f"{machine.arn.replace(':stateMachine:', f':{kind}:')}:{name}"
        if kind == "express":
            arn += f":{uuid.uuid4()}"
        revision = version.revision if version else machine.revision
        program = self._program(revision.definition)
        try:
            mocks = self.engine.mocked_case(machine.name, case) if case else None
        except InvalidMock as error:
            raise InvalidRequest(str(error)) from error
        with self._lock:
            known = self.executions.get(arn)
            if known is not None:
                if known.status == RUNNING and known.order.input == given:
                    return known
                raise ApiError("ExecutionAlreadyExists", f"Execution Already Exists: '{arn}'")
            execution = self.executions[arn] = Execution(
                Order(
                    arn=arn,
                    name=name,
                    machine_arn=machine.arn,
                    machine_name=machine.name,
                    version_arn=version.arn if version else None,
                    definition=revision.definition,
                    role=revision.role,
                    account=self.account,
                    region=self.region,
                    input=given,
                    trace_header=request.get("traceHeader"),
                ),
                program,
                time_scale=self.engine.time_scale,
                mocks=mocks,
                on_status=self.engine.on_status,
                dies_at=self.engine.dies_at,
            )
            execution.start()
        return execution

    def _answer(self, token: str, outcome: CallbackOutcome) -> Answer:
        execution = self._execution_of(token)
        if execution is None or not execution.answer(token, outcome):
            raise _task_gone()
        return {}

    def _execution_of(self, token: str) -> Execution | None:
        try:
            return self.executions.get(tokens.execution_of(token))
        except tokens.InvalidToken:
            raise ApiError("InvalidToken", "Invalid Token: 'Invalid token'") from None

    def _tags_of(self, text: str) -> dict[str, str]:
        _arn(text, "stateMachine")
        if text not in self.machines:
            raise ApiError("ResourceNotFound", f"Resource not found: '{text}'")
        return self.tags.setdefault(text, {})


def _arn(text: str, *kinds: str) -> arns.Arn:
    try:
        return arns.parse(text, *kinds)
    except arns.InvalidArn as error:
        raise ApiError("InvalidArn", str(error)) from error


def _task_gone() -> ApiError:
    return ApiError("TaskTimedOut", "Task Timed Out: 'Provided task does not exist anymore'")


def _valid_name(name: str) -> str:
    if not name or len(name) > NAME_LENGTH or FORBIDDEN_IN_NAMES.search(name):
        raise ApiError("InvalidName", f"Invalid Name: '{name}'")
    return name


def _valid_role(arn: str) -> str:
    if not re.fullmatch(r"arn:aws[a-z-]*:iam::\d{12}:role/.+", arn):
        raise ApiError("InvalidArn", f"Invalid Role Arn: '{arn}'")
    return arn


def _check_input(text: str) -> None:
    if len(text.encode()) > INPUT_BYTES:
        raise InvalidRequest(
            "1 validation error detected: Value at 'input' failed to satisfy constraint: "
            f"Member must have length less than or equal to {INPUT_BYTES}"
        )
    try:
        json.loads(text)
    except ValueError as error:
        raise ApiError("InvalidExecutionInput", f"Invalid State Machine Execution Input: '{error}'") from error


def _check_logging(logging: Mapping[str, Any] | None) -> None:
    if logging and logging.get("level", "OFF") != "OFF" and not logging.get("destinations"):
        raise ApiError(
            "InvalidLoggingConfiguration",
            "Invalid Logging Configuration: Must specify exactly one Log Destination.",
        )


def _same(machine: Machine, kind: str, revision: Revision) -> bool:
    """CreateStateMachine may be repeated: its idempotency check covers these fields (API reference)."""
    old = machine.revision
    return machine.type == kind and all(
        getattr(old, name) == getattr(revision, name) for name in ("definition", "logging", "tracing", "encryption")
    )


def _tags(tags: Sequence[Mapping[str, str]] | None) -> dict[str, str]:
    return {tag["key"]: tag.get("value", "") for tag in tags or ()}


def _seconds(moment: dt.datetime | None) -> float | None:
    return None if moment is None else round(moment.timestamp(), 3)


def _present(answer: Answer) -> Answer:
    return {name: value for name, value in answer.items() if value is not None}


def _without(answer: Answer, *names: str) -> Answer:
    return {name: value for name, value in answer.items() if name not in names}


def _listed(execution: Execution) -> Answer:
    order = execution.order
    return {
        "executionArn": order.arn,
        "stateMachineArn": order.machine_arn,
        "stateMachineVersionArn": order.version_arn,
        "name": order.name,
        "status": execution.status,
        "startDate": _seconds(execution.started_at),
        "stopDate": _seconds(execution.stopped_at),
        "redriveCount": execution.redrives,
        "redriveDate": _seconds(execution.redriven_at),
    }


def _output(execution: Execution) -> Answer:
    if execution.status != SUCCEEDED:
        return {}
    return {"output": execution.output, "outputDetails": {"included": True}}


def _event(event: Mapping[str, Any], with_data: bool) -> Answer:
    told = {**event, "timestamp": _seconds(event["timestamp"])}
    if with_data:
        return told
    hidden = ("input", "output", "inputDetails", "outputDetails", "parameters", "error", "cause")
    return {name: _without(part, *hidden) if isinstance(part, dict) else part for name, part in told.items()}


def _page(name: str, items: Sequence[Answer], request: Request) -> Answer:
    token = _read_token(request.get("nextToken"))
    start = token[0] if token else 0
    count = request.get("maxResults") or PAGE
    answer: Answer = {name: list(items[start : start + count])}
    if start + count < len(items):
        answer["nextToken"] = _token(start + count, len(items))
    return answer


def _token(start: int, until: int) -> str:
    return base64.urlsafe_b64encode(f"{start}/{until}".encode()).decode()


def _read_token(token: str | None) -> tuple[int, int] | None:
    if token is None:
        return None
    try:
        start, until = base64.urlsafe_b64decode(token).decode().split("/")
        return int(start), int(until)
    except (ValueError, binascii.Error) as error:
        raise ApiError("InvalidToken", f"Invalid Token: '{token}'") from error
