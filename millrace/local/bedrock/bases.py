"""Knowledge bases and their data sources: making, telling, listing and deleting them.

What they are made of (models, vector stores) is taken as it is given: nothing is embedded here. What is not emulated is
refused, never ignored.
"""

from __future__ import annotations

import random
import string
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, TypeVar

from millrace.local.bedrock.chunks import NotEmulated, chunking_of
from millrace.local.bedrock.limits import DATA_SOURCES
from millrace.local.bedrock.store import DataSource, KnowledgeBase, Store
from millrace.local.emulated import ApiError, Operation
from millrace.local.pace import Pace

T = TypeVar("T")
PAGE_SIZE = 100
# The member that describes a storage of each type (API model, StorageConfiguration).
STORAGES: Mapping[str, str] = {
    "OPENSEARCH_SERVERLESS": "opensearchServerlessConfiguration",
    "OPENSEARCH_MANAGED_CLUSTER": "opensearchManagedClusterConfiguration",
    "PINECONE": "pineconeConfiguration",
    "REDIS_ENTERPRISE_CLOUD": "redisEnterpriseCloudConfiguration",
    "RDS": "rdsConfiguration",
    "MONGO_DB_ATLAS": "mongoDbAtlasConfiguration",
    "NEPTUNE_ANALYTICS": "neptuneAnalyticsConfiguration",
    "S3_VECTORS": "s3VectorsConfiguration",
}


