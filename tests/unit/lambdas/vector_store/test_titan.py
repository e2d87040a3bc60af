from __future__ import annotations

import threading
import time
from array import array
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from millrace.local.bedrock import titan as embedded_titan
from shared.backoff import Backoff
from shared.clock import SystemClock
from tests.fakes.clock import FakeClock
from tests.fakes.embedding import DIMENSION, FakeBedrock
from tests.fakes.pool import InlinePool
from tests.fakes.s3 import client_error
from vector_store.errors import EmbeddingRefused, StoreUnavailable
from vector_store.titan import Rate, Titan


def quiet() -> None:
    return None


def model(bedrock: Any, clock: FakeClock, *, per_second: float = 100.0, backoff: Backoff | None = None) -> Titan:
    more = {} if backoff is None else {"backoff": backoff}
    rate = Rate(per_second, clock)
    return Titan(bedrock, dimension=DIMENSION, rate=rate, pool=InlinePool(), clock=clock, random=lambda: 1.0, **more)


def trouble(code: str, status: int = 400, message: str = "no") -> Exception:
    return client_error("InvokeModel", code, message, status)


def test_a_text_has_the_vector_that_bedrock_gives() -> None:
    one, other = model(FakeBedrock(), FakeClock()).embed(["Bäckerei", "TOTAL"], quiet)
    assert isinstance(one, bytes)
    expected = embedded_titan.vector("Bäckerei", DIMENSION, normalize=True)
    assert array("f", one).tolist() == pytest.approx(expected, abs=1e-7)
    assert one != other


@pytest.mark.parametrize(
    "error",
    [
        trouble("ThrottlingException", 429),
        trouble("ServiceQuotaExceededException"),
        trouble("ModelNotReadyException", 429),
        trouble("ModelTimeoutException", 408),
        trouble("ModelErrorException", 424),
        trouble("InternalServerException", 500),
        trouble("ServiceUnavailableException", 503),
        trouble("Whatever", 502),
        EndpointConnectionError(endpoint_url="http://bedrock"),
    ],
    ids=lambda error: error.response["Error"]["Code"] if hasattr(error, "response") else "unanswered",
)
def test_what_passes_is_tried_again_after_a_growing_pause(error: Exception) -> None:
    bedrock, clock = FakeBedrock(), FakeClock()
    bedrock.troubles = [error] * 3
    (answer,) = model(bedrock, clock).embed(["TOTAL"], quiet)
    assert isinstance(answer, bytes)
    assert bedrock.calls == 4
    assert clock.slept == pytest.approx(0.2 + 0.4 + 0.8, abs=0.05)


def test_patience_has_an_end() -> None:
    bedrock, clock = FakeBedrock(), FakeClock()
    bedrock.troubles = [trouble("ThrottlingException", 429, "Rate exceeded")] * 100
    with pytest.raises(StoreUnavailable, match="ThrottlingException: Rate exceeded"):
        model(bedrock, clock).embed(["one", "two"], quiet)
    assert bedrock.calls == 12
    assert clock.slept < 80


@pytest.mark.parametrize("code", ["AccessDeniedException", "ResourceNotFoundException", "UnrecognizedClientException"])
def test_what_no_patience_helps_against_ends_at_once(code: str) -> None:
    bedrock = FakeBedrock()
    bedrock.troubles = [trouble(code, 403)]
    with pytest.raises(StoreUnavailable, match=code):
        model(bedrock, FakeClock()).embed(["one", "two"], quiet)
    assert bedrock.calls == 1


def test_a_refused_text_keeps_its_place_and_the_others_go_on() -> None:
    bedrock = FakeBedrock()
    bedrock.refused = {"no"}
    answers = model(bedrock, FakeClock()).embed(["no", "yes", "no"], quiet)
    assert [type(answer) for answer in answers] == [EmbeddingRefused, bytes, EmbeddingRefused]
    assert "Too many input tokens" in str(answers[0])
    assert bedrock.calls == 4, "another text is tried once, before the first refusal is believed"


