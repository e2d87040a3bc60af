"""How many messages wait in the vector store's queues, and what of them nobody could work."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from millrace.deployment import VectorStore

COUNTED = {
    "waiting": "ApproximateNumberOfMessages",
    "under_way": "ApproximateNumberOfMessagesNotVisible",
    "delayed": "ApproximateNumberOfMessagesDelayed",
}


@dataclass(frozen=True)
class Messages:
    """As SQS counts them: about so many wait, are worked, and wait for their delay."""

    waiting: int
    under_way: int
    delayed: int

    def as_dict(self) -> dict[str, int]:
        return {"waiting": self.waiting, "underWay": self.under_way, "delayed": self.delayed}


def queues_of(deployed: VectorStore) -> Mapping[str, str]:
    """The URLs of the queues and of their dead letters, by what a person calls them."""
    dead = {f"{name} dead letters": url for name, url in asdict(deployed.vector_dead_letter_queue_urls).items()}
    urls = {"lines": deployed.lines_queue_url, "words": deployed.words_queue_url, "embed": deployed.embed_queue_url}
    return {**urls, **dead}


def count(sqs: Any, url: str) -> Messages:
    said = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=list(COUNTED.values()))["Attributes"]
    return Messages(**{name: int(said[theirs]) for name, theirs in COUNTED.items()})