class Bases:
    """`scope` tells the region and account of the running request."""

    def __init__(
        self,
        store: Store,
        pace: Pace,
        *,
        clock: Callable[[], float],
        scope: Callable[[], tuple[str, str]],
    ) -> None:
        self._store = store
        self._pace = pace
        self._clock = clock
        self._scope = scope

    def operations(self) -> dict[str, Operation]:
        return {
            "CreateKnowledgeBase": self.create_knowledge_base,
            "GetKnowledgeBase": self.get_knowledge_base,
            "ListKnowledgeBases": self.list_knowledge_bases,
            "DeleteKnowledgeBase": self.delete_knowledge_base,
            "CreateDataSource": self.create_data_source,
            "GetDataSource": self.get_data_source,
            "ListDataSources": self.list_data_sources,
            "DeleteDataSource": self.delete_data_source,
        }

    def create_knowledge_base(self, request: dict[str, Any]) -> dict[str, Any]:
        region, _ = self._scope()
        if "tags" in request:
            raise not_emulated("tags")
        _check_kind(request)
        with self._store.transaction():
            before = self._before(f"CreateKnowledgeBase {region}", request)
            if before is not None:
                return {"knowledgeBase": self._told(self.base(before))}
            if any(base.description["name"] == request["name"] for base in self._present()):
                raise ApiError("ConflictException", f"A knowledge base with the name {request['name']} already exists")
            base = KnowledgeBase(new_id(), region, self._clock(), None, _without_token(request))
            self._store.put_knowledge_base(base)
            self._remember(f"CreateKnowledgeBase {region}", request, base.id)
        return {"knowledgeBase": self._told(base)}

    def get_knowledge_base(self, request: dict[str, Any]) -> dict[str, Any]:
        return {"knowledgeBase": self._told(self.base(request["knowledgeBaseId"]))}

    def list_knowledge_bases(self, request: dict[str, Any]) -> dict[str, Any]:
        page, more = page_of(self._present(), request)
        kept = ("knowledgeBaseId", "name", "description", "status", "updatedAt")
        told = [only(kept, self._told(base)) for base in page]
        return {"knowledgeBaseSummaries": told, **more}

    def delete_knowledge_base(self, request: dict[str, Any]) -> dict[str, Any]:
        base = self.base(request["knowledgeBaseId"])
        if base.deleted is None:
            self._store.put_knowledge_base(replace(base, deleted=self._clock()))
        return {"knowledgeBaseId": base.id, "status": "DELETING"}

    def create_data_source(self, request: dict[str, Any]) -> dict[str, Any]:
        base = self.base(request["knowledgeBaseId"])
        if self._status(base) != "ACTIVE":
            raise ApiError("ConflictException", f"Knowledge base {base.id} is {self._status(base)}, not ACTIVE")
        _check_source(request)
        with self._store.transaction():
            before = self._before(f"CreateDataSource {base.id}", request)
            if before is not None:
                return {"dataSource": self._told_source(self.source(base, before))}
            present = self.sources(base)
            if any(source.description["name"] == request["name"] for source in present):
                raise ApiError("ConflictException", f"A data source with the name {request['name']} already exists")
            if len(present) >= DATA_SOURCES:
                message = f"A knowledge base has at most {DATA_SOURCES} data sources"
                raise ApiError("ServiceQuotaExceededException", message)
            source = DataSource(new_id(), base.id, self._clock(), None, _without_token(request))
            self._store.put_data_source(source)
            self._remember(f"CreateDataSource {base.id}", request, source.id)
        return {"dataSource": self._told_source(source)}

    def get_data_source(self, request: dict[str, Any]) -> dict[str, Any]:
        base = self.base(request["knowledgeBaseId"])
        return {"dataSource": self._told_source(self.source(base, request["dataSourceId"]))}

    def list_data_sources(self, request: dict[str, Any]) -> dict[str, Any]:
        page, more = page_of(self.sources(self.base(request["knowledgeBaseId"])), request)
        kept = ("knowledgeBaseId", "dataSourceId", "name", "description", "status", "updatedAt")
        told = [only(kept, self._told_source(source)) for source in page]
        return {"dataSourceSummaries": told, **more}

    def delete_data_source(self, request: dict[str, Any]) -> dict[str, Any]:
        base = self.base(request["knowledgeBaseId"])
        source = self.source(base, request["dataSourceId"])
        if source.deleted is None:
            self._store.put_data_source(replace(source, deleted=self._clock()))
        return {"knowledgeBaseId": base.id, "dataSourceId": source.id, "status": "DELETING"}

    def base(self, base_id: str) -> KnowledgeBase:
        """The knowledge base. Raises ApiError (ResourceNotFoundException)."""
        region, _ = self._scope()
        base = self._store.knowledge_base(base_id)
        if base is not None and self._gone(base):
            self._store.remove_knowledge_base(base_id)
            base = None
        if base is None or base.region != region:
            raise ApiError("ResourceNotFoundException", f"Knowledge base {base_id} does not exist")
        return base

    def active(self, base_id: str) -> KnowledgeBase:
        """The knowledge base if its documents can be worked with. Raises ApiError (ResourceNotFoundException,
        ValidationException)."""
        base = self.base(base_id)
        if self._status(base) != "ACTIVE":
            raise ApiError("ValidationException", f"Knowledge base {base_id} is {self._status(base)}, not ACTIVE")
        return base

    def source(self, base: KnowledgeBase, source_id: str) -> DataSource:
        """The knowledge base's data source. Raises ApiError (ResourceNotFoundException)."""
        found = next((source for source in self.sources(base) if source.id == source_id), None)
        if found is None:
            message = f"Data source {source_id} of knowledge base {base.id} does not exist"
            raise ApiError("ResourceNotFoundException", message)
        return found

    def available(self, base: KnowledgeBase, source_id: str) -> DataSource:
        """The data source if documents can be sent to it. Raises ApiError (ResourceNotFoundException,
        ValidationException)."""
        source = self.source(base, source_id)
        if source.deleted is not None:
            raise ApiError("ValidationException", f"Data source {source_id} is DELETING, not AVAILABLE")
        return source

    def sources(self, base: KnowledgeBase) -> list[DataSource]:
        """The knowledge base's data sources that are there, or are being deleted."""
        present = []
        for source in self._store.data_sources(base.id):
            if self._gone(source):
                self._store.remove_data_source(source.id)
            else:
                present.append(source)
        return present

    def arn(self, base: KnowledgeBase) -> str:
        _, account = self._scope()
        return f"arn:aws:bedrock:{base.region}:{account}:knowledge-base/{base.id}"

    def _present(self) -> list[KnowledgeBase]:
        region, _ = self._scope()
        return [base for base in self._store.knowledge_bases() if base.region == region and not self._gone(base)]

    def _told(self, base: KnowledgeBase) -> dict[str, Any]:
        return {
            **base.description,
            "knowledgeBaseId": base.id,
            "knowledgeBaseArn": self.arn(base),
            "status": self._status(base),
            "createdAt": moment(base.created),
            "updatedAt": moment(base.deleted or base.created),
        }

    def _told_source(self, source: DataSource) -> dict[str, Any]:
        return {
            "dataDeletionPolicy": "DELETE",
            **source.description,
            "knowledgeBaseId": source.knowledge_base_id,
            "dataSourceId": source.id,
            "status": "AVAILABLE" if source.deleted is None else "DELETING",
            "createdAt": moment(source.created),
            "updatedAt": moment(source.deleted or source.created),
        }

    def _status(self, base: KnowledgeBase) -> str:
        if base.deleted is not None:
            return "DELETING"
        return "CREATING" if self._clock() < base.created + self._pace.creating_seconds else "ACTIVE"

    def _gone(self, what: KnowledgeBase | DataSource) -> bool:
        return what.deleted is not None and self._clock() >= what.deleted + self._pace.creating_seconds

    def _before(self, scope: str, request: Mapping[str, Any]) -> str | None:
        """The id of what the same client token has made already."""
        return self._store.answered(scope, request["clientToken"]) if "clientToken" in request else None

    def _remember(self, scope: str, request: Mapping[str, Any], made: str) -> None:
        if "clientToken" in request:
            self._store.remember(scope, request["clientToken"], made)


