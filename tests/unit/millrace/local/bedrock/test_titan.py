from __future__ import annotations

import base64
import json
import math
from typing import Any

import pytest

from millrace.local.bedrock import titan
from millrace.local.emulated import ApiError
from tests.unit.millrace.local.bedrock.world import World

PLACES_OF_TOTAL = {61, 81, 87, 122, 178, 229, 248}


@pytest.fixture
def world(tmp_path) -> World:
    return World(tmp_path)


def invoke(world: World, body: Any, model: str = titan.MODEL, **headers: str) -> dict[str, Any]:
    text = body if isinstance(body, str) else json.dumps(body)
    request = {"modelId": model, "body": base64.b64encode(text.encode()).decode(), **headers}
    answer = world.bedrock.runtime().perform("InvokeModel", request)
    assert answer["Content-Type"] == "application/json"
    return json.loads(base64.b64decode(answer["body"]))


def refusal(world: World, body: Any, **more: Any) -> str:
    with pytest.raises(ApiError) as raised:
        invoke(world, body, **more)
    assert raised.value.code == "ValidationException"
    return raised.value.message


def near(one: str, other: str) -> float:
    pair = (titan.vector(text, 512, normalize=True) for text in (one, other))
    return sum(a * b for a, b in zip(*pair, strict=True))


@pytest.mark.parametrize("dimensions", titan.DIMENSIONS)
def test_a_vector_has_the_dimensions_that_are_asked_for_and_the_length_of_one(world, dimensions):
    answer = invoke(world, {"inputText": "TOTAL 12.50", "dimensions": dimensions})
    assert len(answer["embedding"]) == dimensions
    assert math.isclose(math.hypot(*answer["embedding"]), 1)
    assert answer["embeddingsByType"] == {"float": answer["embedding"]}


def test_defaults_are_the_models_own(world):
    answer = invoke(world, {"inputText": "TOTAL"})
    assert len(answer["embedding"]) == 1024
    assert math.isclose(math.hypot(*answer["embedding"]), 1)


def test_a_vector_can_be_had_as_it_is_and_as_bits(world):
    asked = {"inputText": "TOTAL 12.50", "dimensions": 256, "normalize": False, "embeddingTypes": ["binary"]}
    answer = invoke(world, asked)
    assert math.hypot(*answer["embedding"]) > 1.5
    bits = [int(number > 0) for number in answer["embedding"]]
    assert answer["embeddingsByType"] == {"binary": bits}


def test_the_same_text_has_the_same_vector_everywhere():
    numbers = titan.vector("total", 256, normalize=True)
    assert {place for place, number in enumerate(numbers) if number} == PLACES_OF_TOTAL


def test_texts_that_share_words_or_letters_are_near():
    assert near("TOTAL 12.50", "total 12.50") == pytest.approx(1)
    shared, inflected, other = (near("grand total", text) for text in ("total due", "totals", "parking garage"))
    assert shared > 0.3
    assert inflected > 0.2
    assert abs(other) < 0.15
    assert near("one two", "two one") < 1


def test_every_text_has_a_vector_of_finite_numbers():
    for text in (" ", "!!!", "\x00", "\ud800", "你好", "a" * 50_000):
        assert math.isclose(math.hypot(*titan.vector(text, 256, normalize=True)), 1)


def test_tokens_are_counted_and_limited(world):
    assert invoke(world, {"inputText": "Grand total: 12.50"})["inputTextTokenCount"] == 6
    told = "400 Bad Request: Too many input tokens. Max input tokens: 8192, request input token count: 8193 "
    assert refusal(world, {"inputText": "a " * 8193}) == told
    assert refusal(world, {"inputText": "a" * 50_001}).startswith(
        "Malformed input request: #/inputText: expected maxLength: 50000, actual: 50001"
    )


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("{", "#: the body is not valid JSON"),
        ("[" * 100_000, "#: the body is not valid JSON"),
        ([], "#: expected type: JSONObject"),
        ({}, "#: required key [inputText] not found"),
        ({"inputText": "a", "text": "a"}, "#: extraneous key [text] is not permitted"),
        ({"inputText": 1}, "#/inputText: expected type: String"),
        ({"inputText": ""}, "#/inputText: expected minLength: 1, actual: 0"),
        ({"inputText": "a", "dimensions": 300}, "#/dimensions: 300 is not a valid enum value"),
        ({"inputText": "a", "dimensions": None}, "#/dimensions: null is not a valid enum value"),
        ({"inputText": "a", "normalize": 1}, "#/normalize: expected type: Boolean"),
        ({"inputText": "a", "embeddingTypes": ["int8"]}, '#/embeddingTypes: ["int8"]'),
        ({"inputText": "a", "embeddingTypes": [["float"]]}, "#/embeddingTypes"),
    ],
)
def test_a_body_that_the_model_does_not_take_is_refused_in_its_words(world, body, said):
    assert refusal(world, body).startswith(f"Malformed input request: {said}")


def test_another_model_is_refused_by_name(world):
    assert "amazon.titan-embed-text-v1" in refusal(world, {"inputText": "a"}, model="amazon.titan-embed-text-v1")
    assert "text/plain" in refusal(world, {"inputText": "a"}, **{"Content-Type": "text/plain"})


def test_invocations_of_a_region_have_a_pace_of_their_own(world):
    world.bedrock.set_pace({"invocations_per_second": 2})
    invoke(world, {"inputText": "a"})
    invoke(world, {"inputText": "a"})
    with pytest.raises(ApiError) as raised:
        invoke(world, {"inputText": "a"})
    assert raised.value.code == "ThrottlingException"
    world.region = "eu-west-1"
    invoke(world, {"inputText": "a"})
    world.now += 1
    world.region = "us-east-1"
    invoke(world, {"inputText": "a"})
    assert world.bedrock.statistics()["regions"]["us-east-1"]["InvokeModel"]["throttled"] == 1
