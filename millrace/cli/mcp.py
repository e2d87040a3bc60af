"""The command mcp: the MCP server on stdin and stdout."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Annotated

import typer

from millrace.cli.context import Context
from millrace.errors import MillraceError

DEFAULT_SECONDS = 900.0
MCP_PACKAGES = ("mcp", "mcp_types")
Seconds = Annotated[
    float,
    typer.Option(
        "--seconds",
        min=1,
        metavar="SECONDS",
        envvar="MILLRACE_MCP_SECONDS",
        help="How long a tool waits at most; what it waits for goes on after that.",
    ),
]


def add_to(app: typer.Typer) -> None:
    app.command()(mcp)


def mcp(ctx: typer.Context, seconds: Seconds = DEFAULT_SECONDS) -> None:
    """Serve the incidents' tools to an MCP client, which starts this command itself (docs/mcp.md).

    Ends when the client closes stdin.
    """
    try:
        from millrace.mcp_server.server import serve
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in MCP_PACKAGES:
            raise
        raise MillraceError(
            "millrace mcp needs the package mcp, which is not installed here; "
            "install it: pip install 'millrace[mcp]' (in a checkout: pip install '.[mcp]')"
        ) from error
    context: Context = ctx.obj
    if sys.stdin.isatty():
        context.notes.print("serving MCP on stdin and stdout, which is for a client; Ctrl-C ends it (docs/mcp.md)")
    serve(lambda: replace(context, announce=False), seconds)
