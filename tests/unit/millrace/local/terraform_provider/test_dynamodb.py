from __future__ import annotations

from typing import Any

from millrace.local.terraform_provider.types.dynamodb import index_changes, stream_changes


def index(hash_key: str = "status", **more: Any) -> dict[str, Any]:
    return {"hash_key": hash_key, "range_key": None, "projection_type": "ALL", "non_key_attributes": None, **more}


def begun(view: str) -> dict[str, Any]:
    return {"StreamSpecification": {"StreamEnabled": True, "StreamViewType": view}}


ENDED = {"StreamSpecification": {"StreamEnabled": False}}


def test_indexes_come_and_go_one_by_one_and_what_goes_goes_first() -> None:
    changes = index_changes({"old": index(), "kept": index()}, {"kept": index(), "new": index("owner")})
    assert changes == [{"Delete": {"IndexName": "old"}}, {"Create": index("owner")}]


def test_an_index_with_other_keys_or_another_projection_is_made_anew() -> None:
    for other in (index("owner"), index(range_key="since"), index(projection_type="KEYS_ONLY")):
        assert index_changes({"one": index()}, {"one": other}) == [
            {"Delete": {"IndexName": "one"}},
            {"Create": other},
        ]


def test_what_the_service_computed_and_the_order_of_names_change_no_index() -> None:
    before = {"one": index(non_key_attributes=["b", "a"], read_capacity=0)}
    assert index_changes(before, {"one": index(non_key_attributes=["a", "b"])}) == []


def test_another_view_needs_a_new_stream() -> None:
    old = {"stream_enabled": True, "stream_view_type": "KEYS_ONLY"}
    new = {"stream_enabled": True, "stream_view_type": "NEW_AND_OLD_IMAGES"}
    assert stream_changes(old, new) == [ENDED, begun("NEW_AND_OLD_IMAGES")]
    assert stream_changes({}, new) == [begun("NEW_AND_OLD_IMAGES")]
    assert stream_changes(old, {}) == [ENDED]
