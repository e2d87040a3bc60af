"""Kendra's operations with a clock of our own: nothing waits, nothing is read from anywhere."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from millrace.local.emulated import Emulated
from millrace.local.kendra.indexing import Indexer
from millrace.local.kendra.service import Kendra, content_of_blob
from millrace.local.kendra.store import Store
from millrace.local.pace import Pace
from millrace.local.search.text import Unindexable
from millrace.local.wire import Received

ROLE = "arn:aws:iam::123456789012:role/reader"


class Objects:
    """S3, as the indexer sees it: what is there, and what may not be read."""

    def __init__(self) -> None:
        self.content: dict[str, bytes] = {}
        self.denied: set[str] = set()
        self.roles: list[str] = []

    def read(self, bucket: str, key: str, role_arn: str, index_arn: str) -> bytes:
        self.roles.append(role_arn)
        assert ":index/" in index_arn
        if key in self.denied:
            raise Unindexable(f"Access to s3://{bucket}/{key} is denied", "AccessDenied")
        if key not in self.content:
            raise Unindexable(f"The object s3://{bucket}/{key} does not exist")
        return self.content[key]


class World:
    """An emulated Kendra, its index and the time."""

    def __init__(self, folder: Path) -> None:
        self.now = 1_000_000.0
        self.region = "us-east-1"
        self.store = Store(folder / "kendra.sqlite")
        self.objects = Objects()
        self.kendra = Kendra(
            self.store,
            Pace(requests_per_second=1000, indexing_seconds=5, creating_seconds=60),
            clock=lambda: self.now,
            ticks=lambda: self.now,
            scope=lambda: (self.region, "123456789012"),
            wake=lambda: None,
        )
        self.indexer = Indexer(self.store, self.objects, content_of_blob, self.kendra.arn)
        self.service = Emulated("kendra", self.kendra.operations())
        self.index = self.call("CreateIndex", Name="docs", RoleArn=ROLE)["Id"]

    def answer(self, operation: str, **request: Any) -> tuple[int, dict[str, Any]]:
        headers = {"x-amz-target": f"AWSKendraFrontendService.{operation}"}
        status, _, body = self.service.answer(Received("POST", "/", headers, json.dumps(request).encode()))
        return status, json.loads(body)

    def call(self, operation: str, **request: Any) -> dict[str, Any]:
        status, answer = self.answer(operation, **request)
        assert status == 200, answer
        return answer

    def refusal(self, operation: str, **request: Any) -> dict[str, Any]:
        status, answer = self.answer(operation, **request)
        assert status == 400, answer
        return answer

    def put(self, *documents: dict[str, Any]) -> list[dict[str, Any]]:
        request = {"IndexId": self.index, "RoleArn": ROLE, "Documents": list(documents)}
        return self.call("BatchPutDocument", **request)["FailedDocuments"]

    def delete(self, *ids: str) -> None:
        self.call("BatchDeleteDocument", IndexId=self.index, DocumentIdList=list(ids))

    def settle(self) -> None:
        self.now += 5
        while self.indexer.run_due(self.now):
            pass

    def status(self, document_id: str) -> dict[str, Any]:
        request = {"IndexId": self.index, "DocumentInfoList": [{"DocumentId": document_id}]}
        (status,) = self.call("BatchGetDocumentStatus", **request)["DocumentStatusList"]
        return status

    def find(self, text: str, **more: Any) -> list[str]:
        items = self.call("Query", IndexId=self.index, QueryText=text, **more)["ResultItems"]
        return [item["DocumentId"] for item in items]


@pytest.fixture
def world(tmp_path: Path):
    made = World(tmp_path)
    made.now += 60
    yield made
    made.store.close()


def inline(document_id: str, text: str | bytes = "some words", **more: Any) -> dict[str, Any]:
    content = text if isinstance(text, bytes) else text.encode()
    return {"Id": document_id, "Blob": base64.b64encode(content).decode(), **more}


def stored(document_id: str, key: str, **more: Any) -> dict[str, Any]:
    return {"Id": document_id, "S3Path": {"Bucket": "documents", "Key": key}, **more}


def attribute(key: str, **value: Any) -> dict[str, Any]:
    return {"Key": key, "Value": value}


class TestDocuments:
    def test_a_document_is_processing_until_its_time_has_come_and_then_indexed(self, world: World):
        world.put(inline("a"))
        assert world.status("a")["DocumentStatus"] == "PROCESSING"
        world.now += 4.9
        assert world.indexer.run_due(world.now) == 0
        assert world.find("words") == []
        world.settle()
        assert world.status("a") == {"DocumentId": "a", "DocumentStatus": "INDEXED"}
        assert world.find("words") == ["a"]

    def test_a_document_sent_again_is_updated_and_the_old_text_is_gone(self, world: World):
        world.put(inline("a", "first"))
        world.settle()
        world.put(inline("a", "second"))
        assert world.status("a")["DocumentStatus"] == "PROCESSING"
        assert world.find("first") == ["a"]
        world.settle()
        assert world.status("a")["DocumentStatus"] == "UPDATED"
        assert world.find("first") == []
        assert world.find("second") == ["a"]

    def test_an_update_that_fails_leaves_the_old_document(self, world: World):
        world.put(inline("a", "first"))
        world.settle()
        world.put(inline("a", b"\xff\xfe"))
        world.settle()
        assert world.status("a")["DocumentStatus"] == "UPDATE_FAILED"
        assert world.find("first") == ["a"]

    def test_a_failed_document_that_is_mended_is_indexed(self, world: World):
        world.put(inline("a", b"\xff"))
        world.settle()
        assert world.status("a")["DocumentStatus"] == "FAILED"
        world.put(inline("a", "well"))
        world.settle()
        assert world.status("a") == {"DocumentId": "a", "DocumentStatus": "INDEXED"}

    def test_a_deleted_document_is_processing_and_then_not_found(self, world: World):
        world.put(inline("a"))
        world.settle()
        world.delete("a", "never-there")
        assert world.status("a")["DocumentStatus"] == "PROCESSING"
        world.settle()
        assert world.status("a")["DocumentStatus"] == "NOT_FOUND"
        assert world.status("never-there")["DocumentStatus"] == "NOT_FOUND"
        assert world.find("words") == []

    def test_work_on_one_document_is_done_in_the_order_of_the_requests(self, world: World):
        world.put(inline("a", "first"))
        world.delete("a")
        world.put(inline("a", "third"))
        world.now += 5
        world.indexer.run_due(world.now)
        assert world.status("a")["DocumentStatus"] == "INDEXED"
        assert world.find("third") == ["a"]
        assert world.find("first") == []

    def test_an_object_is_read_with_the_role_of_the_request(self, world: World):
        world.objects.content["a.txt"] = b"from a bucket"
        world.put(stored("a", "a.txt"))
        world.settle()
        assert world.find("bucket") == ["a"]
        assert world.objects.roles == [ROLE]

    @pytest.mark.parametrize(
        ("document", "code", "reason"),
        [
            (stored("a", "gone.txt"), "InvalidRequest", "s3://documents/gone.txt does not exist"),
            (stored("a", "secret.txt"), "AccessDenied", "is denied"),
            (inline("a", b"\xc3("), "InvalidRequest", "not UTF-8: byte 0"),
            (inline("a", "{", ContentType="JSON"), "InvalidRequest", "not valid JSON"),
            (inline("a", "[" * 100_000, ContentType="JSON"), "InvalidRequest", "not valid JSON"),
            (inline("a", " \n"), "InvalidRequest", "empty"),
            (inline("a", "{}", ContentType="JSON"), "InvalidRequest", "empty"),
            (inline("a", "x" * (5 * 1024 * 1024 + 1)), "InvalidRequest", "5242881 bytes; the limit of a document"),
            (inline("a", "x", ContentType="PDF"), "InternalError", "extracts no text"),
            (
                inline("a", Attributes=[attribute("colour", StringValue="red")]),
                "InvalidRequest",
                "No document metadata configuration found for document attribute key colour",
            ),
            (
                inline("a", Attributes=[attribute("_view_count", StringValue="7")]),
                "InvalidRequest",
                "_view_count has the type STRING_VALUE, but the index expects LONG_VALUE",
            ),
        ],
    )
    def test_a_document_that_cannot_be_indexed_fails_later_alone_and_says_why(
        self, world: World, document, code, reason
    ):
        world.objects.denied.add("secret.txt")
        assert world.put(document, inline("other")) == []
        world.settle()
        status = world.status("a")
        assert status["DocumentStatus"] == "FAILED"
        assert status["FailureCode"] == code
        assert reason in status["FailureReason"]
        assert world.status("other")["DocumentStatus"] == "INDEXED"

    @pytest.mark.parametrize(
        ("document", "message"),
        [
            ({"Id": "a"}, "either a Blob or an S3Path"),
            ({**inline("a"), **stored("a", "k")}, "either a Blob or an S3Path"),
            ({"Id": "a", "Blob": "not base64!"}, "not base64"),
            (inline("a", Attributes=[attribute("_category")]), "exactly one value, found 0"),
            (inline("a", Attributes=[attribute("_category", StringValue="x", LongValue=1)]), "found 2"),
            (inline("a", Attributes=[attribute("_authors", StringListValue=["x"] * 11)]), "more than 10 strings"),
            (inline("a", Attributes=[attribute("_category", StringValue="x")] * 2), "more than once"),
            (inline("a", AccessControlConfigurationId="c"), "does not emulate AccessControlConfigurationId"),
        ],
    )
    def test_a_document_that_does_not_pass_validation_is_in_the_answer(self, world: World, document, message):
        (failed,) = world.put(document, inline("other"))
        assert failed["Id"] == "a"
        assert failed["ErrorCode"] == "InvalidRequest"
        assert message in failed["ErrorMessage"]
        world.settle()
        assert world.status("a")["DocumentStatus"] == "NOT_FOUND"
        assert world.status("other")["DocumentStatus"] == "INDEXED"

    def test_a_file_over_50_megabytes_does_not_pass_validation(self, world: World):
        (failed,) = world.put(inline("a", b"x" * (50 * 1024 * 1024 + 1)))
        assert "the limit of a file" in failed["ErrorMessage"]

    def test_the_same_id_twice_in_a_request_is_refused(self, world: World):
        request = {"IndexId": world.index, "Documents": [inline("a"), inline("a")]}
        assert "unique" in world.refusal("BatchPutDocument", **request)["message"]
        request = {"IndexId": world.index, "DocumentIdList": ["a", "a"]}
        assert "unique" in world.refusal("BatchDeleteDocument", **request)["message"]

    @pytest.mark.parametrize("count", [0, 11])
    def test_a_request_holds_1_to_10_items(self, world: World, count):
        ids = [str(number) for number in range(count)]
        for operation, items in {
            "BatchPutDocument": {"Documents": [inline(each) for each in ids]},
            "BatchDeleteDocument": {"DocumentIdList": ids},
            "BatchGetDocumentStatus": {"DocumentInfoList": [{"DocumentId": each} for each in ids]},
        }.items():
            assert world.refusal(operation, IndexId=world.index, **items)["__type"] == "ValidationException"

    def test_an_id_has_at_most_2048_characters(self, world: World):
        assert world.put(inline("x" * 2048)) == []
        assert (
            "2048" in world.refusal("BatchPutDocument", IndexId=world.index, Documents=[inline("x" * 2049)])["message"]
        )

    def test_a_document_in_s3_needs_a_role(self, world: World):
        said = world.refusal("BatchPutDocument", IndexId=world.index, Documents=[stored("a", "k")])
        assert "RoleArn" in said["message"]


class TestThrottling:
    def test_calls_over_the_rate_are_throttled_and_counted(self, world: World):
        world.kendra.set_pace({"requests_per_second": 2})
        answers = [world.answer("BatchDeleteDocument", IndexId=world.index, DocumentIdList=["a"]) for _ in range(5)]
        assert [status for status, _ in answers] == [200, 200, 400, 400, 400]
        assert answers[-1][1]["__type"] == "ThrottlingException"
        world.now += 0.5
        world.delete("a")
        counts = world.kendra.statistics()["indices"][world.index]["BatchDeleteDocument"]
        assert (counts["calls"], counts["throttled"]) == (6, 3)

    def test_a_throttled_request_has_no_effect(self, world: World):
        world.kendra.set_pace({"requests_per_second": 1})
        world.put(inline("a"))
        status, _ = world.answer("BatchPutDocument", IndexId=world.index, Documents=[inline("b")])
        assert status == 400
        world.kendra.set_pace({"requests_per_second": 100})
        world.settle()
        assert world.status("b")["DocumentStatus"] == "NOT_FOUND"

    def test_operations_do_not_use_up_each_others_rate(self, world: World):
        world.kendra.set_pace({"requests_per_second": 1})
        world.put(inline("a"))
        assert world.status("a")["DocumentStatus"] == "PROCESSING"

    def test_an_unknown_setting_of_the_pace_is_refused(self, world: World):
        with pytest.raises(ValueError, match="requests_per_second"):
            world.kendra.set_pace({"speed": 1})


class TestIndices:
    def test_a_new_index_is_creating_and_refuses_documents(self, world: World):
        index = world.call("CreateIndex", Name="new", RoleArn=ROLE)["Id"]
        assert world.call("DescribeIndex", Id=index)["Status"] == "CREATING"
        for operation, request in {
            "BatchPutDocument": {"IndexId": index, "Documents": [inline("a")]},
            "Query": {"IndexId": index, "QueryText": "x"},
            "UpdateIndex": {"Id": index, "Name": "y"},
        }.items():
            assert world.refusal(operation, **request)["__type"] == "ConflictException"
        world.now += 60
        assert world.call("DescribeIndex", Id=index)["Status"] == "ACTIVE"

    def test_the_same_token_creates_one_index(self, world: World):
        first = world.call("CreateIndex", Name="n", RoleArn=ROLE, ClientToken="t")
        assert world.call("CreateIndex", Name="n", RoleArn=ROLE, ClientToken="t") == first
        assert world.call("CreateIndex", Name="n", RoleArn=ROLE, ClientToken="u") != first

    def test_an_index_describes_its_attributes_and_statistics(self, world: World):
        update = [{"Name": "team", "Type": "STRING_VALUE", "Search": {"Facetable": True}}]
        world.call("UpdateIndex", Id=world.index, DocumentMetadataConfigurationUpdates=update)
        world.put(inline("a", "12345", Attributes=[attribute("team", StringValue="blue")]))
        world.settle()
        described = world.call("DescribeIndex", Id=world.index)
        attributes = {each["Name"]: each for each in described["DocumentMetadataConfigurations"]}
        assert attributes["_source_uri"]["Type"] == "STRING_VALUE"
        assert attributes["_created_at"]["Type"] == "DATE_VALUE"
        assert attributes["team"]["Search"] == {
            "Facetable": True,
            "Searchable": True,
            "Displayable": True,
            "Sortable": False,
        }
        statistics = described["IndexStatistics"]["TextDocumentStatistics"]
        assert statistics == {"IndexedTextDocumentsCount": 1, "IndexedTextBytes": 5}

    @pytest.mark.parametrize(
        ("update", "said"),
        [
            ({"Name": "_category", "Type": "LONG_VALUE"}, "cannot be changed"),
            ({"Name": "_mine", "Type": "LONG_VALUE"}, "not one of Kendra's"),
        ],
    )
    def test_an_attribute_update_that_cannot_be_is_refused(self, world: World, update, said):
        request = {"Id": world.index, "DocumentMetadataConfigurationUpdates": [update]}
        assert said in world.refusal("UpdateIndex", **request)["message"]

    def test_an_index_has_at_most_500_attributes_of_its_own(self, world: World):
        updates = [{"Name": f"a{number}", "Type": "LONG_VALUE"} for number in range(500)]
        world.call("UpdateIndex", Id=world.index, DocumentMetadataConfigurationUpdates=updates[:499])
        extra = [updates[499], {"Name": "one_too_many", "Type": "LONG_VALUE"}]
        said = world.refusal("UpdateIndex", Id=world.index, DocumentMetadataConfigurationUpdates=extra)
        assert "500" in said["message"]

    def test_indices_are_listed_page_by_page(self, world: World):
        more = [world.call("CreateIndex", Name=f"n{number}", RoleArn=ROLE)["Id"] for number in range(2)]
        first = world.call("ListIndices", MaxResults=2)
        rest = world.call("ListIndices", NextToken=first["NextToken"])
        listed = [item["Id"] for page in (first, rest) for item in page["IndexConfigurationSummaryItems"]]
        assert sorted(listed) == sorted([world.index, *more])
        assert "NextToken" not in rest

    def test_a_deleted_index_is_deleting_and_then_gone_with_its_documents(self, world: World):
        world.put(inline("a"))
        world.settle()
        world.call("DeleteIndex", Id=world.index)
        assert world.call("DescribeIndex", Id=world.index)["Status"] == "DELETING"
        assert world.refusal("Query", IndexId=world.index, QueryText="x")["__type"] == "ConflictException"
        world.now += 60
        assert world.refusal("DescribeIndex", Id=world.index)["__type"] == "ResourceNotFoundException"
        assert world.call("ListIndices")["IndexConfigurationSummaryItems"] == []
        assert world.store.size(world.index) == (0, 0)

    def test_an_index_belongs_to_its_region(self, world: World):
        world.region = "eu-west-1"
        assert world.refusal("DescribeIndex", Id=world.index)["__type"] == "ResourceNotFoundException"
        assert world.call("ListIndices")["IndexConfigurationSummaryItems"] == []

    def test_tags_come_and_go(self, world: World):
        arn = f"arn:aws:kendra:us-east-1:123456789012:index/{world.index}"
        world.call("TagResource", ResourceARN=arn, Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])
        world.call("UntagResource", ResourceARN=arn, TagKeys=["a"])
        assert world.call("ListTagsForResource", ResourceARN=arn) == {"Tags": [{"Key": "b", "Value": "2"}]}
        unknown = world.refusal("ListTagsForResource", ResourceARN=arn + "x")
        assert unknown["__type"] == "ResourceUnavailableException"


class TestQuery:
    def test_the_best_answer_comes_first_with_its_matches_marked(self, world: World):
        world.put(
            inline("both", "The fox was jumping over a lazy dog", Title="Foxes"),
            inline("one", "A dog sleeps"),
            inline("none", "Nothing of the kind"),
        )
        world.settle()
        answer = world.call("Query", IndexId=world.index, QueryText="Does the fox jump?")
        (item,) = answer["ResultItems"]
        assert item["DocumentId"] == "both"
        assert item["DocumentTitle"]["Text"] == "Foxes"
        excerpt = item["DocumentExcerpt"]
        marked = [excerpt["Text"][mark["BeginOffset"] : mark["EndOffset"]] for mark in excerpt["Highlights"]]
        assert marked == ["fox", "jumping"]
        assert world.find("lazy dog") == ["both", "one"]

    def test_the_source_is_the_uri_of_the_answer(self, world: World):
        uri = "https://example.com/a"
        world.put(inline("a", Attributes=[attribute("_source_uri", StringValue=uri)]))
        world.put(inline("b", Attributes=[attribute("_source_uri", StringValue="s3://bucket/key")]))
        world.settle()
        items = world.call("Query", IndexId=world.index, QueryText="words")["ResultItems"]
        assert {item["DocumentId"]: item.get("DocumentURI") for item in items} == {"a": uri, "b": None}

    def test_a_filter_keeps_what_has_the_attribute(self, world: World):
        world.put(
            inline("a", Attributes=[attribute("_category", StringValue="x"), attribute("_view_count", LongValue=3)]),
            inline("b", Attributes=[attribute("_category", StringValue="y")]),
            inline("c"),
        )
        world.settle()
        equal = {"EqualsTo": attribute("_category", StringValue="x")}
        more = {"GreaterThan": attribute("_view_count", LongValue=2)}
        assert world.find("words", AttributeFilter=equal) == ["a"]
        assert world.find("words", AttributeFilter={"AndAllFilters": [equal, more]}) == ["a"]
        assert sorted(world.find("words", AttributeFilter={"NotFilter": equal})) == ["b", "c"]
        everything = world.call("Query", IndexId=world.index, AttributeFilter=equal)
        assert [item["DocumentId"] for item in everything["ResultItems"]] == ["a"]

    def test_a_filter_by_an_unknown_attribute_is_refused(self, world: World):
        request = {"QueryText": "x", "AttributeFilter": {"EqualsTo": attribute("colour", StringValue="x")}}
        assert "colour" in world.refusal("Query", IndexId=world.index, **request)["message"]

    def test_a_user_sees_what_the_access_list_allows(self, world: World):
        def access(name, kind, effect):
            return {"Name": name, "Type": kind, "Access": effect}

        world.put(
            inline("open"),
            inline("bobs", AccessControlList=[access("bob", "USER", "ALLOW")]),
            inline("staffs", AccessControlList=[access("staff", "GROUP", "ALLOW"), access("eve", "USER", "DENY")]),
        )
        world.settle()
        assert sorted(world.find("words")) == ["bobs", "open", "staffs"]
        assert sorted(world.find("words", UserContext={"UserId": "bob"})) == ["bobs", "open"]
        assert sorted(world.find("words", UserContext={"UserId": "al", "Groups": ["staff"]})) == ["open", "staffs"]
        assert world.find("words", UserContext={"UserId": "eve", "Groups": ["staff"]}) == ["open"]

    def test_results_come_page_by_page_and_at_most_100(self, world: World):
        for start in range(0, 110, 10):
            world.put(*[inline(f"d{number:03}") for number in range(start, start + 10)])
        world.settle()
        pages = [world.find("words", PageNumber=number, PageSize=40) for number in (1, 2, 3, 4)]
        assert [len(page) for page in pages] == [40, 40, 20, 0]
        assert len({document for page in pages for document in page}) == 100

    @pytest.mark.parametrize(
        "request_",
        [{}, {"QueryText": "  "}, {"QueryText": "x" * 1001}, {"QueryText": "x", "PageSize": 101}],
    )
    def test_a_query_that_asks_too_little_or_too_much_is_refused(self, world: World, request_):
        assert world.refusal("Query", IndexId=world.index, **request_)["__type"] == "ValidationException"

    @pytest.mark.parametrize("text", ['"', "AND OR NOT", "a* NEAR(b)", "title:x", "^-+(", "the", "ünï cödé 日本"])
    def test_any_text_can_be_asked(self, world: World, text):
        world.put(inline("a"))
        world.settle()
        world.find(text)

    def test_a_part_that_is_not_emulated_is_refused_by_name(self, world: World):
        said = world.refusal(
            "Query", IndexId=world.index, QueryText="x", Facets=[{"DocumentAttributeKey": "_category"}]
        )
        assert "Facets" in said["message"]

    def test_an_operation_that_is_not_emulated_is_refused_by_name(self, world: World):
        status, answer = world.answer("ListDataSources", IndexId=world.index)
        assert status == 501
        assert "ListDataSources" in answer["message"]


class TestScale:
    def test_documents_in_the_line_survive_any_split_into_passes(self, world: World):
        ids = [f"d{number}" for number in range(250)]
        for start in range(0, 250, 10):
            world.put(*[inline(document_id) for document_id in ids[start : start + 10]])
        world.settle()
        assert {world.status(document_id)["DocumentStatus"] for document_id in ids} == {"INDEXED"}
        assert world.store.size(world.index)[0] == 250
