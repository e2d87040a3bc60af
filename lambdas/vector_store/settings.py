"""What Terraform tells the functions, read from the environment. All functions raise ConfigurationInvalid, which names
the variable."""

from __future__ import annotations

import os
from collections.abc import Collection

from vector_store.errors import ConfigurationInvalid
from vector_store.places import LINES, WORDS

QUEUES = {LINES: "LINES_QUEUE_URL", WORDS: "WORDS_QUEUE_URL"}
"""The variables with the URLs of the collections' queues."""


def setting(name: str) -> str:
    """An environment variable that is not empty."""
    value = os.environ.get(name, "")
    if not value:
        raise ConfigurationInvalid(f"environment variable {name} is missing or empty; Terraform sets it")
    return value


def choice(name: str, allowed: Collection[str]) -> str:
    """One of these."""
    value = setting(name)
    if value not in allowed:
        raise ConfigurationInvalid(f"environment variable {name} is {value!r}; allowed: {', '.join(allowed)}")
    return value
