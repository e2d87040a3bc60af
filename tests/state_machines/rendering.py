"""Fills a definition's placeholders as Terraform's `templatefile` does."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[2]
KENDRA_INGESTION = REPOSITORY / "state_machines" / "kendra_ingestion.asl.json"
PLACEHOLDER = re.compile(r"(?<!\$)\$\{([^}]*)\}")
QUOTED_NUMBER = re.compile(r'"MaxConcurrency": *"([0-9]+)"')

FUNCTIONS = ("load_manifest", "list_batches", "process_batch", "verify", "aggregate_failures", "archive_manifest")
SUBSTITUTIONS: dict[str, str] = {
    "partition": "aws",
    "jobs_table": "millrace-jobs",
    "notifications_topic_arn": "arn:aws:sns:us-east-1:123456789012:millrace-notifications",
    # One iteration at a time, so that mocked answers reach the chunks in their order.
    "max_concurrency": "1",
    **{
        f"{name}_arn": f"arn:aws:lambda:us-east-1:123456789012:function:millrace-{name.replace('_', '-')}"
        for name in FUNCTIONS
    },
}


class RenderingError(ValueError):
    """A placeholder without a value, or a value without a placeholder."""


def placeholders(text: str) -> set[str]:
    return set(PLACEHOLDER.findall(text))


def render(text: str, substitutions: Mapping[str, str] = SUBSTITUTIONS) -> str:
    """The definition with every placeholder filled and the number of MaxConcurrency without its quotes.

    Raises RenderingError when a placeholder has no value, or a value no placeholder.
    """
    wanted, given = placeholders(text), set(substitutions)
    if wanted != given:
        raise RenderingError(
            f"placeholders without a value: {sorted(wanted - given)}; "
            f"values without a placeholder: {sorted(given - wanted)}"
        )
    filled = PLACEHOLDER.sub(lambda found: substitutions[found[1]], text).replace("$${", "${")
    return QUOTED_NUMBER.sub(r'"MaxConcurrency": \1', filled)


def rendered(path: Path = KENDRA_INGESTION) -> dict[str, Any]:
    return json.loads(render(path.read_text(encoding="utf-8")))


def quickened(definition: Mapping[str, Any]) -> dict[str, Any]:
    """The same states and edges with every retry and fixed wait shortened to at most a second."""
    quick = copy.deepcopy(dict(definition))
    _quicken(quick["States"])
    return quick


def _quicken(states: dict[str, Any]) -> None:
    for state in states.values():
        for retrier in state.get("Retry", []):
            if retrier["MaxAttempts"] > 0:
                retrier.update(IntervalSeconds=1, BackoffRate=1, MaxDelaySeconds=2)
        if "Seconds" in state:
            state["Seconds"] = 1
        if "ItemProcessor" in state:
            _quicken(state["ItemProcessor"]["States"])
