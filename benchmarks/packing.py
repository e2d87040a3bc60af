"""Requests that a plan really has, over a number that no plan could do without (`packing.lower_bound`).

Measured through the planner, so that chunk boundaries count too. Kendra takes ten of the largest documents in one
request, so its bar is the bound itself. A knowledge base takes 4.4 MB in all; there large documents do not fill
requests evenly, and some bars are higher.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from benchmarks.figure import Figure
from kendra_ingestion.packing import DOCUMENT_MAX_BYTES, LIMITS, MEGABYTE, Limits, lower_bound
from kendra_ingestion.planning import Plan

SEED = 20251005
NUMBERS = (1, 9, 10, 11, 999, 25_003)

SIZES: dict[str, Callable[[random.Random], int]] = {
    "empty": lambda _: 0,
    "small (1 to 20 KB)": lambda chance: chance.randint(1_000, 20_000),
    "mixed (1 KB to 5 MB)": lambda chance: chance.randint(1_000, DOCUMENT_MAX_BYTES),
    "long tail (median 50 KB)": lambda chance: min(DOCUMENT_MAX_BYTES, int(chance.lognormvariate(10.8, 2))),
    "large (4 to 5 MB)": lambda chance: chance.randint(4 * MEGABYTE, DOCUMENT_MAX_BYTES),
    "largest (5 MB)": lambda _: DOCUMENT_MAX_BYTES,
}


BARS = {("bedrock", "mixed (1 KB to 5 MB)"): 1.05, ("bedrock", "long tail (median 50 KB)"): 1.03}
"""Where the bar is above 1."""


def run() -> list[Figure]:
    """One figure a sink and a distribution of sizes: the worst ratio over several numbers of documents."""
    return [
        Figure(
            f"packing, {sink}, {name}",
            max(_ratio(number, size, limits) for number in NUMBERS),
            "x lower bound",
            BARS.get((sink, name), 1.0),
            "at most",
        )
        for sink, limits in LIMITS.items()
        for name, size in SIZES.items()
    ]


def _ratio(number: int, size: Callable[[random.Random], int], limits: Limits) -> float:
    chance = random.Random(SEED)
    sizes = [size(chance) for _ in range(number)]
    plan = Plan("bucket", [], limits)
    chunks = [
        chunk
        for place, bytes_ in enumerate(sizes)
        for chunk in plan.put({"documentId": str(place), "key": str(place), "size": bytes_})
    ]
    chunks += plan.end_of_folder()
    return sum(len(chunk["requests"]) for chunk in chunks) / lower_bound(sizes, limits)