def test_a_model_that_refuses_every_text_is_not_the_texts_fault() -> None:
    bedrock = FakeBedrock()
    bedrock.troubles = [trouble("ValidationException", 400, "The provided model identifier is invalid.")] * 9
    with pytest.raises(StoreUnavailable, match=r"Bedrock embeds no text: .*identifier is invalid"):
        model(bedrock, FakeClock()).embed(["one", "two"], quiet)
    assert bedrock.calls == 2


@pytest.mark.parametrize(
    "body", [b"{", b"{}", b'{"embedding": null}', b'{"embedding": [1.0]}', b'{"embedding": ["a"]}', b"NaN"]
)
def test_an_answer_without_a_whole_vector_is_not_taken(body: bytes) -> None:
    class Strange:
        def invoke_model(self, **_: Any) -> dict[str, Any]:
            class Body:
                def read(self) -> bytes:
                    return body

            return {"body": Body()}

    with pytest.raises(StoreUnavailable):
        model(Strange(), FakeClock()).embed(["one"], quiet)


def test_numbers_that_are_not_finite_are_not_taken() -> None:
    class Infinite:
        def invoke_model(self, **_: Any) -> dict[str, Any]:
            class Body:
                def read(self) -> bytes:
                    return b'{"embedding": [' + b"0, " * (DIMENSION - 1) + b"1e39]}"

            return {"body": Body()}

    with pytest.raises(StoreUnavailable, match="256 finite numbers"):
        model(Infinite(), FakeClock()).embed(["one"], quiet)


def test_calls_begin_evenly_spaced() -> None:
    clock = FakeClock()
    model(FakeBedrock(), clock, per_second=4).embed([str(number) for number in range(9)], quiet)
    assert clock.now == pytest.approx(2)


def test_what_a_beat_raises_ends_the_work() -> None:
    class Over(Exception):
        pass

    bedrock = FakeBedrock()

    def beat() -> None:
        if bedrock.calls == 2:
            raise Over

    with pytest.raises(Over):
        model(bedrock, FakeClock()).embed(["one", "two", "three", "four"], beat)
    assert bedrock.calls == 2


class SlowBedrock(FakeBedrock):
    """Says how many calls were under way at once, and calls `then` when a call ends."""

    def __init__(self, then: Callable[[str], None] = lambda _: None) -> None:
        super().__init__()
        self._lock = threading.Lock()
        self._then = then
        self.under_way = 0
        self.most = 0

    def invoke_model(self, **request: Any) -> dict[str, Any]:
        with self._lock:
            self.under_way += 1
            self.most = max(self.most, self.under_way)
        try:
            time.sleep(0.01)
            return super().invoke_model(**request)
        finally:
            with self._lock:
                self.under_way -= 1


def test_as_many_calls_are_under_way_as_the_pool_has_threads() -> None:
    bedrock, clock = SlowBedrock(), SystemClock()
    texts = [f"text {number}" for number in range(24)]
    with ThreadPoolExecutor(4) as pool:
        titan = Titan(bedrock, dimension=DIMENSION, rate=Rate(10_000, clock), pool=pool, clock=clock)
        answers = titan.embed(texts, quiet)
    assert bedrock.most == 4
    expected = [embedded_titan.vector(text, DIMENSION, normalize=True) for text in texts]
    found = [array("f", answer).tolist() for answer in answers if isinstance(answer, bytes)]
    assert found == [pytest.approx(vector, abs=1e-7) for vector in expected]


def test_a_failure_is_raised_when_no_call_is_under_way_any_more() -> None:
    bedrock, clock = SlowBedrock(), SystemClock()
    bedrock.troubles = [None] * 5 + [trouble("AccessDeniedException", 403)]
    with ThreadPoolExecutor(4) as pool:
        titan = Titan(bedrock, dimension=DIMENSION, rate=Rate(10_000, clock), pool=pool, clock=clock)
        with pytest.raises(StoreUnavailable, match="AccessDeniedException"):
            titan.embed([f"text {number}" for number in range(50)], quiet)
        assert bedrock.under_way == 0
        assert bedrock.calls < 12
