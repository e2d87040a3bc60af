from __future__ import annotations

import pytest

from millrace.local.bedrock.formats import kind_of_bytes, kind_of_file


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        ("a/b.txt", "PLAIN_TEXT"),
        ("a/b.TXT", "PLAIN_TEXT"),
        ("b.md", "MD"),
        ("b.html", "HTML"),
        ("b.pdf", "PDF"),
        ("b.json", None),
        ("b.txt/c", None),
        ("b", None),
    ],
)
def test_a_files_kind_is_what_its_ending_says(key, kind):
    assert kind_of_file(key) == kind


@pytest.mark.parametrize(
    ("mime_type", "kind"),
    [("text/plain", "PLAIN_TEXT"), ("Text/HTML; charset=utf-8", "HTML"), ("application/json", None)],
)
def test_the_kind_of_bytes_is_what_their_mime_type_says(mime_type, kind):
    assert kind_of_bytes(mime_type) == kind
