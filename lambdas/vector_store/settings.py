"""What Terraform tells this workflow's functions beside plain settings."""

from __future__ import annotations

from collections.abc import Collection

from shared.settings import ConfigurationInvalid, setting
from vector_store.places import LINES, WORDS

QUEUES = {LINES: "LINES_QUEUE_URL", WORDS: "WORDS_QUEUE_URL"}
"""The variables with the URLs of the collections' queues."""


def choice(name: str, allowed: Collection[str]) -> str:
    """An environment variable that is one of these. Raises ConfigurationInvalid."""
    value = setting(name)
    if value not in allowed:
        raise ConfigurationInvalid(f"environment variable {name} is {value!r}; allowed: {', '.join(allowed)}")
    return value
