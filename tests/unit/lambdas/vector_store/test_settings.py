from __future__ import annotations

import pytest

from shared.settings import ConfigurationInvalid, setting
from vector_store.settings import choice


def test_a_setting_is_what_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUEUE_MODE", "fifo")
    assert setting("QUEUE_MODE") == choice("QUEUE_MODE", ("standard", "fifo")) == "fifo"


def test_a_setting_that_is_missing_or_empty_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("QUEUE_MODE", raising=False)
    with pytest.raises(ConfigurationInvalid, match="QUEUE_MODE is missing or empty"):
        setting("QUEUE_MODE")
    monkeypatch.setenv("QUEUE_MODE", "")
    with pytest.raises(ConfigurationInvalid, match="QUEUE_MODE is missing or empty"):
        choice("QUEUE_MODE", ("standard", "fifo"))


def test_a_choice_that_is_not_allowed_is_told_with_those_that_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUEUE_MODE", "lifo")
    with pytest.raises(ConfigurationInvalid, match="QUEUE_MODE is 'lifo'; allowed: standard, fifo"):
        choice("QUEUE_MODE", ("standard", "fifo"))
