"""Which deployment of Millrace a command talks to, on AWS or on the embedded AWS, and clients for it.

A deployment is what Terraform's outputs say (docs/architecture.md, "Names that Terraform gives"; docs/kb_sync.md,
docs/incident_sync.md and docs/vector_store.md, "Terraform"). They are looked for in this order:

1. a file that was named (`--outputs`, MILLRACE_OUTPUTS): what `terraform output -json` printed
2. `<folder>/deployment.json`, while the embedded AWS of that folder is running
3. `terraform output -json` in the checkout's `terraform/`: AWS
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from millrace import terraform_core
from millrace.errors import NoDeployment, NotDeployed, UsageError
from millrace.local import session
from millrace.local.instance import Instance

TERRAFORM_FOLDER = Path(__file__).resolve().parents[1] / "terraform"
TERRAFORM_SECONDS = 120
EMBEDDED_CREDENTIALS = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
SETTINGS: Mapping[str, Any] = {
    "retries": {"mode": "standard", "total_max_attempts": 8},
    "max_pool_connections": 32,
}
EMBEDDED_SETTINGS: Mapping[str, Any] = {**SETTINGS, "proxies": {}, "s3": {"addressing_style": "path"}}


class Workflow(StrEnum):
    """What a deployment may hold: `workflows` of terraform/."""

    KENDRA_INGESTION = "kendra_ingestion"
    KB_SYNC = "kb_sync"
    INCIDENT_SYNC = "incident_sync"
    VECTOR_STORE = "vector_store"

    @property
    def with_its_needs(self) -> frozenset[Workflow]:
        """The workflow, and those that it cannot be deployed without."""
        needs = {Workflow.INCIDENT_SYNC: {Workflow.KB_SYNC}}
        return frozenset({self, *needs.get(self, ())})


NEEDED_BY: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "deploy_option": {"sfn": (), "sqs": ("progress_table",)},
    "sink": {"kendra": ("kendra_index_id",), "bedrock": ("knowledge_base_id", "data_source_id")},
}
"""Which outputs each option and each sink of kendra_ingestion has beside those that it always has."""


@dataclass(frozen=True)
class KendraIngestion:
    """The outputs of kendra_ingestion; those that only another option or sink has are None."""

    deploy_option: str
    sink: str
    ingestion_bucket: str
    reports_bucket: str
    state_machine_arn: str
    jobs_table: str
    ledger_table: str
    dead_letter_queue_url: str
    kendra_index_id: str | None = None
    knowledge_base_id: str | None = None
    data_source_id: str | None = None
    progress_table: str | None = None


@dataclass(frozen=True)
class SyncSource:
    """A data source that is kept up to date with what is under the prefix of the bucket."""

    name: str
    knowledge_base_id: str
    data_source_id: str
    bucket: str
    prefix: str = ""

    @property
    def key(self) -> str:
        """Its key in the sync table."""
        return f"{self.knowledge_base_id}/{self.data_source_id}"

    @property
    def ids(self) -> dict[str, str]:
        """What names it to Bedrock and to kb_sync."""
        return {"knowledgeBaseId": self.knowledge_base_id, "dataSourceId": self.data_source_id}


@dataclass(frozen=True)
class KbSync:
    """The outputs of kb_sync."""

    kb_sync_state_machine_arn: str
    sync_table: str
    sync_dead_letter_queue_url: str
    sources: tuple[SyncSource, ...]

    def source(self, name: str | None) -> SyncSource:
        """The source of that name; the only one where none is named. Raises UsageError, which names those that exist.

        A source can also be named by its key.
        """
        known = ", ".join(source.name for source in self.sources) or "none"
        if name is None:
            if len(self.sources) == 1:
                return self.sources[0]
            raise UsageError(f"which source? This deployment's sync_sources are: {known}")
        found = next((source for source in self.sources if name in (source.name, source.key)), None)
        if found is None:
            raise UsageError(f"no source {name}; this deployment's sync_sources are: {known}")
        return found

    def name_of(self, key: str) -> str:
        """What a person calls the key: its source's name, or the key itself where no source has it any more."""
        return next((source.name for source in self.sources if source.key == key), key)


