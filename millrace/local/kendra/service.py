"""Kendra's operations, as far as Millrace and its tests call them.

Indexing is asynchronous, as on AWS: an accepted document is PROCESSING until its time has come. What the
model does not say is said here; what is not emulated is refused, never ignored.
"""

from __future__ import annotations

import base64
import binascii
import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from millrace.local.emulated import ApiError, Operation
from millrace.local.kendra import query
from millrace.local.kendra.attributes import WrongAttribute, built_in, flaw_of_value, updated
from millrace.local.kendra.limits import FILE_BYTES, PAGE_SIZE, QUERY_CHARACTERS, RESULTS
from millrace.local.kendra.store import Index, Store
from millrace.local.pace import Gate, Pace
from millrace.local.search.store import Found
from millrace.local.search.words import expression

URI = re.compile(r"^(https?|ftp|file)://([^\s]*)")
NOT_EMULATED: Mapping[str, frozenset[str]] = {
    "CreateIndex": frozenset({"UserTokenConfigurations", "UserGroupResolutionConfiguration"}),
    "UpdateIndex": frozenset({"UserTokenConfigurations", "UserGroupResolutionConfiguration"}),
    "BatchPutDocument": frozenset({"CustomDocumentEnrichmentConfiguration"}),
    "Query": frozenset(
        {
            "CollapseConfiguration",
            "DocumentRelevanceOverrideConfigurations",
            "Facets",
            "SortingConfiguration",
            "SortingConfigurations",
        }
    ),
}
DOCUMENT_NOT_EMULATED = frozenset({"HierarchicalAccessControlList", "AccessControlConfigurationId"})


