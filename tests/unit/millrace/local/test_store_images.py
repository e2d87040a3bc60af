from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from millrace.local import deploy, store_images
from millrace.local.images import Images
from millrace.local.instance import Instance
from millrace.local.process import Process
from millrace.packaging import PackagingError
from tests.fakes.deployed import archive


@pytest.fixture
def instance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Instance:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: "there")
    return Instance(tmp_path, "http://127.0.0.1:1", "eu-west-1", "123456789012", Process.current(), 0)


def chosen(instance: Instance, code: str, **more: Any) -> dict[str, Any]:
    (instance.folder / store_images.CODE).write_bytes(archive({"vector_store/compact.py": code}))
    return store_images.variables(instance, {"package_dir": str(instance.folder), **more}, lambda _: None)


def test_both_images_are_made_of_the_package_and_start_differently(instance: Instance) -> None:
    uris = chosen(instance, "x = 1")
    images = {variable: Images.of(instance).resolve(uri) for variable, uri in uris.items()}
    assert images.keys() == {"vector_store_image_uri", "embed_image_uri"}
    assert {image.code for image in images.values()} == {images["embed_image_uri"].code}
    assert (images["embed_image_uri"].code / "vector_store" / "compact.py").read_text() == "x = 1"
    assert images["vector_store_image_uri"].entrypoint != images["embed_image_uri"].entrypoint


def test_changed_code_has_another_name_and_the_same_code_the_same(instance: Instance) -> None:
    first = chosen(instance, "x = 1")
    assert chosen(instance, "x = 1") == first
    assert set(chosen(instance, "x = 2").values()).isdisjoint(first.values())


def test_where_chroma_is_not_installed_the_target_that_installs_it_is_named(
    instance: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(PackagingError, match=r"chromadb .*: make \.venv/\.vectors"):
        chosen(instance, "x = 1")
    assert f"VECTORS := $(VENV)/{Path(store_images.TARGET).name}" in (deploy.REPOSITORY / "Makefile").read_text()


def test_a_package_that_is_not_there_is_named(instance: Instance) -> None:
    with pytest.raises(PackagingError, match="make package"):
        store_images.variables(instance, {"package_dir": str(instance.folder)}, lambda _: None)


def test_an_image_of_an_earlier_apply_is_not_taken_as_made(instance: Instance) -> None:
    kept = {"workflows": ["vector_store"], "embed_consumer": "ecs", "package_dir": "there", **chosen(instance, "x = 1")}
    deploy._write_json(instance.folder / "terraform" / deploy.VARIABLES, kept)
    again = deploy.beside(instance, deploy.Workflow.KB_SYNC)
    assert again == {"workflows": ["kb_sync", "vector_store"], "embed_consumer": "ecs"}
