from __future__ import annotations

import pytest

from tests.terraform import mocked
from tests.terraform.mocked import (
    BY_TASK,
    DATA_SOURCE,
    KEY,
    KNOWLEDGE_BASE,
    SOURCES,
    VECTORS,
    WITH_INCIDENTS,
    Deployment,
)

BEDROCK = {
    "sink": "bedrock",
    "kendra_index_id": None,
    "knowledge_base_id": KNOWLEDGE_BASE,
    "data_source_id": DATA_SOURCE,
    "attribute_types": {"team": "STRING_VALUE"},
}
SYNC = {
    "workflows": ["kb_sync"],
    "ingestion_bucket": None,
    "reports_bucket": None,
    "kendra_index_id": None,
    "sync_sources": SOURCES,
}
INCIDENTS = {
    "sync_sources": WITH_INCIDENTS,
    "incident_source": "incidents",
}
STORE = {
    "workflows": ["vector_store"],
    "ingestion_bucket": None,
    "reports_bucket": None,
    "kendra_index_id": None,
    **VECTORS,
}


@pytest.fixture(scope="session")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    """The configuration with its defaults: Kendra, and a Map over the chunks."""
    return mocked.apply(mocked.copy(tmp_path_factory.mktemp("deployment")))


@pytest.fixture(scope="session")
def queued(tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    """Kendra, and queues with three workers that put and five that delete."""
    root = mocked.copy(tmp_path_factory.mktemp("queued"))
    return mocked.apply(root, deploy_option="sqs", put_concurrency=3, delete_concurrency=5)


@pytest.fixture(scope="session")
def bedrock(tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    """A knowledge base, and a Map over the chunks."""
    return mocked.apply(mocked.copy(tmp_path_factory.mktemp("bedrock")), **BEDROCK)


@pytest.fixture(scope="session")
def queued_bedrock(tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    """A knowledge base, and queues."""
    return mocked.apply(mocked.copy(tmp_path_factory.mktemp("queued-bedrock")), deploy_option="sqs", **BEDROCK)


@pytest.fixture(scope="session", params=["deployment", "queued", "bedrock", "queued_bedrock"])
def any_deployment(request: pytest.FixtureRequest) -> Deployment:
    """Kendra ingestion: each of both options with each of both sinks."""
    found: Deployment = request.getfixturevalue(request.param)
    return found


@pytest.fixture(scope="session")
def queued_with_key(tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    """Queues with a key of the customer's and logs for a week."""
    root = mocked.copy(tmp_path_factory.mktemp("queued-with-key"))
    return mocked.apply(root, deploy_option="sqs", kms_key_arn=KEY, log_retention_days=7)


@pytest.fixture(scope="session")
def synced(tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    """Knowledge base sync alone, told nothing of Kendra ingestion."""
    return mocked.apply(mocked.copy(tmp_path_factory.mktemp("synced")), **SYNC)


@pytest.fixture(scope="session")
def incidents(tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    """Incident sync with the knowledge base sync that it needs."""
    root = mocked.copy(tmp_path_factory.mktemp("incidents"))
    return mocked.apply(root, **{**SYNC, **INCIDENTS, "workflows": ["kb_sync", "incident_sync"]})


@pytest.fixture(scope="session")
def vectors(tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    """The vector store alone, told nothing of the others: standard queues, and a function that embeds."""
    return mocked.apply(mocked.copy(tmp_path_factory.mktemp("vectors")), **STORE)


@pytest.fixture(scope="session")
def vectors_by_task(tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    """The vector store with FIFO queues, a task that embeds, and exports in another bucket too."""
    settings = {"queue_mode": "fifo", "export_buckets": ["example-exports"], **BY_TASK}
    return mocked.apply(mocked.copy(tmp_path_factory.mktemp("vectors-by-task")), **STORE, **settings)


@pytest.fixture(scope="session")
def together_with_key(tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    """All workflows with a key of the customer's, three chunks at once and logs for a week."""
    root = mocked.copy(tmp_path_factory.mktemp("together-with-key"))
    workflows = ["kendra_ingestion", "kb_sync", "incident_sync", "vector_store"]
    settings = {"kms_key_arn": KEY, "max_concurrency": 3, "log_retention_days": 7}
    return mocked.apply(root, workflows=workflows, **INCIDENTS, **VECTORS, **BY_TASK, **settings)


EVERY = [
    "deployment",
    "queued",
    "bedrock",
    "queued_bedrock",
    "synced",
    "incidents",
    "vectors",
    "vectors_by_task",
    "together_with_key",
]


@pytest.fixture(scope="session", params=EVERY)
def every_deployment(request: pytest.FixtureRequest) -> Deployment:
    """Each of both options with each of both sinks, sync alone and with incidents, the vector store with each of both
    consumers, and all workflows together."""
    found: Deployment = request.getfixturevalue(request.param)
    return found


@pytest.fixture(params=["queued_with_key", "together_with_key"])
def any_deployment_with_key(request: pytest.FixtureRequest) -> Deployment:
    """All that there is with a key of the customer's."""
    found: Deployment = request.getfixturevalue(request.param)
    return found
