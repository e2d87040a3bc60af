from __future__ import annotations

from pathlib import Path

import pytest

from vector_store.scratch import LOCK, PREFIX, scratch_folder


def test_a_folder_goes_with_its_block_whatever_happens(tmp_path: Path) -> None:
    def die(folder: Path) -> None:
        (folder / "file").write_text("content")
        raise RuntimeError

    with pytest.raises(RuntimeError), scratch_folder(tmp_path) as folder:
        die(folder)
    assert list(tmp_path.iterdir()) == []


def test_the_folder_of_a_dead_process_is_removed_and_that_of_a_living_one_is_not(tmp_path: Path) -> None:
    dead = tmp_path / f"{PREFIX}dead"
    (dead / "files").mkdir(parents=True)
    (dead / LOCK).touch()
    foreign = tmp_path / "somebody-elses"
    foreign.mkdir()
    with scratch_folder(tmp_path) as living, scratch_folder(tmp_path) as other:
        assert living.is_dir()
        assert other.is_dir()
        assert list(living.iterdir()) == []
        assert not dead.exists()
    assert list(tmp_path.iterdir()) == [foreign]