class Kendra:
    """`scope` tells the region and account of the running request; `wake` tells the indexer of new work."""

    def __init__(
        self,
        store: Store,
        pace: Pace,
        *,
        clock: Callable[[], float],
        ticks: Callable[[], float],
        scope: Callable[[], tuple[str, str]],
        wake: Callable[[], None],
    ) -> None:
        self._store = store
        self._pace = pace
        self._clock = clock
        self._scope = scope
        self._wake = wake
        self._gate = Gate("Kendra", pace, ticks)

    def operations(self) -> dict[str, Operation]:
        named = {
            "CreateIndex": self.create_index,
            "DescribeIndex": self.describe_index,
            "UpdateIndex": self.update_index,
            "ListIndices": self.list_indices,
            "DeleteIndex": self.delete_index,
            "TagResource": self.tag_resource,
            "UntagResource": self.untag_resource,
            "ListTagsForResource": self.list_tags_for_resource,
            "BatchPutDocument": self.batch_put_document,
            "BatchDeleteDocument": self.batch_delete_document,
            "BatchGetDocumentStatus": self.batch_get_document_status,
            "Query": self.query,
        }
        return {name: _refusing(operation, NOT_EMULATED.get(name, frozenset())) for name, operation in named.items()}

    def create_index(self, request: dict[str, Any]) -> dict[str, Any]:
        region, _ = self._scope()
        token = request.get("ClientToken")
        for index in self._store.indices():
            if token and index.client_token == token and index.region == region:
                return {"Id": index.id}
        now = self._clock()
        kept = (
            "Name",
            "Edition",
            "RoleArn",
            "Description",
            "ServerSideEncryptionConfiguration",
            "UserContextPolicy",
        )
        description = {name: request[name] for name in kept if name in request}
        description.setdefault("Edition", "ENTERPRISE_EDITION")
        description.setdefault("UserContextPolicy", "ATTRIBUTE_FILTER")
        if description["UserContextPolicy"] == "USER_TOKEN":
            raise _not_emulated("UserContextPolicy USER_TOKEN")
        tags = {tag["Key"]: tag["Value"] for tag in request.get("Tags", [])}
        index = Index(str(uuid.uuid4()), region, token, now, now, None, description, built_in(), tags)
        self._store.put_index(index)
        return {"Id": index.id}

    def describe_index(self, request: dict[str, Any]) -> dict[str, Any]:
        index = self._index(request["Id"])
        count, size = self._store.size(index.id)
        description = {name: value for name, value in index.description.items() if value != ""}
        return {
            **description,
            "Id": index.id,
            "Status": self._status(index),
            "CreatedAt": index.created,
            "UpdatedAt": index.updated,
            "DocumentMetadataConfigurations": [index.attributes[name] for name in sorted(index.attributes)],
            "IndexStatistics": {
                "FaqStatistics": {"IndexedQuestionAnswersCount": 0},
                "TextDocumentStatistics": {"IndexedTextDocumentsCount": count, "IndexedTextBytes": size},
            },
            "CapacityUnits": index.description.get(
                "CapacityUnits", {"StorageCapacityUnits": 0, "QueryCapacityUnits": 0}
            ),
        }

    def update_index(self, request: dict[str, Any]) -> dict[str, Any]:
        index = self._usable(request["Id"])
        if request.get("UserContextPolicy") == "USER_TOKEN":
            raise _not_emulated("UserContextPolicy USER_TOKEN")
        try:
            attributes = updated(index.attributes, request.get("DocumentMetadataConfigurationUpdates", []))
        except WrongAttribute as error:
            raise ApiError("ValidationException", str(error)) from None
        changes = {
            name: value
            for name, value in request.items()
            if name in ("Name", "RoleArn", "Description", "CapacityUnits", "UserContextPolicy")
        }
        description = {**index.description, **changes}
        self._store.put_index(replace(index, description=description, attributes=attributes, updated=self._clock()))
        return {}

    def list_indices(self, request: dict[str, Any]) -> dict[str, Any]:
        region, _ = self._scope()
        present = [index for index in self._store.indices() if index.region == region and not self._gone(index)]
        first = _page_start(request.get("NextToken"))
        last = first + request.get("MaxResults", 100)
        items = [
            {
                "Name": index.description["Name"],
                "Id": index.id,
                "Edition": index.description["Edition"],
                "CreatedAt": index.created,
                "UpdatedAt": index.updated,
                "Status": self._status(index),
            }
            for index in present[first:last]
        ]
        more = {"NextToken": str(last)} if last < len(present) else {}
        return {"IndexConfigurationSummaryItems": items, **more}

    def delete_index(self, request: dict[str, Any]) -> dict[str, Any]:
        index = self._index(request["Id"])
        if index.deleted is None:
            self._store.put_index(replace(index, deleted=self._clock()))
        return {}

    def tag_resource(self, request: dict[str, Any]) -> dict[str, Any]:
        index = self._tagged(request["ResourceARN"])
        tags = {**index.tags, **{tag["Key"]: tag["Value"] for tag in request["Tags"]}}
        self._store.put_index(replace(index, tags=tags))
        return {}

    def untag_resource(self, request: dict[str, Any]) -> dict[str, Any]:
        index = self._tagged(request["ResourceARN"])
        tags = {key: value for key, value in index.tags.items() if key not in request["TagKeys"]}
        self._store.put_index(replace(index, tags=tags))
        return {}

    def list_tags_for_resource(self, request: dict[str, Any]) -> dict[str, Any]:
        tags = self._tagged(request["ResourceARN"]).tags
        return {"Tags": [{"Key": key, "Value": value} for key, value in sorted(tags.items())]}

    def batch_put_document(self, request: dict[str, Any]) -> dict[str, Any]:
        index = self._paced(request["IndexId"], "BatchPutDocument")
        documents = request["Documents"]
        _refuse_duplicates([document["Id"] for document in documents])
        reads = [document for document in documents if "S3Path" in document]
        if reads and "RoleArn" not in request:
            raise ApiError("ValidationException", "RoleArn is required when a document has an S3Path")
        flaws = {document["Id"]: _flaw(document) for document in documents}
        accepted = [document for document in documents if flaws[document["Id"]] is None]
        self._accept(index, [document["Id"] for document in accepted], accepted, request.get("RoleArn", ""))
        return {
            "FailedDocuments": [
                {"Id": document_id, "ErrorCode": "InvalidRequest", "ErrorMessage": flaw}
                for document_id, flaw in flaws.items()
                if flaw is not None
            ]
        }

    def batch_delete_document(self, request: dict[str, Any]) -> dict[str, Any]:
        if "DataSourceSyncJobMetricTarget" in request:
            raise _not_emulated("DataSourceSyncJobMetricTarget")
        index = self._paced(request["IndexId"], "BatchDeleteDocument")
        ids = request["DocumentIdList"]
        _refuse_duplicates(ids)
        self._accept(index, ids, [None] * len(ids), "")
        return {"FailedDocuments": []}

    def batch_get_document_status(self, request: dict[str, Any]) -> dict[str, Any]:
        index = self._paced(request["IndexId"], "BatchGetDocumentStatus")
        answers = []
        for info in request["DocumentInfoList"]:
            answers.append({"DocumentId": info["DocumentId"], **self._known(index, info["DocumentId"])})
        return {"DocumentStatusList": answers, "Errors": []}

    def _known(self, index: Index, document_id: str) -> dict[str, Any]:
        if self._store.waiting(index.id, document_id):
            return {"DocumentStatus": "PROCESSING"}
        status = self._store.status(index.id, document_id)
        if status is None:
            return {"DocumentStatus": "NOT_FOUND"}
        why = {"FailureCode": status.code, "FailureReason": status.reason} if status.reason else {}
        return {"DocumentStatus": status.status, **why}

    def query(self, request: dict[str, Any]) -> dict[str, Any]:
        index = self._usable(request["IndexId"])
        self._check_query(request, index)
        number, size = request.get("PageNumber", 1), request.get("PageSize", 10)
        wanted = request.get("RequestedDocumentAttributes")
        query_id = str(uuid.uuid4())
        found = self._found(request, index)
        items = [self._item(query_id, index, position, one, wanted) for position, one in enumerate(found)][
            (number - 1) * size : number * size
        ]
        return {
            "QueryId": query_id,
            "ResultItems": items,
            "FacetResults": [],
            "TotalNumberOfResults": len(found),
        }

    def _check_query(self, request: dict[str, Any], index: Index) -> None:
        if len(request.get("QueryText", "")) > QUERY_CHARACTERS:
            raise ApiError("ValidationException", f"QueryText has more than {QUERY_CHARACTERS} characters")
        if not request.get("QueryText", "").strip() and "AttributeFilter" not in request:
            raise ApiError("ValidationException", "QueryText or AttributeFilter must be given")
        if not 1 <= request.get("PageSize", 10) <= PAGE_SIZE or request.get("PageNumber", 1) < 1:
            raise ApiError("ValidationException", f"PageSize is 1 to {PAGE_SIZE} and PageNumber at least 1")
        if {"Token", "DataSourceGroups"} & request.get("UserContext", {}).keys():
            raise _not_emulated("a UserContext with Token or DataSourceGroups")
        unknown = set(request.get("RequestedDocumentAttributes", [])) - index.attributes.keys()
        if unknown:
            raise ApiError("ValidationException", f"The index has no attributes {', '.join(sorted(unknown))}")
        try:
            query.check_filter(request.get("AttributeFilter", {}), index.attributes)
        except query.InvalidFilter as error:
            raise ApiError("ValidationException", str(error)) from None

    def _found(self, request: dict[str, Any], index: Index) -> list[Found]:
        if request.get("QueryResultTypeFilter", "DOCUMENT") != "DOCUMENT":
            return []
        text = request.get("QueryText", "").strip()
        words = expression(text)
        if text and words is None:
            return []
        condition, user = request.get("AttributeFilter", {}), request.get("UserContext")
        found = []
        for one in self._store.find([index.id], words, RESULTS):
            document = one.document
            if query.may_see(document.access, user) and query.passes(condition, document.attributes):
                found.append(one)
                if len(found) == RESULTS:
                    break
        return found

    def _item(
        self,
        query_id: str,
        index: Index,
        position: int,
        found: Found,
        wanted: list[str] | None,
    ) -> dict[str, Any]:
        shown = [
            attribute
            for attribute in found.document.attributes
            if attribute["Key"] == "_source_uri"
            or (
                index.attributes.get(attribute["Key"], {"Search": {"Displayable": False}})["Search"]["Displayable"]
                if wanted is None
                else attribute["Key"] in wanted
            )
        ]
        uri = next((query.value_of(item) for item in shown if item["Key"] == "_source_uri"), None)
        item_id = f"{query_id}-{uuid.uuid4()}"
        return {
            "Id": item_id,
            "Type": "DOCUMENT",
            "Format": "TEXT",
            "DocumentId": found.document.id,
            "DocumentTitle": query.highlighted(found.title),
            "DocumentExcerpt": query.highlighted(found.excerpt),
            **({"DocumentURI": uri} if isinstance(uri, str) and URI.fullmatch(uri) else {}),
            "DocumentAttributes": shown,
            "ScoreAttributes": {"ScoreConfidence": query.confidence(position)},
            "FeedbackToken": base64.b64encode(item_id.encode()).decode(),
        }

    def statistics(self) -> dict[str, Any]:
        """The pace, and of each index and batch operation what `Gate.counts` says."""
        return {"pace": vars(self._pace), "indices": self._gate.counts()}

    def set_pace(self, changes: Mapping[str, float]) -> None:
        """Change how fast Kendra is from now on. Raises ValueError for a setting that it does not have."""
        self._gate.set_pace(changes)

    def arn(self, index: Index) -> str:
        _, account = self._scope()
        return f"arn:aws:kendra:{index.region}:{account}:index/{index.id}"

    def _accept(self, index: Index, ids: list[str], documents: list[Any], role_arn: str) -> None:
        if ids:
            now = self._clock()
            due = now + self._pace.indexing_seconds
            self._store.accept(index.id, ids, documents, role_arn, now=now, due=due)
            self._wake()

    def _index(self, index_id: str) -> Index:
        region, _ = self._scope()
        index = self._store.index(index_id)
        if index is not None and self._gone(index):
            self._store.remove_index(index_id)
            index = None
        if index is None or index.region != region:
            raise ApiError("ResourceNotFoundException", f"Index {index_id} does not exist")
        return index

    def _usable(self, index_id: str) -> Index:
        index = self._index(index_id)
        status = self._status(index)
        if status != "ACTIVE":
            raise ApiError("ConflictException", f"Index {index_id} is {status}; it must be ACTIVE")
        return index

    def _paced(self, index_id: str, operation: str) -> Index:
        index = self._usable(index_id)
        self._gate.enter(index_id, operation)
        return index

    def _tagged(self, arn: str) -> Index:
        index = self._store.index(arn.rpartition("/")[2])
        if index is None or self._gone(index) or self.arn(index) != arn:
            raise ApiError("ResourceUnavailableException", f"The resource {arn} does not exist")
        return index

    def _status(self, index: Index) -> str:
        if index.deleted is not None:
            return "DELETING"
        return "CREATING" if self._clock() < index.created + self._pace.creating_seconds else "ACTIVE"

    def _gone(self, index: Index) -> bool:
        return index.deleted is not None and self._clock() >= index.deleted + self._pace.creating_seconds


