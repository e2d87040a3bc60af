from __future__ import annotations

from benchmarks.process import peak_bytes


def test_peak_memory_is_what_the_process_had_at_most() -> None:
    before = peak_bytes()
    large = bytearray(200 * 2**20)
    assert before > 10 * 2**20
    assert peak_bytes() >= len(large)
