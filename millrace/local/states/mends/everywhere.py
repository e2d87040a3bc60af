"""Replaces a function of moto's interpreter also in the modules that have imported it by name."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

from millrace.local.anchors import patch

PACKAGE = "moto.stepfunctions."


def patch_everywhere(owner: ModuleType, name: str, make: Callable[[Any], Any], *anchors: str) -> None:
    """`anchors.patch`, and the same for every loaded module of the interpreter that holds the same object."""
    original = getattr(owner, name, None)
    patch(owner, name, make, *anchors)
    for module_name, module in list(sys.modules.items()):
        if module_name.startswith(PACKAGE) and getattr(module, name, None) is original:
            setattr(module, name, getattr(owner, name))
