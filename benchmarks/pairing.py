"""Pairing a listing of 2,000,000 keys: keys a second, and whether memory stays flat.

Every fourth document has a neighbour that sorts between it and its metadata (`x.json-a`), some halves are missing, and
there are directory markers. Each measurement runs in a process of its own; only the pairing is timed, page by page,
and the best of a few runs counts, because other work on the machine can only slow it down.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Iterator
from itertools import islice

from benchmarks.figure import Figure
from kendra_ingestion.pairing import METADATA_SUFFIX, Listed, Pairing

KEYS = 2_000_000
FEW_KEYS = 200_000
PAGE = 1_000
RUNS = 3

ETAG = "d41d8cd98f00b204e9800998ecf8427e"
MODIFIED = 1_760_000_000.0


def run() -> list[Figure]:
    """Speed at 2,000,000 keys; peak memory there over the peak at 200,000."""
    speed = max(_measured("speed", KEYS) for _ in range(RUNS))
    growth = _measured("peak", KEYS) / _measured("peak", FEW_KEYS)
    return [
        Figure("pairing, 2,000,000 keys", speed, "keys/s", 1_500_000, "at least"),
        Figure("pairing, peak memory at 2,000,000 keys", growth, "x that at 200,000", 1.2, "at most"),
    ]


def keys() -> Iterator[Listed]:
    """A listing without end, sorted as S3 sorts."""
    return (Listed(key, size, ETAG, MODIFIED) for key, size in _sizes())


def _sizes() -> Iterator[tuple[str, int]]:
    number = 0
    while True:
        folder = f"KendraDocuments/phonebook/2025-10-05/batches/{number // 5_000:06}/"
        if number % 5_000 == 0:
            yield folder, 0
        document = f"{folder}emp-{number:09}.json"
        if number % 1_009:
            yield document, 2_000
        if number % 4 == 0:
            yield f"{document}-a", 1_500
            yield f"{document}-a{METADATA_SUFFIX}", 300
        if number % 1_013:
            yield f"{document}{METADATA_SUFFIX}", 300
        number += 1


def speed(number: int) -> float:
    """Keys a second, without the time that making the keys takes."""
    listing = islice(keys(), number)
    pairing = Pairing()
    seconds = 0.0
    while page := list(islice(listing, PAGE)):
        began = time.perf_counter()
        for _ in pairing.feed(page):
            pass
        seconds += time.perf_counter() - began
    return number / seconds


def peak(number: int) -> float:
    """The most bytes that Python held at one moment, a page of the listing included."""
    tracemalloc.start()
    listing = islice(keys(), number)
    pairing = Pairing()
    while page := list(islice(listing, PAGE)):
        for _ in pairing.feed(page):
            pass
    return tracemalloc.get_traced_memory()[1]


def _measured(what: str, number: int) -> float:
    answer = subprocess.run(
        [sys.executable, "-m", "benchmarks.pairing", what, str(number)],
        check=True,
        capture_output=True,
        text=True,
    )
    return float(json.loads(answer.stdout))


if __name__ == "__main__":
    print(json.dumps({"speed": speed, "peak": peak}[sys.argv[1]](int(sys.argv[2]))))
