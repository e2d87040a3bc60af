"""Property tests here neither depend on the machine's speed nor on chance: the same examples each time."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("gate", deadline=None, derandomize=True, database=None)
settings.load_profile("gate")
