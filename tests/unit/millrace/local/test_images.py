from __future__ import annotations

from pathlib import Path

import pytest

from millrace.local.dockerfiles import Settings
from millrace.local.images import Images, UnknownImage
from tests.fakes.deployed import archive

REGISTRY = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"
SETTINGS = Settings(
    ("python3", "-m", "thing"),
    ("--now",),
    {"PYTHONPATH": "/app:/app/packages:/opt", "HOME": "/tmp", "CACHE": "/tmp/cache", "MODE": "/apple", "URL": "a:b"},
    folder="/app",
)


@pytest.fixture
def images(tmp_path: Path) -> Images:
    return Images(tmp_path / "images", REGISTRY)


def test_what_was_put_there_is_found_by_its_name(images: Images):
    uri = images.push("team/thing", archive({"thing.py": "x = 1"}), SETTINGS)
    image = images.resolve(uri)
    assert uri == f"{REGISTRY}/team/thing@sha256:{image.digest}"
    assert (image.code / "thing.py").read_text() == "x = 1"
    assert image.settings == SETTINGS


def test_the_name_follows_from_code_and_settings_alone(images: Images, tmp_path: Path):
    code, elsewhere = archive({"thing.py": "x = 1"}), Images(tmp_path / "other", REGISTRY)
    first = images.push("thing", code, SETTINGS)
    assert {images.push("thing", code, SETTINGS), elsewhere.push("thing", code, SETTINGS)} == {first}
    others = {images.push("thing", archive({"thing.py": "x = 2"}), SETTINGS), images.push("thing", code, Settings(()))}
    assert len({first, *others}) == 3


def test_an_image_stays_as_it_was_when_another_is_put_there(images: Images):
    first = images.push("thing", archive({"thing.py": "x = 1"}), SETTINGS)
    images.push("thing", archive({"thing.py": "x = 2"}), SETTINGS)
    assert (images.resolve(first).code / "thing.py").read_text() == "x = 1"


def test_an_image_that_is_not_there_is_refused_and_those_that_are_there_are_named(images: Images):
    with pytest.raises(UnknownImage, match="none"):
        images.resolve(f"{REGISTRY}/thing:latest")
    uri = images.push("thing", archive({"thing.py": "x = 1"}), SETTINGS)
    for wrong in (f"{REGISTRY}/thing:latest", uri.replace("/thing", "/other"), uri.replace("eu-", "us-"), uri[:-1]):
        with pytest.raises(UnknownImage) as told:
            images.resolve(wrong)
        assert str(told.value).startswith(f"Source image {wrong} does not exist.")
        assert uri in str(told.value)


def test_variables_name_folders_by_where_they_are_here(images: Images, tmp_path: Path):
    image = images.resolve(images.push("thing", archive({"thing.py": "x = 1"}), SETTINGS))
    assert image.variables(tmp_path) == {
        "PYTHONPATH": f"{image.code}:{image.code}/packages:/opt",
        "HOME": str(tmp_path),
        "CACHE": f"{tmp_path}/cache",
        "MODE": "/apple",
        "URL": "a:b",
    }