@dataclass(frozen=True)
class IncidentSync:
    """The outputs of incident_sync; `source` is the one of kb_sync's sources that the incidents are written to."""

    incident_sync_state_machine_arn: str
    incidents_table: str
    incident_sync_table: str
    incident_batch_sync_function: str
    incident_prefix: str
    incident_dead_letter_queue_url: str
    source: SyncSource

    @property
    def bucket(self) -> str:
        """Where the incidents' objects are, under `incident_prefix`."""
        return self.source.bucket


@dataclass(frozen=True)
class VectorFunctions:
    """Names of the vector store's functions that are called by name."""

    search: str
    check: str
    collect: str
    overdue: str


@dataclass(frozen=True)
class VectorDeadLetters:
    """URLs of the queues that hold what could not be worked: of both queues of changes, of files to embed, of the
    receipts' stream."""

    changes: str
    embed: str
    stream: str


@dataclass(frozen=True)
class VectorStore:
    """The outputs of vector_store."""

    compaction_state_machine_arn: str
    flights_table: str
    receipts_table: str
    vector_store_table: str
    store_bucket: str
    embed_consumer: str
    queue_mode: str
    embed_queue_url: str
    lines_queue_url: str
    words_queue_url: str
    vector_dead_letter_queue_urls: VectorDeadLetters
    vector_functions: VectorFunctions


@dataclass(frozen=True)
class Deployment:
    """What is deployed together: a workflow that is not is None. `endpoint` is None on AWS; `source` says where the
    outputs were read."""

    aws_region: str
    notifications_topic_arn: str
    kendra_ingestion: KendraIngestion | None = None
    kb_sync: KbSync | None = None
    incident_sync: IncidentSync | None = None
    vector_store: VectorStore | None = None
    endpoint: str | None = None
    source: str = ""

    @property
    def workflows(self) -> tuple[Workflow, ...]:
        return tuple(workflow for workflow in Workflow if getattr(self, workflow) is not None)

    @property
    def ingestion(self) -> KendraIngestion:
        """Raises NotDeployed."""
        if self.kendra_ingestion is None:
            raise self._lacks(Workflow.KENDRA_INGESTION)
        return self.kendra_ingestion

    @property
    def sync(self) -> KbSync:
        """Raises NotDeployed."""
        if self.kb_sync is None:
            raise self._lacks(Workflow.KB_SYNC)
        return self.kb_sync

    @property
    def incidents(self) -> IncidentSync:
        """Raises NotDeployed."""
        if self.incident_sync is None:
            raise self._lacks(Workflow.INCIDENT_SYNC)
        return self.incident_sync

    @property
    def store(self) -> VectorStore:
        """Raises NotDeployed."""
        if self.vector_store is None:
            raise self._lacks(Workflow.VECTOR_STORE)
        return self.vector_store

    def state_machine_of(self, workflow: Workflow) -> str:
        """The ARN of the machine that is the workflow. Raises NotDeployed."""
        match workflow:
            case Workflow.KENDRA_INGESTION:
                return self.ingestion.state_machine_arn
            case Workflow.KB_SYNC:
                return self.sync.kb_sync_state_machine_arn
            case Workflow.INCIDENT_SYNC:
                return self.incidents.incident_sync_state_machine_arn
            case Workflow.VECTOR_STORE:
                return self.store.compaction_state_machine_arn

    def _lacks(self, workflow: Workflow) -> NotDeployed:
        there = ", ".join(self.workflows) or "nothing"
        return NotDeployed(
            f"{workflow} is not deployed at {self.describe()}, only {there}; "
            f"add {workflow} to the variable workflows of terraform/ and apply it"
        )

    @property
    def embedded(self) -> bool:
        return self.endpoint is not None

    def describe(self) -> str:
        place = f"the embedded AWS at {self.endpoint}" if self.embedded else f"AWS, {self.aws_region}"
        return f"{place} (from {self.source})"

    def client(self, service: str, **settings: Any) -> Any:
        """A client for this deployment, with more settings of botocore's Config than all have; on the embedded AWS it
        never sees the person's own credentials."""
        if not self.embedded:
            return self._session.client(service, config=Config(**{**SETTINGS, **settings}))
        config = Config(**{**EMBEDDED_SETTINGS, **settings})
        return self._session.client(service, endpoint_url=self.endpoint, config=config)

    @cached_property
    def _session(self) -> boto3.session.Session:
        if not self.embedded:
            return boto3.session.Session(region_name=self.aws_region)
        return session.of_our_own(self.aws_region, **EMBEDDED_CREDENTIALS)


