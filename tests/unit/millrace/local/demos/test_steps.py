"""What both stories share."""

from __future__ import annotations

from millrace.local.demos.steps import summary_of_apply


def test_an_apply_that_changed_nothing_says_so() -> None:
    nothing = "Apply complete! Resources: 0 added, 0 changed, 0 destroyed."
    something = "Apply complete! Resources: 51 added, 0 changed, 0 destroyed."
    assert summary_of_apply(["a line", nothing]).startswith("No changes.")
    assert summary_of_apply(["a line", something]) == something
