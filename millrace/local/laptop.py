"""The whole stack in one folder of this machine: bring it up, deploy to it, take it down without a trace."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from millrace.deployment import Workflow
from millrace.errors import NoDeployment, UsageError
from millrace.local import deploy
from millrace.local.instance import Instance, InstanceError, Options

MARKER = "belongs-to-millrace"
MARKER_TEXT = "This folder belongs to an embedded AWS; `millrace local down` removes it with all that is in it.\n"

# Variables of terraform/ that suit sinks and jobs on the same machine, in place of defaults that suit AWS.
VARIABLES: Mapping[str, Any] = {
    "sink_requests_per_second": 40,
    "verification_deadline_seconds": 60,
    "sync_batching_window_seconds": 1,
    "sync_poll_seconds": 1,
    "sync_seconds_between_starts": 1,
    "change_batching_window_seconds": 1,
    "compaction_seconds_between_starts": 1,
    "embed_requests_per_second": 150,
}


def up(folder: Path, options: Options | None = None) -> tuple[Instance, bool]:
    """Start the folder's embedded AWS unless it runs; whether it was started now.

    Raises UsageError for a folder that is not ours, and InstanceError.
    """
    running = Instance.find(folder)
    if running is not None:
        return running, False
    if folder.exists() and not is_ours(folder):
        raise UsageError(f"{folder} holds something else; name a new or empty folder: --dir FOLDER")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MARKER).write_text(MARKER_TEXT)
    # What an earlier embedded AWS left in the folder describes things that ended with it.
    shutil.rmtree(folder / "terraform", ignore_errors=True)
    (folder / deploy.DEPLOYMENT).unlink(missing_ok=True)
    return Instance.start(folder, options or Options()), True


def apply(folder: Path, variables: Mapping[str, Any], say: Callable[[str], None]) -> dict[str, Any]:
    """Deploy to the folder's embedded AWS, as often as one likes; returns Terraform's outputs."""
    return deploy.apply(the_running(folder), {**VARIABLES, **variables}, say=say)


def add(folder: Path, workflow: Workflow, variables: Mapping[str, Any], say: Callable[[str], None]) -> dict[str, Any]:
    """Deploy a workflow beside those that are there, which stay as they are; returns Terraform's outputs."""
    return apply(folder, {**deploy.beside(the_running(folder), workflow), **variables}, say)


def down(folder: Path) -> bool:
    """Stop the folder's embedded AWS and remove the folder; whether there was anything. Raises UsageError.

    Works on what was half made, and where nothing is. A folder that is not ours is left alone.
    """
    if not folder.exists():
        return False
    if not is_ours(folder):
        raise UsageError(f"{folder} was not made by millrace local up, so it is left alone; remove it by hand")
    try:
        running = Instance.find(folder)
    except InstanceError:
        running = None  # its details are damaged, so no process can be told from others; the folder goes
    if running is not None:
        running.stop()
    shutil.rmtree(folder.resolve())
    if folder.is_symlink():
        folder.unlink()
    return True


def is_ours(folder: Path) -> bool:
    """Whether the folder may be filled and removed: it carries our marker, or is an empty folder."""
    return folder.is_dir() and ((folder / MARKER).is_file() or next(folder.iterdir(), None) is None)


def the_running(folder: Path) -> Instance:
    """The folder's embedded AWS. Raises NoDeployment when it is not running."""
    instance = Instance.find(folder)
    if instance is None:
        raise NoDeployment(f"no embedded AWS is running in {folder}; start it: millrace local up")
    return instance
