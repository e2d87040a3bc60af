from __future__ import annotations

import json
import tracemalloc
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kendra_ingestion.failures import FailureCode
from kendra_ingestion.pairing import METADATA_SUFFIX, Found, Listed, Pairing, pair

MISSING, ORPHAN = FailureCode.MISSING_METADATA, FailureCode.METADATA_WITHOUT_DOCUMENT

NASTY_KEY = st.lists(
    st.sampled_from(["a", "b", "-", ".json", ".metadata", METADATA_SUFFIX, "/", "é", "\U0001f600", " "]),
    min_size=1,
    max_size=6,
).map("".join)


def listed(key: str, size: int = 1, etag: str = "etag", modified: float = 1.0) -> Listed:
    return Listed(key, size, etag, modified)


def listing(*keys: str) -> list[Listed]:
    """Keys as S3 lists them: sorted by their UTF-8 bytes. A key's size is its length."""
    return [listed(key, len(key)) for key in sorted(set(keys), key=str.encode)]


def summary(found: Iterator[Found] | list[Found]) -> dict[str, FailureCode | None]:
    return {item.key: item.problem for item in found}


def oracle(keys: set[str]) -> dict[str, FailureCode | None]:
    """The rule by itself, with all keys at hand: a metadata file belongs to the document of its name."""
    results: dict[str, FailureCode | None] = {}
    free: set[str] = set()
    for key in sorted(keys, key=str.encode):
        document = key.removesuffix(METADATA_SUFFIX)
        if document != key and document in free:
            free.discard(document)
            results[document] = None
        elif document != key or not key.endswith("/"):
            free.add(key)
    return results | {key: ORPHAN if key.endswith(METADATA_SUFFIX) else MISSING for key in free}


@given(st.sets(NASTY_KEY, max_size=30), st.integers(1, 7))
def test_streaming_pairs_as_one_would_with_all_keys_at_hand(keys: set[str], page: int) -> None:
    entries = listing(*keys)
    pairing = Pairing()
    found = [item for start in range(0, len(entries), page) for item in pairing.feed(entries[start : start + page])]
    found += pairing.finish()
    assert summary(found) == oracle(keys)
    assert len(found) == len(summary(found)), "nothing is found twice"


@given(st.sets(NASTY_KEY, max_size=30), st.integers(0, 30))
def test_a_pairing_that_is_saved_and_resumed_finds_the_same(keys: set[str], cut: int) -> None:
    entries = listing(*keys)
    first = Pairing()
    found = list(first.feed(entries[:cut]))
    second = Pairing(json.loads(json.dumps(first.waiting)))
    found += [*second.feed(entries[cut:]), *second.finish()]
    assert summary(found) == summary(pair(entries))


def test_a_key_that_sorts_between_the_two_halves_does_not_part_them() -> None:
    found = pair(listing("x.json", "x.json-a", "x.json-a.metadata.json", "x.json.metadata.json"))
    assert summary(found) == {"x.json": None, "x.json-a": None}


def test_many_keys_between_the_two_halves_do_not_part_them() -> None:
    between = [f"x.json-{number:04}" for number in range(3000)]
    found = summary(pair(listing("x.json", *between, "x.json.metadata.json")))
    assert found.pop("x.json") is None
    assert set(found.values()) == {MISSING}


def test_the_halves_that_have_no_other_are_found() -> None:
    found = pair(listing("a.json", "b.json.metadata.json", "c.json", "c.json.metadata.json"))
    assert summary(found) == {"a.json": MISSING, "b.json.metadata.json": ORPHAN, "c.json": None}


def test_directory_markers_are_no_documents() -> None:
    assert summary(pair(listing("a/", "a/b/", "a/b/x.md", "a/b/x.md.metadata.json"))) == {"a/b/x.md": None}


def test_a_metadata_file_may_be_a_document_itself() -> None:
    found = pair(listing("a.metadata.json", "a.metadata.json.metadata.json"))
    assert summary(found) == {"a.metadata.json": None}


def test_a_document_that_ends_in_metadata_does_not_take_its_neighbours_file() -> None:
    keys = ["x", "x.metadata", "x.metadata.json", "x.metadata.metadata.json"]
    assert summary(pair(listing(*keys))) == {"x": None, "x.metadata": None}


def test_both_files_are_handed_on_as_they_were_listed() -> None:
    document, metadata = listed("x", 7, "e1", 5.0), listed("x.metadata.json", 9, "e2", 3.0)
    (found,) = pair([document, metadata])
    assert found == (document, metadata)
    assert (found.key, found.modified) == ("x", 5.0)


PAIR = Found(listed("x", 7, "e1"), listed("x.metadata.json", 9, "e2"))


@pytest.mark.parametrize(
    "other",
    [
        PAIR._replace(document=listed("x", 7, "e3")),
        PAIR._replace(document=listed("x", 8, "e1")),
        PAIR._replace(metadata=listed("x.metadata.json", 9, "e3")),
        PAIR._replace(metadata=listed("x.metadata.json", 10, "e2")),
        Found(listed("x", 9, "e2"), listed("x.metadata.json", 7, "e1")),
        Found(listed("x", 79, "e1"), listed("x.metadata.json", 9, "e2")),
    ],
)
def test_another_state_of_either_file_has_another_digest(other: Found) -> None:
    assert other.digest != PAIR.digest


def test_the_same_bytes_elsewhere_or_later_have_the_same_digest() -> None:
    again = Found(listed("y", 7, "e1", 99.0), listed("y.metadata.json", 9, "e2", 99.0))
    assert again.digest == PAIR.digest
    assert len(PAIR.digest) == 32


def test_what_waits_is_a_chain_of_prefixes() -> None:
    """So no more keys can wait than a key has bytes."""
    pairing = Pairing()
    deepest = 0
    for depth in range(1, 1000):
        list(pairing.feed([listed("a" + "-" * depth)]))
        deepest = max(deepest, len(pairing.waiting))
    assert deepest == 999
    list(pairing.feed([listed("b")]))
    assert len(pairing.waiting) == 1


@pytest.mark.parametrize("missing", [True, False])
def test_memory_does_not_grow_with_the_listing(missing: bool) -> None:
    def keys(number: int) -> Iterator[Listed]:
        for place in range(number):
            yield listed(f"f/{place:08}.json")
            if not missing:
                yield listed(f"f/{place:08}.json-a")
                yield listed(f"f/{place:08}.json.metadata.json")

    def peak(number: int) -> int:
        tracemalloc.start()
        for _ in pair(keys(number)):
            pass
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return peak

    less_than_one_byte_for_each_further_key = 18_000
    assert peak(20_000) < peak(2_000) + less_than_one_byte_for_each_further_key
