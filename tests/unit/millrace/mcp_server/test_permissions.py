"""The policy in docs/mcp.md, and an example result, against what the server does."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from millrace.mcp_server import results
from millrace.mcp_server.permissions import PERMISSIONS
from tests.fakes.operator.mcp_world import World, a_whole_run

PAGE = (Path(__file__).parents[4] / "docs" / "mcp.md").read_text("utf-8")
BLOCKS: list[dict[str, Any]] = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)]
TOOLS = ("force_kb_sync", "sync_and_ingest", "kb_sync_status", "list_runs")


def allowed() -> set[str]:
    (policy,) = (block for block in BLOCKS if "Statement" in block)
    actions = (statement["Action"] for statement in policy["Statement"])
    return {action for each in actions for action in ([each] if isinstance(each, str) else each)}


def test_the_policy_of_the_page_allows_each_call_that_the_server_makes_and_nothing_else(world: World) -> None:
    world.becomes(a_whole_run())
    for tool in TOOLS:
        assert not world.call(tool).is_error
    needed = {PERMISSIONS[operation] for operation in world.operations}
    assert allowed() == needed - {None}
    assert PERMISSIONS.keys() == world.operations


def test_the_examples_of_the_page_have_the_shapes_of_the_tools() -> None:
    (ingested,) = (block for block in BLOCKS if "ingestion_phase" in block)
    (forced,) = (block for block in BLOCKS if "lambda_execution" in block)
    assert results.SyncAndIngest.model_validate(ingested).model_dump(by_alias=True) == ingested
    assert results.ForceKbSync.model_validate(forced).model_dump(by_alias=True) == forced
