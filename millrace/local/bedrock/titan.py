"""InvokeModel of Amazon Titan Text Embeddings V2: vectors without a model.

A vector is made of the text's words and of the letters they share with others, each hashed to a dimension: texts that
share words or parts of words are near, and the same text has the same vector everywhere. What words mean, it does not
know. Errors are worded as the model's are."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import math
import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

from millrace.local.bedrock.bases import not_emulated
from millrace.local.emulated import ApiError, Operation
from millrace.local.pace import Gate

MODEL = "amazon.titan-embed-text-v2:0"

# User guide, "Amazon Titan Embeddings Text" and "Amazon Titan Text Embeddings models".
DIMENSIONS = (1024, 512, 256)
TYPES = ("float", "binary")
CHARACTERS = 50_000
TOKENS = 8_192

# The tokenizer is not published; for English text a token is about five characters.
TOKEN_CHARACTERS = 5

WORD_WEIGHT = 1.0
LETTERS_WEIGHT = 0.5
WHOLE_WEIGHT = 0.1
"""So that two texts of the same words differ, and no text has a vector of zeros."""

JSON = "application/json"


class Titan:
    """`scope` tells the region and account of the running request."""

    def __init__(self, gate: Gate, scope: Callable[[], tuple[str, str]]) -> None:
        self._gate = gate
        self._scope = scope

    def operations(self) -> dict[str, Operation]:
        return {"InvokeModel": self.invoke}

    def invoke(self, request: dict[str, Any]) -> dict[str, Any]:
        region, _ = self._scope()
        self._gate.enter(region, "InvokeModel")
        if request["modelId"] != MODEL:
            raise not_emulated(f"the model {request['modelId']}; it has {MODEL}")
        for header in ("Content-Type", "Accept"):
            if request.get(header, JSON) not in (JSON, "*/*"):
                raise ApiError("ValidationException", f"The {header} {request[header]} is not supported by the model")
        answer = embedded(_asked(request.get("body", "")))
        return {"body": base64.b64encode(json.dumps(answer).encode()).decode(), "Content-Type": JSON}


def embedded(asked: dict[str, Any]) -> dict[str, Any]:
    """The model's answer to a request's body. Raises ApiError (ValidationException)."""
    _check(asked)
    text = asked["inputText"]
    count = tokens(text)
    if count > TOKENS:
        told = f"Too many input tokens. Max input tokens: {TOKENS}, request input token count: {count} "
        raise ApiError("ValidationException", f"400 Bad Request: {told}")
    numbers = vector(text, asked.get("dimensions", DIMENSIONS[0]), normalize=asked.get("normalize", True))
    kinds = {"float": lambda: numbers, "binary": lambda: [int(number > 0) for number in numbers]}
    types = asked.get("embeddingTypes", ["float"])
    return {
        "embedding": numbers,
        "embeddingsByType": {kind: kinds[kind]() for kind in types},
        "inputTextTokenCount": count,
    }


def tokens(text: str) -> int:
    """How many tokens a text counts as."""
    words = (math.ceil(len(word) / TOKEN_CHARACTERS) for word in re.findall(r"\w+", text))
    return sum(words) + len(re.findall(r"[^\w\s]", text))


def vector(text: str, dimensions: int, *, normalize: bool) -> list[float]:
    """The text's vector; normalized, its length is 1."""
    numbers = [0.0] * dimensions
    for feature, weight in _features(text.lower()):
        place, sign = _place(feature)
        numbers[place % dimensions] += sign * weight
    length = math.sqrt(math.fsum(number * number for number in numbers)) if normalize else 1.0
    return [number / length for number in numbers]


def _features(text: str) -> Iterator[tuple[str, float]]:
    for word in re.findall(r"\w+", text):
        yield word, WORD_WEIGHT
        framed = f"<{word}>"
        for first in range(len(framed) - 2):
            yield framed[first : first + 3], LETTERS_WEIGHT
    yield f"\x00{text}", WHOLE_WEIGHT


@lru_cache(100_000)
def _place(feature: str) -> tuple[int, int]:
    """A dimension, before it is brought into the vector's range, and a sign."""
    number = int.from_bytes(hashlib.blake2b(feature.encode("utf-8", "replace"), digest_size=8).digest())
    return number >> 1, 1 if number & 1 else -1


def _asked(body: str) -> dict[str, Any]:
    try:
        found = json.loads(base64.b64decode(body, validate=True))
    except (ValueError, RecursionError, binascii.Error):
        raise _malformed("#: the body is not valid JSON") from None
    if not isinstance(found, dict):
        raise _malformed(f"#: expected type: JSONObject, found: {type(found).__name__}")
    return found


def _check(asked: dict[str, Any]) -> None:
    if unknown := asked.keys() - {"inputText", "dimensions", "normalize", "embeddingTypes"}:
        raise _malformed(f"#: extraneous key [{min(unknown)}] is not permitted")
    if "inputText" not in asked:
        raise _malformed("#: required key [inputText] not found")
    text = asked["inputText"]
    if not isinstance(text, str):
        raise _malformed(f"#/inputText: expected type: String, found: {type(text).__name__}")
    if not text:
        raise _malformed("#/inputText: expected minLength: 1, actual: 0")
    if len(text) > CHARACTERS:
        raise _malformed(f"#/inputText: expected maxLength: {CHARACTERS}, actual: {len(text)}")
    dimensions = asked.get("dimensions", DIMENSIONS[0])
    if isinstance(dimensions, bool) or dimensions not in DIMENSIONS:
        raise _malformed(f"#/dimensions: {json.dumps(dimensions)} is not a valid enum value")
    if not isinstance(asked.get("normalize", True), bool):
        raise _malformed("#/normalize: expected type: Boolean")
    types = asked.get("embeddingTypes", ["float"])
    if not isinstance(types, list) or not types or any(kind not in TYPES for kind in types):
        raise _malformed(f"#/embeddingTypes: {json.dumps(types)} is not a list of {' and '.join(TYPES)}")


def _malformed(what: str) -> ApiError:
    return ApiError(
        "ValidationException", f"Malformed input request: {what}, please reformat your input and try again."
    )
