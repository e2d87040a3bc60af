from __future__ import annotations

from pathlib import Path

import pytest

from millrace.images import IMAGES
from millrace.local import dockerfiles
from millrace.local.dockerfiles import DockerfileInvalid, Settings


def read(folder: Path, text: str) -> Settings:
    path = folder / "Dockerfile"
    path.write_text(text)
    return dockerfiles.read(path)


def test_the_last_stage_says_how_a_process_starts(tmp_path: Path):
    text = """
# A comment, and a \\
ARG BASE=python
FROM --platform=linux ${BASE} AS packages
WORKDIR /build
ENTRYPOINT ["build"]

FROM ${BASE}
WORKDIR /app
env A=1 B="two words" \\
    # said why
    C=/app:/app/packages
ENTRYPOINT ["python3", "-m", "client"]
CMD ["thing.handler"]
"""
    assert read(tmp_path, text) == Settings(
        entrypoint=("python3", "-m", "client"),
        command=("thing.handler",),
        environment={"A": "1", "B": "two words", "C": "/app:/app/packages"},
        folder="/app",
    )


def test_a_stage_has_what_the_stage_before_it_said(tmp_path: Path):
    text = 'FROM a AS base\nWORKDIR /app\nENV A=1 B=1\nCMD ["x"]\nFROM base\nENV B=2\nENTRYPOINT ["y"]\n'
    assert read(tmp_path, text) == Settings(("y",), environment={"A": "1", "B": "2"}, folder="/app")


def test_a_folder_without_a_slash_is_below_the_one_before(tmp_path: Path):
    assert read(tmp_path, "FROM a\nWORKDIR /app\nWORKDIR inner\n").folder == "/app/inner"


@pytest.mark.parametrize(
    "instruction", ["ENTRYPOINT python3 -m client", "CMD [1]", "ENV A=${B}", "WORKDIR $HOME", "ENV A"]
)
def test_what_is_not_understood_is_named(tmp_path: Path, instruction: str):
    with pytest.raises(DockerfileInvalid) as told:
        read(tmp_path, f"FROM a\n{instruction}\n")
    assert instruction in str(told.value)


@pytest.mark.parametrize("image", IMAGES, ids=lambda image: image.name)
def test_the_dockerfiles_of_the_project_are_understood(image):
    settings = dockerfiles.read(image.dockerfile)
    assert settings.entrypoint
    assert settings.folder in settings.environment["PYTHONPATH"].split(":")
