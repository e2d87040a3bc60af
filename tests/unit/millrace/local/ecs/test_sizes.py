from __future__ import annotations

import pytest

from millrace.local.ecs.sizes import NoSuchSize, size


@pytest.mark.parametrize(
    ("cpu", "memory", "units"),
    [
        ("256", "512", (256, 512)),
        (".25 vCPU", "0.5GB", (256, 512)),
        ("1 vcpu", "8 GB", (1024, 8192)),
        ("4096", "30720", (4096, 30_720)),
        ("16 vCPU", "120 GB", (16_384, 122_880)),
    ],
)
def test_a_size_has_units_of_cpu_and_mebibytes(cpu, memory, units):
    assert size(cpu, memory) == units


@pytest.mark.parametrize(
    ("cpu", "memory"), [("256", "4096"), ("512", "512"), ("512", "1536"), ("300", "512"), ("8192", "17408")]
)
def test_a_pair_that_fargate_does_not_have_is_refused(cpu, memory):
    with pytest.raises(NoSuchSize, match="No Fargate configuration exists for given values"):
        size(cpu, memory)


@pytest.mark.parametrize(
    ("cpu", "memory", "told"), [(None, "512", "'cpu'"), ("256", None, "'memory'"), ("a", "1", "a")]
)
def test_what_is_missing_or_no_number_is_named(cpu, memory, told):
    with pytest.raises(NoSuchSize, match=told):
        size(cpu, memory)
