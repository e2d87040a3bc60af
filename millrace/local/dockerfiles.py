"""What a Dockerfile says of the processes of its image, so that it is said there alone."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from millrace.errors import MillraceError


class DockerfileInvalid(MillraceError):
    """An instruction of the Dockerfile is written in a way that is not understood here; the text names it."""


@dataclass(frozen=True)
class Settings:
    """How an image's process is started. A command is what follows the entry point where nobody names another."""

    entrypoint: tuple[str, ...]
    command: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    folder: str = "/"
    """WORKDIR: where the process starts."""


NOTHING = Settings(entrypoint=())


def read(path: Path) -> Settings:
    """The settings of the Dockerfile's last stage, those that it inherits from its other stages included.

    Raises DockerfileInvalid: for an entry point or a command that is not a JSON list, and for ENV and WORKDIR with
    build arguments.
    """
    stages: dict[str, Settings] = {}
    name, settings = "", NOTHING
    for number, (instruction, rest) in enumerate(_instructions(path.read_text("utf-8"))):
        try:
            if instruction == "FROM":
                stages[name] = settings
                base, _, called = rest.partition(" AS ") if " AS " in rest else rest.partition(" as ")
                name, settings = called.strip() or str(number), stages.get(base.split()[-1], NOTHING)
            else:
                settings = _after(settings, instruction, rest)
        except ValueError as error:
            raise DockerfileInvalid(f"{path}: {instruction} {rest}: {error}") from error
    return settings


def _after(settings: Settings, instruction: str, rest: str) -> Settings:
    match instruction:
        case "ENTRYPOINT":
            return replace(settings, entrypoint=_words(rest), command=())
        case "CMD":
            return replace(settings, command=_words(rest))
        case "WORKDIR":
            return replace(settings, folder=str(PurePosixPath(settings.folder, _plain(rest))))
        case "ENV":
            pairs = dict(pair.split("=", 1) for pair in shlex.split(_plain(rest)))
            return replace(settings, environment={**settings.environment, **pairs})
    return settings


def _words(text: str) -> tuple[str, ...]:
    words = json.loads(text)
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise ValueError("not a JSON list of words")
    return tuple(words)


def _plain(text: str) -> str:
    if "$" in text:
        raise ValueError("only plain values are understood here, no build arguments")
    return text


def _instructions(text: str) -> Iterator[tuple[str, str]]:
    """Each instruction in capitals and what follows it, continued lines joined, without comments."""
    kept = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    for line in re.sub(r"\\\s*\n", " ", kept).splitlines():
        if line.strip():
            instruction, _, rest = line.strip().partition(" ")
            yield instruction.upper(), rest.strip()
