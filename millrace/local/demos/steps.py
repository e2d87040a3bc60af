"""What the stories share: numbered steps with their times, the first two of them, and the end."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.text import Text

from millrace.cli.context import Context
from millrace.cli.printing import plain, say
from millrace.deployment import Workflow
from millrace.errors import ExitCode
from millrace.local import laptop

INDENT = 3
END_IT = ("local down", "end it, and leave nothing behind (make down does the same)")


@dataclass(frozen=True)
class Ending:
    """How a story came out: `wrong` is what is not as it is meant, in words; `verdict` is told when nothing is. `facts`
    are a script's, `hints` a person's: what to type next, and what it does."""

    facts: Mapping[str, Any]
    wrong: Sequence[str]
    verdict: str
    hints: Sequence[tuple[str, str]]


class Steps:
    def __init__(self, context: Context) -> None:
        context.announce = False
        self._context = context
        self._number = 0
        self._began = time.monotonic()

    @contextlib.contextmanager
    def next(self, title: str) -> Iterator[None]:
        console = self._context.console
        self._number += 1
        began = time.monotonic()
        console.print(Text.assemble((f"{self._number}  ", "bold cyan"), (title, "bold")))
        yield
        console.print(Text(f"   {time.monotonic() - began:.1f} s", "dim"))

    def say(self, line: str, style: str = "") -> None:
        say(self._context.console, f"{' ' * INDENT}{line}", style)

    def up(self) -> None:
        """Start the embedded AWS of the folder, or find it."""
        with self.next("An AWS on this machine"):
            instance, started = laptop.up(self._context.folder)
            self.say(f"{'started' if started else 'already up'} at {instance.url}, log {instance.log}")

    def apply(self, workflow: Workflow, variables: Mapping[str, Any]) -> None:
        """Deploy the workflow with these variables. What another story deployed to the folder stays there."""
        said: list[str] = []
        with self.next("terraform apply"), self._context.console.status("packaging") as status:

            def hear(line: str) -> None:
                said.append(line)
                status.update(plain(line))

            laptop.add(self._context.folder, workflow, variables, hear)
            self.say(summary_of_apply(said))

    def end(self, ending: Ending, command: str) -> ExitCode:
        """Say how it came out and how to look further. `command` is how a person calls millrace for this folder."""
        seconds = time.monotonic() - self._began
        code = ExitCode.FAILED if ending.wrong else ExitCode.OK
        facts = {**ending.facts, "wrong": list(ending.wrong), "seconds": round(seconds, 3), "exitCode": int(code)}
        self._context.emit(facts)
        console = self._context.console
        console.print()
        for flaw in ending.wrong:
            say(console, f"not as it should be: {flaw}", "red")
        if not ending.wrong:
            say(console, f"As it should be, in {seconds:.1f} s: {ending.verdict}.", "bold green")
        say(console, "Everything is still running. Look further:")
        for what, meaning in (*ending.hints, END_IT):
            console.print(Text.assemble(f"  {command} {what}", (f"   {meaning}", "dim")), soft_wrap=True)
        return code


def summary_of_apply(said: Sequence[str]) -> str:
    """Terraform's closing line, with the words for nothing to do where it counted nothing."""
    closing = said[-1] if said else "no summary"
    return f"No changes. {closing}" if "0 added, 0 changed, 0 destroyed" in closing else closing
