from __future__ import annotations

import pytest

from millrace.local.kendra.limits import FILE_BYTES, TEXT_BYTES
from millrace.local.kendra.text import extract, kind_of
from millrace.local.search.text import Unindexable


def test_the_text_of_json_is_its_values():
    assert extract(b'{"a": "one", "b": [2, {"c": "three"}], "d": null, "e": true}', "JSON") == "one\n2\nthree"


def test_the_text_of_html_is_what_a_reader_sees():
    page = b"<html><style>p {}</style><p>one <b>two</b></p><script>three()</script>&amp; four</html>"
    assert extract(page, "HTML") == "one two & four"


def test_a_byte_order_mark_is_not_text():
    assert extract(b"\xef\xbb\xbfword", "PLAIN_TEXT") == "word"


@pytest.mark.parametrize(
    ("document", "kind"),
    [
        ({"S3Path": {"Key": "a/b.JSON"}}, "JSON"),
        ({"S3Path": {"Key": "a/b.md"}}, "MD"),
        ({"S3Path": {"Key": "a/b"}}, "PLAIN_TEXT"),
        ({"Blob": "x"}, "PLAIN_TEXT"),
        ({"S3Path": {"Key": "a.json"}, "ContentType": "PLAIN_TEXT"}, "PLAIN_TEXT"),
    ],
)
def test_the_kind_is_what_is_said_or_what_the_ending_says(document, kind):
    assert kind_of(document) == kind


def test_text_at_the_limit_passes_and_one_byte_more_does_not():
    assert len(extract(b"x" * TEXT_BYTES, "PLAIN_TEXT")) == TEXT_BYTES
    with pytest.raises(Unindexable, match="the limit of a document"):
        extract(b"x" * (TEXT_BYTES + 1), "PLAIN_TEXT")


def test_a_file_over_its_limit_is_refused_before_it_is_read_as_text():
    with pytest.raises(Unindexable, match="the limit of a file"):
        extract(b" " * (FILE_BYTES + 1), "PLAIN_TEXT")
