"""What a service's scheduler does next: pure functions over counts and times."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

QUICK_SECONDS = 10.0
"""A task that ends by itself sooner than this counts as a failure of its service."""
PAUSE_SECONDS_MOST = 60.0


@dataclass(frozen=True)
class Step:
    """How many tasks to start, and the ids of those to stop."""

    start: int
    stop: tuple[str, ...]


@dataclass(frozen=True)
class Bounds:
    """How many of a service's tasks there may be during a deployment."""

    least_running: int
    most: int

    @classmethod
    def of(cls, desired: int, minimum_percent: int, maximum_percent: int) -> Bounds:
        """The minimum is rounded up, the maximum down (API reference, DeploymentConfiguration)."""
        return cls(math.ceil(desired * minimum_percent / 100), desired * maximum_percent // 100)


def step(
    desired: int,
    bounds: Bounds,
    *,
    new: Sequence[str],
    old: Sequence[str],
    running: frozenset[str],
    stopping: int,
) -> Step:
    """`new` and `old` are the pending and running tasks of the newest and of earlier deployments, the oldest first;
    `stopping` is the number of those that have been told to stop and have not ended, which take their place still.
    """
    surplus = new[desired:]
    missing = desired - len(new)
    room = bounds.most - len(new) - len(old) - stopping
    dispensable = sum(task in running for task in (*new, *old)) - bounds.least_running
    outdated = [task for task in old if task not in running]
    outdated += [task for task in old if task in running][: max(0, dispensable)]
    return Step(max(0, min(missing, room)), (*surplus, *outdated))


def pause(failures: int) -> float:
    """The seconds before a task is started in place of the last one of so many that ended quickly, one after another:
    none after the first, then one, two, four, ..."""
    return 0.0 if failures < 2 else min(PAUSE_SECONDS_MOST, 2.0 ** (failures - 2))
