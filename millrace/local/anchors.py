"""Patching other people's private names so that an upgrade fails loudly instead of drifting silently."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any


class AnchorMoved(RuntimeError):
    """The code that a patch was written for is no longer there; the pinned package has changed."""


def hold(owner: Any, name: str, *anchors: str) -> Any:
    """Return `owner.name` after checking that its source (or itself, for a string) still holds every anchor.

    `anchors` are short pieces of the code that the patch relies on, quoted as they stand.
    """
    where = f"{getattr(owner, '__name__', owner)}.{name}"
    try:
        found = getattr(owner, name)
    except AttributeError:
        raise AnchorMoved(f"{where} is gone; mend the patch before upgrading the package") from None
    source = found if isinstance(found, str) else inspect.getsource(inspect.unwrap(found))
    for anchor in anchors:
        if anchor not in source:
            raise AnchorMoved(f"{where} no longer contains {anchor!r}; mend the patch before upgrading")
    return found


def patch(owner: Any, name: str, make: Callable[[Any], Any], *anchors: str) -> None:
    """Replace `owner.name` with `make(original)`, on condition that the original still holds every anchor."""
    setattr(owner, name, make(hold(owner, name, *anchors)))
