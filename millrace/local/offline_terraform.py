"""Terraform without a registry: the real core, and the local provider in place of hashicorp/aws.

    with terraform(configuration, folder) as core:
        core.init()
        core.run("validate")

Everything that Terraform writes is inside `folder` (`data/`, `cli.tfrc`, the state of those who keep one); nothing is
written into the configuration. `python -m millrace.local.offline_terraform fmt|validate|test PATH` does one check.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from millrace import terraform_core
from millrace.errors import MillraceError
from millrace.local.terraform_provider import server

Completed = subprocess.CompletedProcess[str]

FOREIGN = ("TF_", "AWS_")
"""Beginnings of variables that could make Terraform read or do what the person set up for another place."""

SECONDS = 900.0
"""No command may take longer; one that does is ended as by SIGTERM."""

COLLECTOR = {"GOGC": "400"}
"""Go collects garbage a quarter as often as by itself: Terraform's core lives for seconds, and a third of its processor
time would go to collecting. So it takes 150 MB more. A GOGC of the caller's counts before this one.
"""


class TerraformFailed(MillraceError):
    """Terraform ended with an error; the message holds its own words."""


@dataclass(frozen=True)
class Terraform:
    """Terraform's core on one configuration. `environment` is all that the command sees."""

    configuration: Path
    folder: Path
    environment: Mapping[str, str]

    def run(self, *arguments: str, stdin: str | None = None) -> Completed:
        """Run one command, `validate` or `apply -auto-approve`; its exit code, output and errors."""
        return subprocess.run(
            self._command(*arguments),
            env=dict(self.environment),
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            encoding="utf-8",
            timeout=SECONDS,
            check=False,
        )

    def lines(self, *arguments: str) -> Generator[dict[str, Any], None, None]:
        """Run a command with `-json` and give its messages as they come; the last is `{"type": "exit", "code": ...}`.

        When the caller stops listening, Terraform is interrupted and waited for, so that its state stays whole.
        """
        with tempfile.TemporaryFile() as errors:
            process = subprocess.Popen(
                self._command(*arguments, "-json"),
                env=dict(self.environment),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                encoding="utf-8",
            )
            limit = threading.Timer(SECONDS, process.terminate)
            limit.daemon = True
            limit.start()
            try:
                assert process.stdout is not None
                yield from map(_message, process.stdout)
                code = process.wait()
                errors.seek(0)
                yield {"type": "exit", "code": code, "stderr": errors.read().decode(errors="replace")}
            finally:
                limit.cancel()
                if process.poll() is None:
                    process.terminate()
                    process.communicate()

    def init(self) -> None:
        """Install the configuration's modules, unless that was done for these very files. Raises TerraformFailed."""
        stamp, files = self.folder / "initialised", _digest(self.configuration)
        if stamp.exists() and stamp.read_text() == files:
            return
        done = self.run("init", "-backend=false", "-input=false", "-lockfile=readonly", "-no-color")
        if done.returncode != 0:
            raise TerraformFailed(f"terraform init in {self.configuration}:\n{done.stdout}{done.stderr}")
        stamp.write_text(files)

    def _command(self, *arguments: str) -> list[str]:
        return [*terraform_core.command(), f"-chdir={self.configuration}", *arguments]


@contextlib.contextmanager
def terraform(
    configuration: Path, folder: Path | None = None, environment: Mapping[str, str] | None = None
) -> Iterator[Terraform]:
    """Terraform on a configuration, with the local provider at its side for as long as the context lasts.

    `environment` says which AWS plan and apply reach (Instance.environment()); the checks reach none. Without a folder
    a temporary one is used and removed.
    """
    with contextlib.ExitStack() as stack:
        place = Path(folder or stack.enter_context(tempfile.TemporaryDirectory(prefix="millrace-terraform-"))).resolve()
        place.mkdir(parents=True, exist_ok=True)
        settings = place / "cli.tfrc"
        settings.touch()
        root = Path(configuration).resolve()
        reattach = stack.enter_context(server.serve(environment or {}, root))
        own = {
            "TF_REATTACH_PROVIDERS": reattach,
            "TF_DATA_DIR": str(place / "data"),
            "TF_CLI_CONFIG_FILE": str(settings),
            "TF_IN_AUTOMATION": "1",
            "CHECKPOINT_DISABLE": "1",
        }
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
        yield Terraform(root, place, {**COLLECTOR, **inherited, **(environment or {}), **own})


def fmt_check(path: Path) -> Completed:
    """`terraform fmt -check -diff` on every file under `path`; the exit code is 0 when nothing is to be formatted."""
    with terraform(path) as core:
        return core.run("fmt", "-check", "-diff", "-recursive")


def validate(path: Path) -> Completed:
    with terraform(path) as core:
        core.init()
        return core.run("validate", "-no-color")


def test(path: Path, *arguments: str) -> Completed:
    """`terraform test`, with `mock_provider "aws"` in the test files; needs Terraform >= 1.7."""
    with terraform(path) as core:
        core.init()
        return core.run("test", "-no-color", *arguments)


def _message(line: str) -> dict[str, Any]:
    try:
        message = json.loads(line)
    except ValueError:
        message = None
    return message if isinstance(message, dict) else {"type": "text", "@message": line.rstrip("\n")}


def _digest(configuration: Path) -> str:
    """Changes with every edit of a .tf file and with another Terraform."""
    digest = hashlib.sha256("\0".join([str(configuration), *terraform_core.command()]).encode())
    for file in sorted(configuration.rglob("*.tf")):
        digest.update(f"{file.relative_to(configuration)}\0".encode() + file.read_bytes())
    return digest.hexdigest()


CHECKS = {"fmt": fmt_check, "validate": validate, "test": test}


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m millrace.local.offline_terraform")
    parser.add_argument("check", choices=sorted(CHECKS))
    parser.add_argument("path", type=Path)
    chosen = parser.parse_args(arguments)
    done = CHECKS[chosen.check](chosen.path)
    sys.stdout.write(done.stdout)
    sys.stderr.write(done.stderr)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
