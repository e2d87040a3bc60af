"""Every state machine of Millrace, as Terraform puts it together from the files in state_machines/."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.state_machines.rendering import joined, render

REPOSITORY = Path(__file__).parents[2]
FOLDER = REPOSITORY / "state_machines"
ACCOUNT = "123456789012"
TOPIC = f"arn:aws:sns:us-east-1:{ACCOUNT}:millrace-notifications"


@dataclass(frozen=True)
class Machine:
    """A definition, the parts and replacements that join it, and what stands for each placeholder."""

    name: str
    definition: Path
    values: Mapping[str, str]
    parts: tuple[Path, ...] = ()
    replacements: Path | None = None

    @property
    def files(self) -> set[Path]:
        return {self.definition, *self.parts, *([self.replacements] if self.replacements else [])}

    @property
    def arn(self) -> str:
        return f"arn:aws:states:us-east-1:{ACCOUNT}:stateMachine:{self.name}"

    def rendered(self, **values: str) -> dict[str, Any]:
        """The definition as it is created, with other `values` for some of its placeholders."""
        text = joined(self.definition, self.parts, self.replacements)
        definition: dict[str, Any] = json.loads(render(text, {**self.values, **values}))
        return definition

    def execution(self, name: str) -> str:
        """The ARN of one of its executions."""
        return f"arn:aws:states:us-east-1:{ACCOUNT}:execution:{self.name}:{name}"

    def __str__(self) -> str:
        return self.name


def functions(*names: str, prefix: str = "millrace") -> dict[str, str]:
    return {
        f"{name}_arn": f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:{prefix}-{name.replace('_', '-')}"
        for name in names
    }


KENDRA_VALUES = {
    "partition": "aws",
    "jobs_table": "millrace-jobs",
    "notifications_topic_arn": TOPIC,
    **functions("load_manifest", "list_batches", "verify", "aggregate_failures", "archive_manifest"),
}
KENDRA_INGESTION = Machine(
    "kendra-ingestion",
    FOLDER / "kendra_ingestion.asl.json",
    {**KENDRA_VALUES, **functions("process_batch"), "max_concurrency": "4"},
)
KENDRA_INGESTION_SQS = Machine(
    "kendra-ingestion-sqs",
    KENDRA_INGESTION.definition,
    {**KENDRA_VALUES, **functions("producer")},
    replacements=FOLDER / "kendra_ingestion.sqs.json",
)
KB_SYNC = Machine(
    "kb-sync",
    FOLDER / "kb_sync.asl.json",
    {
        "partition": "aws",
        "table": "millrace-sync",
        "notifications_topic_arn": TOPIC,
        "failure_subject": "Knowledge base sync failed",
        # As short as can be, because Step Functions Local really waits.
        "poll_seconds": "1",
        "seconds_between_starts": "1",
    },
    parts=(FOLDER / "single_flight.states.json",),
)
KB_SYNC_SWEEPER = Machine(
    "kb-sync-sweeper",
    FOLDER / "single_flight_sweeper.asl.json",
    {"partition": "aws", "table": KB_SYNC.values["table"], "machine_arn": KB_SYNC.arn},
)
COMPACTION = Machine(
    "compaction",
    FOLDER / "compaction.asl.json",
    {
        "partition": "aws",
        "table": "millrace-flights",
        "notifications_topic_arn": TOPIC,
        "failure_subject": "Compaction failed",
        "poll_seconds": "1",
        "seconds_between_starts": "1",
        **functions("compact"),
    },
    parts=KB_SYNC.parts,
)
INCIDENT_SYNC = Machine(
    "incident-sync",
    FOLDER / "incident_sync.asl.json",
    {
        "partition": "aws",
        "kb_sync_arn": KB_SYNC.arn,
        "knowledge_base_id": "KB12345678",
        "data_source_id": "DS12345678",
        "passes": "3",
        **functions("batch_sync", "confirm", "metrics", prefix="incident-kb"),
    },
)
MACHINES = {
    machine.name: machine
    for machine in (KENDRA_INGESTION, KENDRA_INGESTION_SQS, KB_SYNC, KB_SYNC_SWEEPER, COMPACTION, INCIDENT_SYNC)
}
