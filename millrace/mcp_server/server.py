"""The server: the tools as a client sees them, each call in a thread of its own, and errors as sentences."""

from __future__ import annotations

import json
import logging
import signal
import sys
from collections.abc import Awaitable, Callable
from importlib.metadata import version
from types import new_class
from typing import Annotated, Any

import anyio
from botocore.exceptions import BotoCoreError, ClientError
from mcp.server.mcpserver import Context as Call
from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.mcpserver.tools import Tool
from mcp.types import CallToolResult, TextContent, ToolAnnotations
from pydantic import Field

from millrace.cli.context import Context
from millrace.errors import MillraceError
from millrace.mcp_server import results, tools
from millrace.mcp_server.permissions import explained
from millrace.mcp_server.tools import Answer
from millrace.mcp_server.waiting import Wait, carried_out

logger = logging.getLogger(__name__)

INSTRUCTIONS = (
    "Millrace brings closed incidents from a DynamoDB table to S3 and into a Bedrock knowledge base, and takes those "
    "away that are reopened or deleted. It does so every hour by itself. Use sync_and_ingest to have everything that "
    "waits found now; kb_sync_status to see what waits or was set aside, and why."
)
CHANGES = ToolAnnotations(read_only_hint=False, destructive_hint=True, idempotent_hint=False, open_world_hint=False)
"""Destructive: a reopened or deleted incident leaves S3 and the knowledge base. Not idempotent: of an incident that
cannot be written every call counts as an attempt, and after five it is set aside."""
READS = ToolAnnotations(read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False)


class Server:
    """The tools of one deployment, which `connect` finds anew for each call: it may have been applied since."""

    def __init__(self, connect: Callable[[], Context], seconds: float) -> None:
        self._connect = connect
        self._seconds = seconds

    def made(self) -> MCPServer:
        return MCPServer(
            "millrace",
            title="Millrace",
            version=version("millrace"),
            instructions=INSTRUCTIONS,
            tools=[
                _tool(self.force_kb_sync, "Force the sync to S3", CHANGES),
                _tool(self.sync_and_ingest, "Sync and ingest", CHANGES),
                _tool(self.kb_sync_status, "What waits, and the last run", READS),
                _tool(self.list_runs, "List runs", READS),
            ],
            subscriptions=False,
        )

    async def force_kb_sync(
        self,
        call: Call,
        wait_for_completion: Annotated[
            bool,
            Field(description="Work pass after pass until nothing waits; false: have one pass worked, and return."),
        ] = True,
    ) -> Annotated[CallToolResult, results.ForceKbSync]:
        """Write the closed incidents that wait to S3, and take the reopened and deleted ones away from it. Starts no
        ingestion job, so nothing becomes searchable by this alone: sync_and_ingest does both."""
        return await self._answer(call, lambda context, wait: tools.force_kb_sync(context, wait, wait_for_completion))

    async def sync_and_ingest(
        self,
        call: Call,
        wait_for_sync: Annotated[bool, Field(description="Wait until the incidents are in S3.")] = True,
        wait_for_ingestion: Annotated[
            bool, Field(description="Wait until an ingestion job has made them searchable; includes wait_for_sync.")
        ] = True,
    ) -> Annotated[CallToolResult, results.SyncAndIngest]:
        """Bring the closed incidents that wait to S3 and into the knowledge base, and take the reopened and deleted
        ones away from both. A run that nobody waits for any more, or that takes longer than the server waits, goes on
        by itself."""
        return await self._answer(
            call, lambda context, wait: tools.sync_and_ingest(context, wait, wait_for_sync, wait_for_ingestion)
        )

    async def kb_sync_status(self, call: Call) -> Annotated[CallToolResult, results.KbSyncStatus]:
        """How many incidents wait to be written, to be ingested or for a person, and since when; why some are set
        aside; the requests for ingestion jobs; the last run."""
        return await self._answer(call, lambda context, _: tools.kb_sync_status(context))

    async def list_runs(
        self, call: Call, limit: Annotated[int, Field(ge=1, le=100, description="How many at most.")] = 10
    ) -> Annotated[CallToolResult, results.Runs]:
        """The latest runs of incident_sync and kb_sync, newest first."""
        return await self._answer(call, lambda context, _: tools.list_runs(context, limit))

    async def _answer(self, call: Call, work: Callable[[Context, Wait], Answer]) -> CallToolResult:
        async def report(seconds: float, sentence: str) -> None:
            await call.report_progress(seconds, message=sentence)

        def cancelled(running: str) -> None:
            logger.info("a call was cancelled; %s", running)

        try:
            done = await carried_out(
                lambda wait: work(self._connect(), wait), report, seconds=self._seconds, cancelled=cancelled
            )
        except MillraceError as error:
            raise ToolError(str(error)) from error
        except (ClientError, BotoCoreError) as error:
            raise ToolError(explained(error)) from error
        document = done.result.model_dump(mode="json", by_alias=True)
        texts = (json.dumps(document, indent=2), done.remark)
        return CallToolResult(
            content=[TextContent(type="text", text=text) for text in texts], structured_content=document
        )


def _tool(function: Callable[..., Awaitable[CallToolResult]], title: str, annotations: ToolAnnotations) -> Tool:
    """A tool that refuses arguments which it does not have, where the package would drop them without a word."""
    made = Tool.from_function(function, title=title, annotations=annotations)
    lenient = made.fn_metadata.arg_model
    strict: Any = new_class(lenient.__name__, (lenient,), {"extra": "forbid"})
    made.fn_metadata.arg_model = strict
    made.parameters = strict.model_json_schema(by_alias=True)
    made.description = " ".join(made.description.split())
    return made


def serve(connect: Callable[[], Context], seconds: float) -> None:
    """Serve on stdin and stdout until the client closes them. Logs go to stderr, and name executions only."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # or Ctrl-C would wait for the thread that waits for stdin
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
    for name in ("millrace", "mcp"):
        logging.getLogger(name).setLevel(logging.INFO)
    anyio.run(Server(connect, seconds).made().run_stdio_async)