def from_outputs(outputs: Mapping[str, Any], source: str, endpoint: str | None = None) -> Deployment:
    """Read Terraform's outputs, plain or as `terraform output -json` wraps them in `{"value": ...}`.

    Outputs without `workflows` are of kendra_ingestion, the only workflow where none is chosen. Raises NoDeployment,
    which names every output that the workflows, the option and the sink need and that is not there.
    """
    plain = {
        name: value["value"] if isinstance(value, dict) and "value" in value else value
        for name, value in outputs.items()
    }
    reading = _Reading(plain, source)
    workflows = reading.workflows()
    common = reading.texts("aws_region", "notifications_topic_arn")
    ingestion = reading.kendra_ingestion() if Workflow.KENDRA_INGESTION in workflows else None
    sync = reading.kb_sync() if Workflow.KB_SYNC in workflows else None
    incidents = reading.incident_sync(sync) if Workflow.INCIDENT_SYNC in workflows else None
    store = reading.vector_store() if Workflow.VECTOR_STORE in workflows else None
    reading.complain()
    return Deployment(
        **common,
        kendra_ingestion=ingestion,
        kb_sync=sync,
        incident_sync=incidents,
        vector_store=store,
        endpoint=endpoint,
        source=source,
    )


class _Reading:
    """Reads outputs and keeps in mind which of them are missing, so that all are named at once."""

    def __init__(self, outputs: Mapping[str, Any], source: str) -> None:
        self._outputs = outputs
        self._source = source
        self._missing: list[str] = []

    def workflows(self) -> Sequence[str]:
        found = self._outputs.get("workflows") or [Workflow.KENDRA_INGESTION]
        known = [workflow.value for workflow in Workflow]
        if unknown := [name for name in found if name not in known]:
            raise self._of_another_version("workflows", ", ".join(unknown), known)
        return found

    def kendra_ingestion(self) -> KendraIngestion:
        needed: list[str] = []
        for choice, kinds in NEEDED_BY.items():
            kind = self._outputs.get(choice)
            if kind and kind not in kinds:
                raise self._of_another_version(choice, kind, kinds)
            needed += kinds[kind] if kind else ()
        optional = {name for kinds in NEEDED_BY.values() for names in kinds.values() for name in names}
        always = [field.name for field in fields(KendraIngestion) if field.name not in optional]
        there = {name: self._outputs[name] for name in optional if self._outputs.get(name)}
        return KendraIngestion(**{**there, **self.texts(*always, *needed)})

    def kb_sync(self) -> KbSync:
        sources = self._outputs.get("sync_sources")
        if sources is None:
            self._missing.append("sync_sources")
        texts = self.texts("kb_sync_state_machine_arn", "sync_table", "sync_dead_letter_queue_url")
        return KbSync(**texts, sources=tuple(_sync_source(*each) for each in sorted((sources or {}).items())))

    def incident_sync(self, sync: KbSync | None) -> IncidentSync | None:
        """None where its source is not there, which `complain` tells: the incidents are written to one of kb_sync's."""
        always = [field.name for field in fields(IncidentSync) if field.name != "source"]
        texts = self.texts(*always, "incident_source")
        name = texts.pop("incident_source")
        sources = sync.sources if sync else ()
        found = next((source for source in sources if source.name == name), None)
        if found is None:
            if name:
                self._missing.append(f"sync_sources.{name}")
            return None
        return IncidentSync(**texts, source=found)

    def vector_store(self) -> VectorStore:
        dead_letters = VectorDeadLetters(**self._texts_in("vector_dead_letter_queue_urls", VectorDeadLetters))
        functions = VectorFunctions(**self._texts_in("vector_functions", VectorFunctions))
        maps = ("vector_dead_letter_queue_urls", "vector_functions")
        always: Any = self.texts(*(field.name for field in fields(VectorStore) if field.name not in maps))
        return VectorStore(**always, vector_dead_letter_queue_urls=dead_letters, vector_functions=functions)

    def texts(self, *names: str) -> dict[str, str]:
        """Those outputs; of one that is missing, an empty text until `complain`."""
        return self._texts(self._outputs, "", names)

    def _texts_in(self, output: str, kind: type[VectorDeadLetters | VectorFunctions]) -> dict[str, str]:
        """What this kind has of an output that is a map, as `texts`."""
        return self._texts(self._outputs.get(output) or {}, f"{output}.", [field.name for field in fields(kind)])

    def _texts(self, found: Mapping[str, Any], prefix: str, names: Iterable[str]) -> dict[str, str]:
        there = {name: found[name] if isinstance(found.get(name), str) else "" for name in names}
        self._missing += [f"{prefix}{name}" for name, text in there.items() if not text]
        return there

    def complain(self) -> None:
        """Raise NoDeployment where something was missing."""
        if self._missing:
            missing = ", ".join(self._missing)
            raise NoDeployment(f"{self._source} lacks the outputs {missing}; run terraform apply there")

    def _of_another_version(self, output: str, value: str, known: Iterable[str]) -> NoDeployment:
        said = f"{self._source} has {output} {value!r}; this version of millrace knows {', '.join(known)}"
        return NoDeployment(said)


