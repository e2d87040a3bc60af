"""Values: JSONPath, ResultPath, JSON text and its size, intrinsic functions, JSONata."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import jsonata
from ministack.services import stepfunctions as substrate

from millrace.local.anchors import hold, patch
from millrace.local.states import paths
from millrace.local.states.frames import Frame, Halted
from millrace.local.states.interpreter import (
    FailureEventException,
    JsonToString,
    ResultPath,
    StringFormat,
    StringIntrinsicFunction,
    encoding,
    json_path,
    jsonata_functions,
    jsonata_language,
    quotas,
)
from millrace.local.states.matching import INTRINSIC_FAILURE, RESULT_PATH_MATCH_FAILURE
from millrace.local.states.mends.everywhere import patch_everywhere
from millrace.local.states.mends.failures import failure
from millrace.local.states.shapes import json_text

STATE_BYTES = 262_144
"""The size of a state's input or output, in bytes of UTF-8 (Step Functions quotas)."""


def apply() -> None:
    patch_everywhere(
        json_path, "extract_json", lambda _: extract, "input_expr.find(data)", "raise NoSuchJsonPathError("
    )
    patch_everywhere(encoding, "to_json_str", lambda _: to_json_text, "json.dumps(obj, cls=_DateTimeEncoder")
    patch_everywhere(quotas, "is_within_size_quota", lambda _: fits, "len_item_bytes < MAX_STATE_SIZE_UTF8_BYTES")
    patch(ResultPath, "_eval_body", lambda _: put_result, "update_or_create(", "self.result_path_src is None")
    patch(StringIntrinsicFunction, "_eval_body", guarded, "self.function.eval(env=env)")
    patch(JsonToString, "_eval_body", lambda _: json_to_string, "json.dumps(json_obj")
    patch(StringFormat, "_eval_body", lambda _: format_string, "string_format.format(*values_str_repr)")
    patch_everywhere(
        jsonata_language,
        "eval_jsonata_expression",
        lambda _: evaluate_jsonata,
        "return _eval_jsonata(jsonata_expression)",
    )
    patch_everywhere(
        jsonata_functions,
        "get_intrinsic_functions_declarations",
        lambda _: no_declarations,
        "declarations.append(",
    )


def extract(path: str, document: Any) -> Any:
    try:
        return paths.read(path, document)
    except (paths.NoSuchPath, paths.InvalidPath) as error:
        raise json_path.NoSuchJsonPathError(json_path=path, data=document) from error


def to_json_text(value: Any, separators: tuple[str, str] | None = None) -> str:  # noqa: ARG001
    return json_text(value)


def fits(value: Any) -> bool:
    """Whether a state's input or output is within the limit: its JSON text counts, without the quotes of a string."""
    return len((value if isinstance(value, str) else json_text(value)).encode()) <= STATE_BYTES


def put_result(self: ResultPath, env: Frame) -> None:
    given = env.states.get_input()
    if self.result_path_src is None:
        env.stack.clear()
        env.stack.append(given)
        return
    result = env.stack.pop()
    try:
        env.stack.append(paths.place(self.result_path_src, given, result))
    except (paths.NoSuchPath, paths.InvalidPath) as error:
        cause = f"Unable to apply ReferencePath {self.result_path_src} to input {json_text(given)}: {error}"
        raise failure(env, RESULT_PATH_MATCH_FAILURE, cause) from error


def guarded(evaluate: Callable[[StringIntrinsicFunction, Frame], None]) -> Any:
    """An intrinsic function that fails is States.IntrinsicFailure; a path that finds nothing keeps its own error."""

    def guard(self: StringIntrinsicFunction, env: Frame) -> None:
        try:
            evaluate(self, env)
        except (FailureEventException, Halted, json_path.NoSuchJsonPathError):
            raise
        except Exception as error:
            cause = f"The function {self.intrinsic_function_derivation} failed: {error}"
            raise failure(env, INTRINSIC_FAILURE, cause) from error

    return guard


def json_to_string(self: JsonToString, env: Frame) -> None:
    self.argument_list.eval(env=env)
    env.stack.append(json_text(env.stack.pop()[0]))


def format_string(self: StringFormat, env: Frame) -> None:
    self.argument_list.eval(env=env)
    template, *values = env.stack.pop()
    env.stack.append(fill(template, [StringFormat._to_str_repr(value) for value in values]))


def fill(template: str, values: Sequence[str]) -> str:
    r"""States.Format: each `{}` takes the next value; `\{` and `\}` are braces. Raises ValueError if the
    counts differ.
    """
    places = len(re.findall(r"(?<!\\)\{\}", template))
    if places != len(values):
        raise ValueError(f"the template has {places} places, and {len(values)} values were given")
    following = iter(values)
    filled = re.sub(r"(?<!\\)\{\}", lambda _: next(following), template)
    return filled.replace(r"\{", "{").replace(r"\}", "}")


register_jsonata_functions = hold(substrate, "_register_sfn_jsonata_functions", "parse", "uuid", "hash")


def no_declarations(variable_references: set[str]) -> str:  # noqa: ARG001
    """`evaluate_jsonata` has Step Functions' functions itself."""
    return ""


def evaluate_jsonata(expression: str) -> Any:
    try:
        compiled = jsonata.Jsonata(expression)
        register_jsonata_functions(compiled)
        return compiled.evaluate(None)
    except Exception as error:
        raise jsonata_language.JSONataException("UNKNOWN", str(error)) from error
