"""A docker command line that behaves: put its folder on the PATH with `installed`.

It keeps images, logins and what was pushed in a file, and every call with its arguments and what was typed. An image's
id and digest follow from its Dockerfile and arguments. It has no daemon, breaks a build, or refuses a push if told so.
Run as a program it is docker itself."""

from __future__ import annotations

import hashlib
import json
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

STATE = "state.json"
WITHOUT_DAEMON = "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?"
SUMMARY = """\
#8 [packages 4/4] RUN sh packages.sh
#8 0.5 ERROR: No matching distribution found for chromadb
------
 > [packages 4/4] RUN sh packages.sh:
0.5 ERROR: No matching distribution found for chromadb
------
ERROR: failed to solve: process "/bin/sh -c sh packages.sh" did not complete successfully: exit code: 1
"""


@dataclass
class State:
    daemon: bool = True
    base_platform: str | None = None
    broken: str | None = None
    """The name of a Dockerfile that cannot be built."""
    refused: str | None = None
    """What a registry says to a push."""
    images: dict[str, dict[str, Any]] = field(default_factory=dict)
    passwords: dict[str, str] = field(default_factory=dict)
    pushed: list[str] = field(default_factory=list)
    calls: list[list[str]] = field(default_factory=list)


class Docker:
    def __init__(self, folder: Path) -> None:
        self._file = folder / STATE

    @property
    def state(self) -> State:
        return State(**json.loads(self._file.read_text()))

    def set(self, **settings: Any) -> None:
        self._file.write_text(json.dumps({**asdict(self.state), **settings}))

    def calls(self, command: str) -> list[list[str]]:
        """The arguments of the calls of one command."""
        return [call[1:] for call in self.state.calls if call[0] == command]


def installed(folder: Path) -> Docker:
    """A docker in this folder."""
    (folder / STATE).write_text(json.dumps(asdict(State())))
    program = folder / "docker"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -S {__file__} "$0" "$@"\n')
    program.chmod(0o755)
    return Docker(folder)


def _after(arguments: list[str], option: str) -> str:
    return arguments[arguments.index(option) + 1]


def _digest(text: str) -> str:
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def build(state: State, arguments: list[str]) -> str:
    dockerfile = Path(_after(arguments, "--file"))
    if state.broken == dockerfile.name:
        raise SystemExit(SUMMARY)
    system, _, machine = (state.base_platform or _after(arguments, "--platform")).partition("/")
    made = {"Id": _digest(dockerfile.read_text() + " ".join(arguments)), "Os": system, "Architecture": machine}
    state.images[_after(arguments, "--tag")] = {**made, "RepoDigests": []}
    return "naming to it done"


def tag(state: State, arguments: list[str]) -> str:
    state.images[arguments[1]] = state.images[arguments[0]]
    return ""


def inspect(state: State, arguments: list[str]) -> str:
    return json.dumps([state.images[arguments[-1]]])


def login(state: State, arguments: list[str]) -> str:
    assert "--password-stdin" in arguments
    state.passwords[arguments[-1]] = sys.stdin.read()
    return "Login Succeeded"


def push(state: State, arguments: list[str]) -> str:
    place, _, _ = arguments[0].partition(":")
    if place.partition("/")[0] not in state.passwords:
        raise SystemExit("no basic auth credentials")
    if state.refused:
        raise SystemExit(state.refused)
    image = state.images[arguments[0]]
    image["RepoDigests"] = ["elsewhere/x@sha256:0", f"{place}@{_digest(image['Id'])}"]
    state.pushed.append(arguments[0])
    return f"digest: {_digest(image['Id'])}"


COMMANDS = {"build": build, "tag": tag, "image": inspect, "login": login, "push": push}


def main(program: str, *arguments: str) -> None:
    docker = Docker(Path(program).parent)
    state = docker.state
    state.calls.append(list(arguments))
    try:
        if not state.daemon:
            raise SystemExit(WITHOUT_DAEMON)
        if arguments[0] == "version":
            print("28.2.2")
        else:
            print(COMMANDS[arguments[0]](state, list(arguments[1:])))
    finally:
        docker.set(**asdict(state))


if __name__ == "__main__":
    main(*sys.argv[1:])
