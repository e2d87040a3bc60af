from __future__ import annotations

import json

import pytest

from millrace.local.options import Options


def test_what_is_written_is_read_again(tmp_path):
    options = Options(region="eu-west-1", kendra_requests_per_second=5)
    options.write(tmp_path)
    assert Options.read(tmp_path) == options


def test_an_unknown_setting_is_named(tmp_path):
    (tmp_path / "options.json").write_text(json.dumps({"regoin": "eu-west-1"}))
    with pytest.raises(ValueError, match="regoin"):
        Options.read(tmp_path)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("region", "Europe"),
        ("account", "1234"),
        ("kendra_requests_per_second", 0),
        ("kendra_indexing_seconds", -1),
        ("kendra_creating_seconds", -1),
        ("bedrock_requests_per_second", 0),
        ("bedrock_indexing_seconds", -1),
        ("bedrock_creating_seconds", -1),
        ("bedrock_ingestion_seconds", -1),
        ("bedrock_ingestion_starts_per_second", 0),
        ("bedrock_ingestion_reads_per_second", 0),
        ("bedrock_invocations_per_second", 0),
    ],
)
def test_a_setting_that_cannot_be_is_refused_by_name(setting, value):
    with pytest.raises(ValueError, match=setting):
        Options(**{setting: value})