def moment(seconds: float) -> str:
    """Epoch seconds as the API's date."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds")


def not_emulated(what: str) -> ApiError:
    return ApiError("ValidationException", f"The embedded AWS does not emulate {what}")


def _check_kind(request: Mapping[str, Any]) -> None:
    configuration = request["knowledgeBaseConfiguration"]
    if configuration["type"] != "VECTOR":
        raise not_emulated(f"knowledge bases of type {configuration['type']}")
    if "vectorKnowledgeBaseConfiguration" not in configuration:
        raise ApiError("ValidationException", "vectorKnowledgeBaseConfiguration must be given for type VECTOR")
    storage = request.get("storageConfiguration")
    if storage is None:
        raise ApiError("ValidationException", "storageConfiguration must be given for type VECTOR")
    member = STORAGES[storage["type"]]
    if member not in storage:
        raise ApiError("ValidationException", f"{member} must be given for storage of type {storage['type']}")


def _check_source(request: Mapping[str, Any]) -> None:
    configuration = request["dataSourceConfiguration"]
    if configuration["type"] not in ("CUSTOM", "S3"):
        raise not_emulated(f"data sources of type {configuration['type']}")
    if configuration["type"] == "S3" and "s3Configuration" not in configuration:
        raise ApiError("ValidationException", "s3Configuration must be given for type S3")
    if request.get("dataDeletionPolicy", "DELETE") != "DELETE":
        raise not_emulated("the data deletion policy RETAIN")
    ingestion = request.get("vectorIngestionConfiguration", {})
    extra = ingestion.keys() - {"chunkingConfiguration"}
    if extra:
        raise not_emulated(", ".join(sorted(extra)))
    try:
        chunking_of(ingestion)
    except NotEmulated as error:
        raise not_emulated(str(error)) from None


def page_of(items: Sequence[T], request: Mapping[str, Any]) -> tuple[Sequence[T], dict[str, str]]:
    """The items that the request's page holds, and the token of the next one where there is one."""
    token = request.get("nextToken", "0")
    if not token.isdecimal():
        raise ApiError("ValidationException", "nextToken is not one that this operation gave")
    first = int(token)
    last = first + request.get("maxResults", PAGE_SIZE)
    return items[first:last], {"nextToken": str(last)} if last < len(items) else {}


def only(names: Sequence[str], told: Mapping[str, Any]) -> dict[str, Any]:
    return {name: told[name] for name in names if name in told}


def _without_token(request: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in request.items() if name not in ("clientToken", "knowledgeBaseId")}


def new_id() -> str:
    return "".join(random.choices(string.ascii_uppercase + string.digits, k=10))
