from __future__ import annotations

import pytest

from millrace.cli.context import settings_of
from millrace.errors import UsageError


def test_values_are_read_as_json_where_they_are_json_and_as_text_otherwise() -> None:
    given = [
        "max_concurrency=4",
        "name_prefix=mine",
        "force_destroy=true",
        "kms_key_arn=null",
        "aws_region=a=b",
    ]
    assert settings_of("--var", given) == {
        "max_concurrency": 4,
        "name_prefix": "mine",
        "force_destroy": True,
        "kms_key_arn": None,
        "aws_region": "a=b",
    }


@pytest.mark.parametrize("setting", ["max_concurrency", "=4", "two words=4"])
def test_a_setting_without_a_name_or_value_is_wrong_usage_and_its_option_is_named(setting: str) -> None:
    with pytest.raises(UsageError, match=f"--var {setting!r} is not NAME=VALUE"):
        settings_of("--var", [setting])
