from __future__ import annotations

import json
from pathlib import Path

from millrace.executions.view import view_of
from millrace.mcp_server.telling import DOING, sentence_of
from millrace.mcp_server.tools import INGEST
from tests.fakes.operator.histories import HistoryWriter
from tests.fakes.operator.mcp_world import a_whole_run, up_to

DEFINITION = Path(__file__).parents[4] / "state_machines" / "incident_sync.asl.json"


def test_the_machine_has_the_states_that_are_spoken_of() -> None:
    assert {*DOING, INGEST} <= json.loads(DEFINITION.read_text("utf-8"))["States"].keys()


def test_before_the_first_state_it_is_starting() -> None:
    assert sentence_of(view_of([])) == "starting"


def test_a_pass_is_told_with_its_number_and_what_the_passes_before_it_did() -> None:
    events = a_whole_run()
    assert sentence_of(view_of(up_to(events, "SyncBatch"))) == "SyncBatch (bringing incidents to S3), pass 1"
    second = [event for event in events if event["id"] <= 8]
    assert sentence_of(view_of(second)) == (
        "SyncBatch (bringing incidents to S3), pass 2: 32 synced, 2 removed, 1 failed"
    )


def test_the_ingestion_is_told_with_the_counts_of_the_sync() -> None:
    assert sentence_of(view_of(up_to(a_whole_run(), "Ingest"))) == (
        "Ingest (waiting until an ingestion job has covered what was written): 98 synced, 2 removed, 1 failed"
    )


def test_the_marking_is_told_with_the_job_that_is_complete() -> None:
    assert sentence_of(view_of(up_to(a_whole_run(), "Measure"))) == (
        "Measure: 98 synced, 2 removed, 1 failed, job J1 is complete, 98 searchable"
    )


def test_a_state_that_is_tried_again_says_so() -> None:
    writer = HistoryWriter()
    writer.enter("SyncBatch")
    for _ in range(2):
        writer.add("TaskScheduled", {"resource": "invoke"})
        writer.fail("PassBusy")
    assert sentence_of(view_of(writer.events)) == "SyncBatch (bringing incidents to S3), pass 1, retry 1"
