"""Renders a definition as Terraform's module state_machine does: placeholders filled, states of an option replaced."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[2]
KENDRA_INGESTION = REPOSITORY / "state_machines" / "kendra_ingestion.asl.json"
QUEUE_OPTION = REPOSITORY / "state_machines" / "kendra_ingestion.sqs.json"
PLACEHOLDER = re.compile(r"(?<!\$)\$\{([^}]*)\}")
QUOTED_NUMBER = re.compile(r'"MaxConcurrency": *"([0-9]+)"')


def substitutions(option: str) -> dict[str, str]:
    """What stands for each placeholder of a deploy option's definition."""
    functions = {"sfn": {"process_batch"}, "sqs": {"producer"}}[option] | {
        "load_manifest",
        "list_batches",
        "verify",
        "aggregate_failures",
        "archive_manifest",
    }
    return {
        "partition": "aws",
        "jobs_table": "millrace-jobs",
        "notifications_topic_arn": "arn:aws:sns:us-east-1:123456789012:millrace-notifications",
        **{
            f"{name}_arn": f"arn:aws:lambda:us-east-1:123456789012:function:millrace-{name.replace('_', '-')}"
            for name in functions
        },
        # One iteration at a time, so that mocked answers reach the chunks in their order.
        **({"max_concurrency": "1"} if option == "sfn" else {}),
    }


class RenderingError(ValueError):
    """A placeholder without a value, a value without a placeholder, or a replacement of a state that is not there."""


def placeholders(text: str) -> set[str]:
    return set(PLACEHOLDER.findall(text))


def render(text: str, values: Mapping[str, str]) -> str:
    """The text with every placeholder filled and the number of MaxConcurrency without its quotes.

    Raises RenderingError when a placeholder has no value, or a value no placeholder.
    """
    wanted, given = placeholders(text), set(values)
    if wanted != given:
        raise RenderingError(
            f"placeholders without a value: {sorted(wanted - given)}; "
            f"values without a placeholder: {sorted(given - wanted)}"
        )
    filled = PLACEHOLDER.sub(lambda found: values[found[1]], text).replace("$${", "${")
    return QUOTED_NUMBER.sub(r'"MaxConcurrency": \1', filled)


def replaced(definition: Path, replacements: Path | None) -> str:
    """The definition's text, its placeholders still in it, with the states of `replacements` in place of its own.

    Raises RenderingError when a state that is to be replaced is not there.
    """
    base = json.loads(definition.read_text(encoding="utf-8"))
    states = json.loads(replacements.read_text(encoding="utf-8"))["States"] if replacements else {}
    unknown = states.keys() - base["States"].keys()
    if unknown:
        raise RenderingError(f"{definition.name} has no state {', '.join(sorted(unknown))} to replace")
    return json.dumps({**base, "States": {**base["States"], **states}}, ensure_ascii=False)


def kendra_ingestion(option: str = "sfn") -> dict[str, Any]:
    """The definition of a deploy option, `sfn` or `sqs`, as it is created."""
    replacements = {"sfn": None, "sqs": QUEUE_OPTION}[option]
    return json.loads(render(replaced(KENDRA_INGESTION, replacements), substitutions(option)))


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