def content_of_blob(document: dict[str, Any]) -> bytes:
    return base64.b64decode(document["Blob"])


def _flaw(document: dict[str, Any]) -> str | None:
    """Why the document does not pass validation."""
    extra = DOCUMENT_NOT_EMULATED & document.keys()
    if extra:
        return f"The embedded AWS does not emulate {', '.join(sorted(extra))}"
    if ("Blob" in document) == ("S3Path" in document):
        return "A document must have either a Blob or an S3Path"
    if "Blob" in document:
        try:
            size = len(base64.b64decode(document["Blob"], validate=True))
        except binascii.Error:
            return "The Blob is not base64"
        if size > FILE_BYTES:
            return f"The document is {size} bytes; the limit of a file is {FILE_BYTES}"
    keys = [attribute["Key"] for attribute in document.get("Attributes", [])]
    if len(set(keys)) < len(keys):
        return "An attribute is given more than once"
    return next(filter(None, map(flaw_of_value, document.get("Attributes", []))), None)


def _refuse_duplicates(ids: list[str]) -> None:
    twice = sorted({document_id for document_id in ids if ids.count(document_id) > 1})
    if twice:
        raise ApiError("ValidationException", f"Document ids must be unique in a request: {', '.join(twice)[:500]}")


def _refusing(operation: Operation, members: frozenset[str]) -> Operation:
    def run(request: dict[str, Any]) -> dict[str, Any]:
        extra = members & request.keys()
        if extra:
            raise _not_emulated(", ".join(sorted(extra)))
        return operation(request)

    return run


def _not_emulated(what: str) -> ApiError:
    return ApiError("ValidationException", f"The embedded AWS does not emulate {what}")


def _page_start(token: str | None) -> int:
    if token is None:
        return 0
    if not token.isdecimal():
        raise ApiError("ValidationException", "NextToken is not one that ListIndices gave")
    return int(token)
