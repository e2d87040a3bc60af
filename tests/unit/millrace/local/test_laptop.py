"""What may be filled and removed on a person's machine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from millrace.errors import NoDeployment, UsageError
from millrace.local import laptop
from millrace.local.instance import DETAILS, Instance


class FakeInstance:
    """An embedded AWS that runs in the folders that it was started in."""

    running: dict[Path, FakeInstance]

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def start(cls, folder: Path, _options: Any) -> FakeInstance:
        cls.running[folder] = cls(folder)
        (folder / "log").write_text("")
        return cls.running[folder]

    @classmethod
    def find(cls, folder: Path) -> FakeInstance | None:
        return cls.running.get(folder)

    def stop(self) -> None:
        del self.running[self.folder]


@pytest.fixture
def instances(monkeypatch: pytest.MonkeyPatch) -> dict[Path, FakeInstance]:
    FakeInstance.running = {}
    monkeypatch.setattr(laptop, "Instance", FakeInstance)
    return FakeInstance.running


def test_up_starts_once_and_then_finds_it(tmp_path: Path, instances: dict[Path, Any]) -> None:
    folder = tmp_path / "aws"
    first, started = laptop.up(folder)
    again, started_again = laptop.up(folder)
    assert (started, started_again) == (True, False)
    assert first is again is instances[folder]


def test_up_does_not_fill_a_folder_that_holds_something_else(tmp_path: Path, instances: dict[Path, Any]) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(UsageError, match="--dir"):
        laptop.up(tmp_path)
    assert not instances


@pytest.mark.usefixtures("instances")
def test_up_forgets_the_deployment_of_an_embedded_aws_that_has_ended(tmp_path: Path) -> None:
    folder = tmp_path / "aws"
    running, _ = laptop.up(folder)
    (folder / "deployment.json").write_text("{}")
    (folder / "terraform").mkdir()
    (folder / "terraform" / "terraform.tfstate").write_text("{}")
    (folder / "build").mkdir()
    running.stop()
    laptop.up(folder)
    assert not (folder / "deployment.json").exists()
    assert not (folder / "terraform").exists()
    assert (folder / "build").exists(), "packages are no part of a deployment"


def test_down_stops_and_removes_everything(tmp_path: Path, instances: dict[Path, Any]) -> None:
    folder = tmp_path / "aws"
    laptop.up(folder)
    assert laptop.down(folder)
    assert not instances
    assert not folder.exists()
    assert not laptop.down(folder), "a second time there is nothing, and that is no error"


@pytest.mark.usefixtures("instances")
def test_down_removes_what_was_half_made(tmp_path: Path) -> None:
    folder = tmp_path / "aws"
    folder.mkdir()
    (folder / laptop.MARKER).write_text("")
    assert laptop.down(folder)
    assert not folder.exists()


def test_down_removes_a_folder_whose_details_are_damaged(tmp_path: Path) -> None:
    folder = tmp_path / "aws"
    folder.mkdir()
    (folder / laptop.MARKER).write_text("")
    (folder / DETAILS).write_text("{")
    assert laptop.down(folder)
    assert Instance.find(folder) is None


@pytest.mark.usefixtures("instances")
def test_down_leaves_a_foreign_folder_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(UsageError, match="left alone"):
        laptop.down(tmp_path)
    assert (tmp_path / "thesis.txt").exists()


@pytest.mark.usefixtures("instances")
def test_down_follows_a_link_to_its_folder_and_removes_both(tmp_path: Path) -> None:
    folder = tmp_path / "aws"
    laptop.up(folder)
    FakeInstance.running.clear()
    link = tmp_path / "link"
    link.symlink_to(folder)
    assert laptop.down(link)
    assert not folder.exists()
    assert not link.is_symlink()


@pytest.mark.usefixtures("instances")
def test_deploying_to_nothing_says_how_to_start_it(tmp_path: Path) -> None:
    with pytest.raises(NoDeployment, match="millrace local up"):
        laptop.apply(tmp_path, {}, lambda _line: None)
