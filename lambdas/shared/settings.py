"""What Terraform tells the functions, read from the environment."""

from __future__ import annotations

import os


class ConfigurationInvalid(Exception):
    """An environment variable is missing or makes no sense. The message names it and says what is allowed."""


def setting(name: str) -> str:
    """An environment variable. Raises ConfigurationInvalid where it is missing or empty."""
    value = os.environ.get(name, "")
    if not value:
        raise ConfigurationInvalid(f"environment variable {name} is missing or empty; Terraform sets it")
    return value
