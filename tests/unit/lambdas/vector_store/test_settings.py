from __future__ import annotations

import pytest

from shared.settings import ConfigurationInvalid, setting
from vector_store.settings import choice, whole


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


@pytest.mark.parametrize("given", ["0", "-1", "+1", " 1", "1_0", "1.5", "٣", "many"])
def test_a_whole_number_is_told_in_plain_digits_from_1(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    monkeypatch.setenv("OVERDUE_SECONDS", "900")
    assert whole("OVERDUE_SECONDS") == 900
    monkeypatch.setenv("OVERDUE_SECONDS", given)
    with pytest.raises(ConfigurationInvalid, match=r"OVERDUE_SECONDS is .*; it must be a whole number from 1"):
        whole("OVERDUE_SECONDS")
