"""What an AWS API takes and gives, by botocore's model of it: a fake that asks here allows nothing that the service
does not have."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import botocore.session
from botocore.exceptions import ParamValidationError
from botocore.validate import ParamValidator

from tests.fakes.s3 import client_error


@cache
def service_model(service: str) -> Any:
    """botocore's model of a service."""
    return botocore.session.get_session().get_service_model(service)


def check_parameters(service: str, operation: str, parameters: dict[str, Any]) -> None:
    """Raise what the SDK raises, which checks little."""
    problems = ParamValidator().validate(parameters, service_model(service).operation_model(operation).input_shape)
    if problems.has_errors():
        raise ParamValidationError(report=problems.generate_report())


def check_request(service: str, operation: str, parameters: dict[str, Any]) -> None:
    """Raise what the service raises, which checks all."""
    if problem := violation(parameters, service_model(service).operation_model(operation).input_shape):
        raise client_error(operation, "ValidationException", problem)


def checked_answer(service: str, operation: str, reply: dict[str, Any]) -> dict[str, Any]:
    """The reply, if the service could give it."""
    shape = service_model(service).operation_model(operation).output_shape
    problems = ParamValidator().validate(reply, shape)
    assert not problems.has_errors(), problems.generate_report()
    problem = violation(reply, shape)
    assert problem is None, problem
    return reply


def violation(value: Any, shape: Any) -> str | None:
    """What the service would refuse: unknown names, too much, values outside an enum or a pattern."""
    if shape.type_name == "structure":
        if unknown := set(value) - set(shape.members):
            return f"{shape.name} has no {sorted(unknown)}"
        found = (violation(item, shape.members[name]) for name, item in value.items())
        return next((problem for problem in found if problem), None)
    if shape.type_name in ("list", "string", "blob") and len(value) > shape.metadata.get("max", float("inf")):
        return f"{shape.name} has length {len(value)}; at most {shape.metadata['max']}"
    if shape.type_name == "list":
        found = (violation(item, shape.member) for item in value)
        return next((problem for problem in found if problem), None)
    if getattr(shape, "enum", None) and value not in shape.enum:
        return f"{value} is no {shape.name}: {shape.enum}"
    pattern = shape.metadata.get("pattern", "").replace(r"\P{C}", r"[^\x00-\x1f]")
    if pattern and not re.fullmatch(pattern, value):
        return f"{value!r} is no {shape.name}: {pattern}"
    return None
