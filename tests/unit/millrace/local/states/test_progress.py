from __future__ import annotations

from millrace.local.states.progress import Done, Place


def test_a_new_place_has_not_begun() -> None:
    assert not Place().begun


def test_moving_on_forgets_the_parts_of_the_state_before() -> None:
    place = Place()
    place.at("Map", [], {}, entered=True)
    place.finish_part(0, "output")
    place.at("Next", {}, {}, entered=False)
    assert place.parts == {}


def test_a_copy_does_not_change_with_the_original() -> None:
    place = Place()
    place.at("Map", {"a": [1]}, {"v": 1}, entered=True)
    place.finish_part(0, "done")
    part = place.part(1)
    assert isinstance(part, Place)
    part.at("Inner", {"b": 2}, {}, entered=True)
    copied = place.copy()
    place.input["a"].append(2)
    part.at("Later", {}, {}, entered=True)
    place.finish_part(1, "late")
    inner = copied.parts[1]
    assert isinstance(inner, Place)
    assert (copied.state, copied.input, copied.variables, copied.entered) == ("Map", {"a": [1]}, {"v": 1}, True)
    assert (copied.parts[0], inner.state) == (Done("done"), "Inner")
