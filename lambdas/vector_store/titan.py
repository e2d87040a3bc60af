"""Amazon Titan Text Embeddings V2: texts in, vectors out.

* EmbeddingRefused  Bedrock takes other texts and not this one; asking again cannot help
* StoreUnavailable  Bedrock takes none
"""

from __future__ import annotations

import json
import random
import sys
from array import array
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future, wait
from math import isfinite
from threading import Lock
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from shared.backoff import Backoff, Patience
from shared.clock import Clock
from vector_store.errors import EmbeddingRefused, StoreUnavailable

MODEL = "amazon.titan-embed-text-v2:0"
DIMENSIONS = (256, 512, 1024)
"""User guide, "Amazon Titan Embeddings Text"."""

TRIES = Backoff(first_seconds=0.2, most_seconds=10.0, attempts=12, budget_seconds=60.0)

HASTY = Backoff(first_seconds=0.1, most_seconds=1.0, attempts=6, budget_seconds=5.0)
"""For one text that somebody waits for."""

TEXT_MAX_CHARACTERS = 50_000
"""User guide, "Amazon Titan Text Embeddings models"."""

PASSING = frozenset(
    {
        "InternalServerException",
        "ModelErrorException",
        "ModelNotReadyException",
        "ModelTimeoutException",
        "ServiceQuotaExceededException",
        "ServiceUnavailableException",
        "ThrottlingException",
    }
)
"""Errors of InvokeModel (API model) that say nothing of the text and are gone a moment later."""

REFUSAL = "ValidationException"
"""Says that the text is too long, but also that the model is not known or does not do what is asked."""

THROTTLED = frozenset({"ThrottlingException", "ServiceQuotaExceededException"})
SERVER_ERROR = 500

PROBE = "text"
"""Refused only by a model that takes no text at all."""


class Rate:
    """Lets so many calls a second begin, from however many threads, evenly spaced."""

    def __init__(self, per_second: float, clock: Clock) -> None:
        self._interval = 1 / per_second
        self._clock = clock
        self._lock = Lock()
        self._next_at = float("-inf")

    def wait(self) -> None:
        """Sleep until the next call may begin."""
        with self._lock:
            now = self._clock.monotonic()
            begins_at = max(self._next_at, now)
            self._next_at = begins_at + self._interval
        if begins_at > now:
            self._clock.sleep(begins_at - now)


class Titan:
    """The model, as one worker asks it: as many calls at once as the pool has threads. The client must not try again
    by itself: every call goes through the rate. `random` gives numbers from 0 to 1."""

    def __init__(
        self,
        client: Any,
        *,
        dimension: int,
        rate: Rate,
        pool: Executor,
        clock: Clock,
        random: Callable[[], float] = random.random,
        backoff: Backoff = TRIES,
    ) -> None:
        self.dimension = dimension
        self._client = client
        self._rate = rate
        self._pool = pool
        self._clock = clock
        self._random = random
        self._backoff = backoff
        self._answers = False
        """Whether the model has embedded any text: then it is not what was configured that it refuses."""
        self.throttled = 0
        """How many calls Bedrock has refused because they were too many."""
        self._counting = Lock()

    def embed(self, texts: Sequence[str], beat: Callable[[], None]) -> list[bytes | EmbeddingRefused]:
        """A vector a text, in their order: normalized, float32, little-endian; or why the text has none.

        `beat` is called before every call, from several threads; what it raises ends the work. So does
        StoreUnavailable, when Bedrock has not taken a text for as long as is worth waiting here. Before it is raised
        all calls that are under way have ended."""
        failures: list[BaseException] = []

        def one(text: str) -> bytes | EmbeddingRefused:
            if failures:
                raise failures[0]
            try:
                return self._patiently(text, beat, failures)
            except EmbeddingRefused as refusal:
                return refusal
            except BaseException as failure:
                failures.append(failure)
                raise

        asked: list[Future[bytes | EmbeddingRefused]] = []
        try:
            asked.extend(self._pool.submit(one, text) for text in texts)
            return [future.result() for future in asked]
        except BaseException as failure:
            failures.append(failure)
            raise failures[0] from failures[0].__cause__
        finally:
            for future in asked:
                future.cancel()
            wait(asked)

    def _patiently(self, text: str, beat: Callable[[], None], failures: Sequence[BaseException]) -> bytes:
        patience = Patience(self._backoff, self._clock, self._random)
        while True:
            beat()
            self._rate.wait()
            try:
                return self._embedded(text)
            except (ClientError, BotoCoreError) as error:
                if isinstance(error, ClientError) and _code(error) == REFUSAL:
                    self._check_it_answers()
                    raise EmbeddingRefused(_told(error)) from error
                if isinstance(error, ClientError) and _code(error) in THROTTLED:
                    with self._counting:
                        self.throttled += 1
                if failures or not _passes(error) or not patience.wait():
                    raise StoreUnavailable(f"Bedrock does not embed: {_told(error)}") from error

    def _embedded(self, text: str) -> bytes:
        asked = {"inputText": text, "dimensions": self.dimension, "normalize": True, "embeddingTypes": ["float"]}
        reply = self._client.invoke_model(
            modelId=MODEL,
            contentType="application/json",
            accept="application/json",
            body=json.dumps(asked, ensure_ascii=False).encode("utf-8"),
        )
        try:
            vector = array("f", json.loads(reply["body"].read())["embedding"])
        except (KeyError, TypeError, ValueError) as error:
            raise StoreUnavailable(f"Bedrock's answer holds no embedding: {type(error).__name__}") from error
        if len(vector) != self.dimension or not all(map(isfinite, vector)):
            raise StoreUnavailable(f"Bedrock gives no vector of {self.dimension} finite numbers")
        if sys.byteorder == "big":
            vector.byteswap()
        self._answers = True
        return vector.tobytes()

    def _check_it_answers(self) -> None:
        """Raise StoreUnavailable if the model refuses a text that nobody can refuse: then it refuses us, not a text."""
        if self._answers:
            return
        try:
            self._embedded(PROBE)
        except (ClientError, BotoCoreError) as error:
            raise StoreUnavailable(f"Bedrock embeds no text: {_told(error)}") from error


def _code(error: ClientError) -> str:
    code: str = error.response["Error"].get("Code", "")
    return code


def _passes(error: ClientError | BotoCoreError) -> bool:
    if isinstance(error, BotoCoreError):
        return True
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return _code(error) in PASSING or status >= SERVER_ERROR


def _told(error: ClientError | BotoCoreError) -> str:
    if isinstance(error, BotoCoreError):
        return f"no answer: {type(error).__name__}"
    return f"{_code(error)}: {error.response['Error'].get('Message') or 'no message was given'}"
