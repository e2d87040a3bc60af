"""Which sink a deployment has. Whoever sends, verifies or remembers asks here, and nowhere else."""

from __future__ import annotations

from uuid import uuid4

from kendra_ingestion import aws
from kendra_ingestion.bedrock import BedrockSink
from kendra_ingestion.folder import Folder
from kendra_ingestion.kendra import KendraSink
from kendra_ingestion.settings import KENDRA, Settings
from kendra_ingestion.sink import Sink


def sink_of(settings: Settings, bucket: str) -> Sink:
    """The sink of the settings, for documents of this bucket; one for each invocation."""
    if settings.sink == KENDRA:
        return KendraSink(
            aws.kendra(), index_id=settings.kendra_index_id, role_arn=settings.kendra_role_arn, bucket=bucket
        )
    return BedrockSink(
        aws.bedrock_agent(),
        Folder(aws.s3(), bucket),
        knowledge_base_id=settings.knowledge_base_id,
        data_source_id=settings.data_source_id,
        attribute_types=settings.attribute_types,
        scope=uuid4().hex,
    )


def name_of(settings: Settings) -> str:
    """What the ledger calls the sink: a document that one sink knows is unknown to another."""
    if settings.sink == KENDRA:
        return f"kendra/{settings.kendra_index_id}"
    return f"bedrock/{settings.knowledge_base_id}/{settings.data_source_id}"
