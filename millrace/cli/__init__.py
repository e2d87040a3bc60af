"""The `millrace` command."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from millrace.cli import incidents, mcp, pipeline, recovery, store, syncing
from millrace.cli.context import Context
from millrace.cli.group import Group
from millrace.errors import ExitCode
from millrace.local import commands as local

EXIT_CODES = ", ".join(f"{code.value} {code.meaning}" for code in ExitCode)
HELP = f"""
Hand documents to the ingestion pipeline, keep knowledge bases up to date with their buckets and with closed incidents,
keep the vector store true to its receipts, and see what became of all of them, on AWS or on the embedded AWS.

Exit codes: {EXIT_CODES}.
"""

app = typer.Typer(
    name="millrace", help=HELP, cls=Group, no_args_is_help=True, add_completion=False, rich_markup_mode=None
)


@app.callback()
def settings(
    ctx: typer.Context,
    folder: Annotated[Path, typer.Option("--dir", metavar="FOLDER", help="The folder of the embedded AWS.")] = Path(
        ".millrace"
    ),
    outputs: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            envvar="MILLRACE_OUTPUTS",
            help="What `terraform output -json` printed for the deployment to talk to.",
        ),
    ] = None,
    machine: Annotated[
        bool,
        typer.Option(
            "--json",
            help="Print JSON on stdout: one document, or one a line where there is a course of events.",
        ),
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    ctx.obj = Context(folder=folder, outputs=outputs, machine=machine, debug=debug)


pipeline.add_to(app)
recovery.add_to(app)
syncing.add_to(app)
mcp.add_to(app)
app.add_typer(incidents.app, name="incidents")
app.add_typer(store.app, name="store")
app.add_typer(local.app, name="local")
