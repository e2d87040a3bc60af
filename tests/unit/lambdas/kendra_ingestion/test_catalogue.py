from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kendra_ingestion.catalogue import Catalogue, line
from kendra_ingestion.pairing import METADATA_SUFFIX, Found, Listed, Pairing

ODD = "\ud55c\u2028\n\x1e"


def listed(keys: list[str], versions: dict[str, int] | None = None) -> list[Found]:
    """What a listing with these documents' pairs settles, in its order; a version stands for the files' bytes."""
    names = sorted({*keys, *(key + METADATA_SUFFIX for key in keys)}, key=str.encode)
    version = (versions or {}).get
    pairing = Pairing()
    objects = [Listed(name, 1, f"e{version(name.removesuffix(METADATA_SUFFIX), 0)}", 0.0) for name in names]
    return [*pairing.feed(objects), *pairing.finish()]


def catalogue_of(found: list[Found]) -> Catalogue:
    return Catalogue(line(item, f"id of {item.key}").rstrip(b"\n") for item in found if item.metadata)


def test_what_was_read_is_remembered_by_key_and_state() -> None:
    before = listed(["a", "b", f"odd {ODD}"])
    after = catalogue_of(before)
    assert [after.id_of(item) for item in before] == ["id of a", "id of b", f"id of odd {ODD}"]


def test_what_is_new_or_changed_has_to_be_read_and_what_has_gone_is_passed_over() -> None:
    memory = catalogue_of(listed(["a", "b", "c", "e"]))
    now = listed(["b", "c", "d", "e"], versions={"c": 1})
    assert [memory.id_of(item) for item in now] == ["id of b", None, None, "id of e"]


def test_half_a_pair_is_not_remembered() -> None:
    memory = catalogue_of(listed(["a"]))
    assert memory.id_of(Found(Listed("a", 1, "e0", 0.0), None)) is None


def test_an_empty_catalogue_remembers_nothing() -> None:
    assert [Catalogue(()).id_of(item) for item in listed(["a", "b"])] == [None, None]


keys = st.sets(st.text("ab.-/", min_size=1, max_size=6).filter(lambda key: not key.endswith("/")), max_size=12)


@given(keys, keys, st.dictionaries(st.text("ab.-/", min_size=1, max_size=6), st.integers(0, 1)))
def test_it_never_says_an_id_of_other_files_and_forgets_none_that_stayed(
    before: set[str], now: set[str], versions: dict[str, int]
) -> None:
    old = {item.key: item for item in listed(sorted(before))}
    memory = catalogue_of(list(old.values()))
    for item in listed(sorted(now), versions):
        known = item.metadata is not None and item.key in old and old[item.key].digest == item.digest
        assert memory.id_of(item) == (f"id of {item.key}" if known else None)