def _sync_source(name: str, settings: Mapping[str, str]) -> SyncSource:
    return SyncSource(
        name,
        knowledge_base_id=settings["knowledge_base_id"],
        data_source_id=settings["data_source_id"],
        bucket=settings["bucket"],
        prefix=settings.get("prefix") or "",
    )


def find(folder: Path, outputs_file: Path | None = None, terraform: Path = TERRAFORM_FOLDER) -> Deployment:
    """Find the deployment to talk to, in the module's order. Raises NoDeployment, UsageError."""
    if outputs_file is not None:
        return _from_file(outputs_file)
    return _embedded(folder) or _on_aws(folder, terraform)


def _from_file(path: Path) -> Deployment:
    document = _read_json(path)
    if "outputs" in document:
        return from_outputs(document["outputs"], str(path), document.get("endpoint"))
    return from_outputs(document, str(path))


def _embedded(folder: Path) -> Deployment | None:
    instance = Instance.find(folder)
    if instance is None:
        return None
    path = folder / "deployment.json"
    if not path.exists():
        raise NoDeployment(
            f"the embedded AWS of {folder} is running, but nothing is deployed to it; run: millrace local apply"
        )
    document = _read_json(path)
    return from_outputs(document["outputs"], str(path), instance.url)


def _on_aws(folder: Path, terraform: Path) -> Deployment:
    nothing = (
        f"no deployment found: no embedded AWS is running in {folder} (start one: millrace local up, "
        f"millrace local apply), and {terraform} has no outputs "
        "(deploy to AWS: make apply; or name a file: --outputs FILE)"
    )
    if not terraform.is_dir():
        raise NoDeployment(nothing)
    command = [*terraform_core.command(), f"-chdir={terraform}", "output", "-json"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TERRAFORM_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NoDeployment(f"{nothing}; terraform output: {error}") from error
    if done.returncode != 0:
        said = " ".join(done.stderr.split())[-300:]
        raise NoDeployment(f"{nothing}; terraform output said: {said}")
    outputs = json.loads(done.stdout or "{}")
    if not outputs:
        raise NoDeployment(nothing)
    return from_outputs(outputs, f"terraform output in {terraform}")


def _read_json(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        raise UsageError(f"{path} is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise UsageError(f"{path} must hold a JSON object, as terraform output -json prints it")
    return document
