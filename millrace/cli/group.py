"""The command group: errors become one line and an exit code, and global options may stand anywhere."""

from __future__ import annotations

import itertools
import json
import sys
import traceback
from collections.abc import Iterable
from typing import Any

import typer
from botocore.exceptions import BotoCoreError, ClientError
from typer.core import TyperGroup

from millrace.errors import MillraceError, from_aws

GLOBAL_FLAGS = ("--json", "--debug")
GLOBAL_VALUES = ("--dir", "--outputs")


class Group(TyperGroup):
    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        return super().parse_args(ctx, hoisted(args))

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except MillraceError as error:
            raise typer.Exit(_report(ctx.obj, error)) from error
        except (ClientError, BotoCoreError) as error:
            raise typer.Exit(_report(ctx.obj, from_aws(error))) from error


def hoisted(arguments: Iterable[str]) -> list[str]:
    """Put the global options before the command, so that `millrace runs --json` is `millrace --json runs`."""
    first: list[str] = []
    then: list[str] = []
    rest = iter(arguments)
    for argument in rest:
        if argument == "--":
            then += [argument, *rest]
        elif argument in GLOBAL_FLAGS or argument.startswith(tuple(f"{name}=" for name in GLOBAL_VALUES)):
            first.append(argument)
        elif argument in GLOBAL_VALUES:
            first += [argument, *itertools.islice(rest, 1)]
        else:
            then.append(argument)
    return first + then


def _report(context: Any, error: MillraceError) -> int:
    """Say the error on stderr, and on stdout as a document where JSON was asked for; return the exit code."""
    if context is not None and context.debug:
        traceback.print_exc(file=sys.stderr)
    typer.echo(f"millrace: {error}", err=True)
    if context is not None and context.machine:
        said = {"error": type(error).__name__, "message": str(error), "exitCode": int(error.exit_code)}
        typer.echo(json.dumps(said))
    return int(error.exit_code)
