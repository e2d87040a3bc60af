"""Strings of a definition: each is a JSON string, so `\\u003c` is `<`, wherever in the definition it stands."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from millrace.local.anchors import patch
from millrace.local.states.interpreter import (
    IntrinsicParser,
    IntrinsicPreprocessor,
    Preprocessor,
    StringIntrinsicFunction,
    antlr4utils,
)
from millrace.local.states.mends.everywhere import patch_everywhere


def apply() -> None:
    patch(Preprocessor, "_inner_string_of", lambda _: staticmethod(text_of), "inner_str = inner_str[1:-1]")
    patch_everywhere(antlr4utils, "from_string_literal", lambda _: text_of, "ast.literal_eval(")
    patch(Preprocessor, "visitString_intrinsic_function", lambda _: read_function, "IntrinsicParser.parse(")
    patch(
        IntrinsicPreprocessor,
        "_replace_escaped_characters",
        unescaped,
        "match.group(1)",
        "return match.group(0)",
    )


def text_of(parser_rule_context: Any) -> str | None:
    text = parser_rule_context.getText()
    if text == "null":
        return None
    return decoded(text) if text.startswith('"') else str(text)


def decoded(literal: str) -> str:
    return str(json.loads(literal))


def read_function(self: Preprocessor, ctx: Any) -> StringIntrinsicFunction:  # noqa: ARG001
    text = decoded(ctx.STRINGINTRINSICFUNC().getText())
    function, _ = IntrinsicParser.parse(text)
    return StringIntrinsicFunction(intrinsic_function_derivation=text, function=function)


def unescaped(replace: Callable[[Any], str]) -> Any:
    r"""In a function's string, `\'` is a quote. `\{` and `\}` stay as they are: States.Format reads them."""

    def replace_one(match: Any) -> str:
        return "'" if match.group(1) == "'" else replace(match)

    return staticmethod(replace_one)
