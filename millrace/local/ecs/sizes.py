"""Which pairs of CPU and memory Fargate runs (ECS developer guide, "Task definition parameters", task size)."""

from __future__ import annotations

import re

SIZES = {
    256: (512, 1024, 2048),
    512: tuple(range(1024, 4096 + 1, 1024)),
    1024: tuple(range(2048, 8192 + 1, 1024)),
    2048: tuple(range(4096, 16_384 + 1, 1024)),
    4096: tuple(range(8192, 30_720 + 1, 1024)),
    8192: tuple(range(16_384, 61_440 + 1, 4096)),
    16_384: tuple(range(32_768, 122_880 + 1, 8192)),
}
"""Units of CPU (1024 are a vCPU), and the MiB of memory that go with them."""


class NoSuchSize(ValueError):
    pass


def size(cpu: str | None, memory: str | None) -> tuple[int, int]:
    """Units of CPU and MiB of memory. `cpu` is a number of units or of `vCPU`, `memory` of MiB or of `GB`.

    Raises NoSuchSize, in the words of AWS.
    """
    for name, given in (("cpu", cpu), ("memory", memory)):
        if not given:
            raise NoSuchSize(f"Fargate requires that '{name}' be defined at the task level.")
    units, mebibytes = _number(cpu or "", "vcpu", "cpu"), _number(memory or "", "gb", "memory")
    if mebibytes not in SIZES.get(units, ()):
        raise NoSuchSize("No Fargate configuration exists for given values.")
    return units, mebibytes


def _number(text: str, unit: str, name: str) -> int:
    found = re.fullmatch(rf"(\d*\.?\d+)\s*({unit})?", text.strip().lower())
    if not found:
        raise NoSuchSize(f"Invalid '{name}' setting for task: {text}")
    return int(float(found[1]) * (1024 if found[2] else 1))
