from __future__ import annotations

from millrace.local.search.words import expression


def test_common_words_are_not_looked_for():
    assert expression("How do I reset the password?") == '"reset" OR "password"'


def test_a_question_of_common_words_only_is_still_asked():
    assert expression("What is it?") == '"what" OR "is" OR "it"'


def test_a_text_without_words_asks_nothing():
    assert expression("?!") is None
