"""Choice: a variable that is not there fails the execution, and so does an input that no rule matches."""

from __future__ import annotations

from typing import Any

from millrace.local.anchors import hold, patch
from millrace.local.states import paths
from millrace.local.states.comparisons import compare
from millrace.local.states.frames import Frame
from millrace.local.states.interpreter import (
    ComparisonFuncStringVariableSample,
    ComparisonFuncValue,
    ComparisonOperatorType,
    ComparisonVariable,
    NoSuchJsonPathError,
    StateChoice,
)
from millrace.local.states.matching import NO_CHOICE_MATCHED, RUNTIME
from millrace.local.states.mends.failures import failure


def apply() -> None:
    hold(ComparisonFuncValue, "_eval_body", "OperatorFactory.get(self.operator_type)", "value=self.value")
    hold(ComparisonFuncStringVariableSample, "_eval_body", "self.string_variable_sample.eval(env=env)")
    patch(
        ComparisonVariable,
        "_eval_body",
        lambda _: eval_comparison,
        "variable.eval(env)",
        "comparison_function.eval(env)",
    )
    patch(
        StateChoice,
        "_eval_state",
        lambda _: eval_choice,
        "self.choices_decl.rules",
        "No branching option reached",
    )


def eval_comparison(self: ComparisonVariable, env: Frame) -> None:
    function = self.comparison_function
    operator = function.operator_type
    try:
        value = _sample(self.variable.string_sampler, env)
    except NoSuchJsonPathError:
        if operator is ComparisonOperatorType.IsPresent:
            env.stack.append(function.value is False)
            return
        raise _invalid(env, self.variable.string_sampler.literal_value) from None
    if operator is ComparisonOperatorType.IsPresent:
        env.stack.append(function.value is True)
        return
    wanted = function.value
    if isinstance(function, ComparisonFuncStringVariableSample):
        wanted = _sample(function.string_variable_sample, env)
    elif operator.name.endswith("Path"):
        wanted = _at(function.value, env)
    env.stack.append(compare(operator.name, value, wanted))


def _sample(sampler: Any, env: Frame) -> Any:
    sampler.eval(env=env)
    return env.stack.pop()


def _at(path: str, env: Frame) -> Any:
    document, own = (env.context, path[1:]) if path.startswith("$$") else (env.stack[-1], path)
    try:
        return paths.read(own, document)
    except paths.NoSuchPath:
        raise _invalid(env, path) from None


def _invalid(env: Frame, path: str) -> Exception:
    cause = f"Invalid path '{path}': The choice state's condition path references an invalid value."
    return failure(env, RUNTIME, cause)


def eval_choice(self: StateChoice, env: Frame) -> None:
    for rule in self.choices_decl.rules:
        rule.eval(env)
        if env.stack.pop() is True:
            env.stack.append(rule.next_stmt.name)
            return
    if self.default_state is None:
        raise failure(
            env,
            NO_CHOICE_MATCHED,
            f"No choice of the state {self.name} matched its input, and it has no Default",
        )
    env.stack.append(self.default_state.state_name)
