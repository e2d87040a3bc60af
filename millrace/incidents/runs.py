"""Runs of incident_sync that a person or a program asks for."""

from __future__ import annotations

import uuid

from millrace.executions.adapter import Execution, Executions


def start_run(executions: Executions) -> Execution:
    """Start one run, however often the start is sent. One that is on its way already goes on: of two, one passes at a
    time, and what the other has written is none of this one's counts."""
    return executions.start({}, name=f"asked-{uuid.uuid4()}")
