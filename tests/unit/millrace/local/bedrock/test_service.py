"""Direct ingestion, Retrieve and the knowledge bases themselves."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from millrace.local.emulated import ApiError
from tests.unit.millrace.local.bedrock.world import ACCOUNT, STORAGE, TOKEN, World


def inline(document_id: str, text: str = "some words", **metadata: Any) -> dict[str, Any]:
    return custom(
        document_id, "IN_LINE", inlineContent={"type": "TEXT", "textContent": {"data": text}}, metadata=metadata
    )


def bytes_of(document_id: str, content: bytes, mime_type: str = "text/plain") -> dict[str, Any]:
    given = {"mimeType": mime_type, "data": base64.b64encode(content).decode()}
    return custom(document_id, "IN_LINE", inlineContent={"type": "BYTE", "byteContent": given})


def stored(document_id: str, key: str, *, owner: str | None = None) -> dict[str, Any]:
    location = {"uri": f"s3://documents/{key}", **({"bucketOwnerAccountId": owner} if owner else {})}
    return custom(document_id, "S3_LOCATION", s3Location=location)


def custom(document_id: str, source: str, metadata: dict[str, Any] | None = None, **parts: Any) -> dict[str, Any]:
    content = {"customDocumentIdentifier": {"id": document_id}, "sourceType": source, **parts}
    document: dict[str, Any] = {"content": {"dataSourceType": "CUSTOM", "custom": content}}
    if metadata:
        attributes = [{"key": key, "value": value} for key, value in metadata.get("attributes", {}).items()]
        kept = {"inlineAttributes": attributes} if attributes else {}
        access = {"accessControlList": metadata["access"]} if "access" in metadata else {}
        document["metadata"] = {"type": "IN_LINE_ATTRIBUTE", **kept, **access}
    return document


def text(value: str) -> dict[str, Any]:
    return {"type": "STRING", "stringValue": value}


def number(value: float) -> dict[str, Any]:
    return {"type": "NUMBER", "numberValue": value}


class TestDocuments:
    def test_a_document_is_starting_then_in_progress_and_indexed_when_its_time_has_come(self, world: World):
        (detail,) = world.ingest(inline("a"))
        assert detail["status"] == world.status("a") == "STARTING"
        world.now += 3
        assert world.status("a") == "IN_PROGRESS"
        assert world.indexer.run_due(world.now) == 0
        assert world.find("words") == []
        world.settle()
        assert world.status("a") == "INDEXED"
        assert "statusReason" not in world.detail("a")
        assert world.find("words") == ["a"]

    def test_a_deleted_document_is_deleting_and_then_not_found(self, world: World):
        world.ingest(inline("a"))
        world.settle()
        (detail,) = world.delete("a")
        assert detail["status"] == "DELETING"
        world.now += 3
        assert world.status("a") == "DELETE_IN_PROGRESS"
        assert world.find("words") == ["a"]
        world.settle()
        assert world.status("a") == "NOT_FOUND"
        assert world.find("words") == []

    def test_an_id_that_nobody_sent_is_not_found(self, world: World):
        assert world.status("nothing") == "NOT_FOUND"
        world.delete("nothing")
        world.settle()
        assert world.status("nothing") == "NOT_FOUND"

    def test_a_document_sent_again_takes_the_place_of_the_old_one(self, world: World):
        world.ingest(inline("a", "first", attributes={"n": number(1)}))
        world.settle()
        world.ingest(inline("a", "second", attributes={"n": number(2)}))
        assert world.find("first") == ["a"]
        world.settle()
        assert world.status("a") == "INDEXED"
        assert world.find("first") == []
        assert world.retrieve("second")[0]["metadata"]["n"] == 2

    def test_work_is_done_in_the_order_in_which_it_was_accepted(self, world: World):
        world.ingest(inline("a"))
        world.delete("a")
        world.ingest(inline("b"))
        world.delete("b")
        world.ingest(inline("b", "other"))
        assert [world.status("a"), world.status("b")] == ["DELETING", "STARTING"]
        world.settle()
        assert [world.status("a"), world.status("b")] == ["NOT_FOUND", "INDEXED"]
        assert world.find("other") == ["b"]

    @pytest.mark.parametrize(
        ("document", "said"),
        [
            (inline("a", " \n "), "empty"),
            (bytes_of("a", b"\xff\xfe"), "not UTF-8: byte 0"),
            (bytes_of("a", b"<p></p>", "text/html"), "empty"),
            (bytes_of("a", b"%PDF", "application/pdf"), "PDF"),
            (stored("a", "missing.txt"), "s3://documents/missing.txt does not exist"),
            (stored("a", "denied.txt"), "is denied"),
            (stored("a", "foreign.txt", owner="999999999999"), "999999999999 does not own the bucket"),
        ],
    )
    def test_a_document_that_cannot_be_read_fails_with_its_reason(self, world: World, document, said):
        world.objects.content["foreign.txt"] = b"words"
        world.objects.denied.add("denied.txt")
        world.ingest(document, inline("b"))
        world.settle()
        detail = world.detail("a")
        assert detail["status"] == "FAILED"
        assert said in detail["statusReason"]
        assert world.status("b") == "INDEXED"

    def test_an_object_of_a_format_that_is_not_taken_is_ignored(self, world: World):
        world.objects.content = {"a.json": b'{"a": "words"}'}
        world.ingest(stored("a", "a.json"))
        world.settle()
        assert world.status("a") == "IGNORED"
        assert "a.json is not supported" in world.detail("a")["statusReason"]

    def test_an_object_over_the_limit_is_ignored(self, world: World):
        world.objects.content = {"a.txt": b" " * (50 * 1024 * 1024 + 1)}
        world.ingest(stored("a", "a.txt"))
        world.settle()
        assert world.status("a") == "IGNORED"
        assert "the limit of a file is 52428800" in world.detail("a")["statusReason"]

    def test_a_document_that_failed_is_indexed_once_it_is_mended(self, world: World):
        world.ingest(stored("a", "a.txt"))
        world.settle()
        world.objects.content["a.txt"] = b"words"
        world.ingest(stored("a", "a.txt"))
        world.settle()
        assert world.status("a") == "INDEXED"
        assert "statusReason" not in world.detail("a")

    def test_what_was_found_stays_when_its_update_fails(self, world: World):
        world.ingest(inline("a", "first"))
        world.settle()
        world.ingest(bytes_of("a", b"\xff"))
        world.settle()
        assert world.status("a") == "FAILED"
        assert world.find("first") == ["a"]

    def test_a_metadata_file_gives_the_attributes(self, world: World):
        world.objects.content = {
            "a.txt": b"words",
            "a.meta": b'{"metadataAttributes": {"colour": "red"}}',
            "broken.meta": b"{",
        }
        for document_id, key in (("a", "a.meta"), ("b", "broken.meta"), ("c", "missing.meta")):
            place = {"type": "S3_LOCATION", "s3Location": {"uri": f"s3://documents/{key}"}}
            world.ingest({**stored(document_id, "a.txt"), "metadata": place})
        world.settle()
        assert [world.status(one) for one in "abc"] == ["INDEXED", "FAILED", "FAILED"]
        assert world.retrieve("words")[0]["metadata"]["colour"] == "red"

    def test_a_defect_of_ours_fails_the_document_and_names_itself(self, world: World, monkeypatch):
        monkeypatch.setattr(world.objects, "read", lambda *_: 1 / 0)
        world.ingest(stored("a", "a.txt"))
        world.settle()
        assert "ZeroDivisionError" in world.detail("a")["statusReason"]


class TestRequests:
    def test_the_same_client_token_is_obeyed_once(self, world: World):
        first = world.ingest(inline("a", "first"), clientToken=TOKEN)
        world.settle()
        again = world.ingest(inline("a", "first"), clientToken=TOKEN)
        assert again == first
        assert world.status("a") == "INDEXED"
        world.ingest(inline("a", "second"), clientToken="u" * 33)
        world.settle()
        assert world.find("second") == ["a"]

    def test_a_token_means_one_operation_of_one_data_source(self, world: World):
        world.ingest(inline("a"), clientToken=TOKEN)
        assert [detail["status"] for detail in world.delete("a", clientToken=TOKEN)] == ["DELETING"]

    @pytest.mark.parametrize(
        ("documents", "said"),
        [
            ([inline(str(n)) for n in range(11)], "length less than or equal to 10"),
            ([], "length greater than or equal to 1"),
            ([inline("z"), inline("")], "length greater than or equal to 1"),
            ([inline("z"), inline("x" * 2049)], "length less than or equal to 2048"),
            ([inline("a", "x" * 5242881)], "length less than or equal to 5242880"),
            ([bytes_of("a", b"x" * 5242881)], "length less than or equal to 5242880"),
            ([inline("z"), inline("a"), inline("a")], "must be unique in a request: a"),
            (
                [inline("z"), inline("a", attributes={"k": {"type": "NUMBER", "stringValue": "1"}})],
                "documents.2.member: The attribute k",
            ),
            ([inline("a", attributes={f"k{n}": number(n) for n in range(51)})], "length less than or equal to 50"),
            ([inline("a", attributes={"k": text("x" * 2049)})], "length less than or equal to 2048"),
        ],
    )
    def test_a_request_that_breaks_the_api_is_refused_as_a_whole(self, world: World, documents, said):
        request = {"knowledgeBaseId": world.base, "dataSourceId": world.custom, "documents": documents}
        error = world.refusal("IngestKnowledgeBaseDocuments", **request)
        assert error.code == "ValidationException"
        assert said in error.message
        assert world.status("z") == "NOT_FOUND"

    def test_what_does_not_exist_is_not_found(self, world: World):
        unknown = "ABCDEFGHIJ"
        for base, source in ((unknown, world.custom), (world.base, unknown)):
            request = {"knowledgeBaseId": base, "dataSourceId": source}
            error = world.refusal("IngestKnowledgeBaseDocuments", **request, documents=[inline("a")])
            assert error.code == "ResourceNotFoundException"
            assert unknown in error.message

    def test_documents_are_listed_page_by_page(self, world: World):
        ids = [f"d{n}" for n in range(7)]
        world.ingest(*[inline(one) for one in ids[:4]])
        world.settle()
        world.ingest(*[inline(one) for one in ids[4:]])
        listed, token = [], None
        for _ in range(4):
            request = {"knowledgeBaseId": world.base, "dataSourceId": world.custom, "maxResults": 2}
            page = world.call("ListKnowledgeBaseDocuments", **request, **({"nextToken": token} if token else {}))
            listed += [(item["identifier"]["custom"]["id"], item["status"]) for item in page["documentDetails"]]
            token = page.get("nextToken")
        assert token is None
        assert listed == [(one, "INDEXED" if one < "d4" else "STARTING") for one in ids]

    def test_too_many_requests_a_second_are_throttled_and_counted(self, world: World):
        world.bedrock.set_pace({"requests_per_second": 2})
        outcomes = []
        for _ in range(4):
            try:
                outcomes.append(world.status("a"))
            except ApiError as error:
                outcomes.append(error.code)
        assert outcomes == ["NOT_FOUND", "NOT_FOUND", "ThrottlingException", "ThrottlingException"]
        world.ingest(inline("a"))
        counts = world.bedrock.statistics()["regions"]["us-east-1"]
        assert counts["GetKnowledgeBaseDocuments"]["calls"] == 4
        assert counts["GetKnowledgeBaseDocuments"]["throttled"] == 2
        world.now += 1
        assert world.status("a") == "STARTING"


class TestS3DataSource:
    def ingest(self, world: World, *uris: str) -> None:
        documents = [{"content": {"dataSourceType": "S3", "s3": {"s3Location": {"uri": uri}}}} for uri in uris]
        request = {"knowledgeBaseId": world.base, "dataSourceId": world.bucket, "documents": documents}
        world.call("IngestKnowledgeBaseDocuments", **request)
        world.settle()

    def test_an_object_is_found_with_the_attributes_of_the_file_beside_it(self, world: World):
        world.objects.content = {
            "a.txt": b"some words",
            "a.txt.metadata.json": b'{"metadataAttributes": {"colour": "red"}}',
            "b.txt": b"other words",
        }
        self.ingest(world, "s3://documents/a.txt", "s3://documents/b.txt")
        found = {result["location"]["s3Location"]["uri"]: result["metadata"] for result in world.retrieve("words")}
        assert found["s3://documents/a.txt"]["colour"] == "red"
        assert found["s3://documents/a.txt"]["x-amz-bedrock-kb-source-uri"] == "s3://documents/a.txt"
        assert "colour" not in found["s3://documents/b.txt"]

    def test_a_metadata_file_that_may_not_be_read_fails_its_document(self, world: World):
        world.objects.content = {"a.txt": b"some words"}
        world.objects.denied.add("a.txt.metadata.json")
        self.ingest(world, "s3://documents/a.txt")
        identifier = {"dataSourceType": "S3", "s3": {"uri": "s3://documents/a.txt"}}
        request = {"knowledgeBaseId": world.base, "dataSourceId": world.bucket, "documentIdentifiers": [identifier]}
        (detail,) = world.call("GetKnowledgeBaseDocuments", **request)["documentDetails"]
        assert (detail["status"], detail["identifier"]) == ("FAILED", identifier)


class TestRetrieve:
    def test_a_result_says_what_was_found_and_where(self, world: World):
        world.ingest(
            inline("a", "The fox jumps over a lazy dog", attributes={"year": number(2024), "colour": text("red")}),
            inline("b", "Nothing of the kind"),
        )
        world.settle()
        (result,) = world.retrieve("Does a fox jump?")
        assert 0 < result.pop("score") < 1
        assert result == {
            "content": {"type": "TEXT", "text": "The fox jumps over a lazy dog"},
            "location": {"type": "CUSTOM", "customDocumentLocation": {"id": "a"}},
            "metadata": {"year": 2024, "colour": "red", "x-amz-bedrock-kb-data-source-id": world.custom},
        }

    def test_the_better_match_comes_first_with_the_higher_score(self, world: World):
        world.ingest(inline("one", "a dog sleeps"), inline("both", "the fox and the dog"), inline("none", "cats"))
        world.settle()
        first, second = world.retrieve("fox dog")
        assert first["location"]["customDocumentLocation"]["id"] == "both"
        assert first["score"] > second["score"]

    def test_a_long_document_is_found_by_the_chunk_that_answers(self, world: World):
        filler = "Filler sentence about nothing at all. " * 100
        world.ingest(inline("a", f"{filler} The password is reset by Ann. {filler}"))
        world.settle()
        (result,) = world.retrieve("password")
        assert "reset by Ann." in result["content"]["text"]
        assert len(result["content"]["text"].split()) <= 225
        assert len(world.retrieve("filler", numberOfResults=100)) > 3

    def test_an_update_leaves_no_chunk_of_the_old_document(self, world: World):
        world.ingest(inline("a", "old words. " * 1000))
        world.settle()
        world.ingest(inline("a", "new words"))
        world.settle()
        assert world.retrieve("old") == []
        assert len(world.retrieve("words", numberOfResults=100)) == 1

    def test_a_data_source_splits_as_it_was_told(self, world: World):
        whole = {"chunkingConfiguration": {"chunkingStrategy": "NONE"}}
        source = world.create_source("whole", {"type": "CUSTOM"}, vectorIngestionConfiguration=whole)["dataSourceId"]
        world.ingest(inline("a", "words " * 1000), dataSourceId=source)
        world.settle()
        (result,) = world.retrieve("words")
        assert len(result["content"]["text"].split()) == 1000

    def test_a_filter_keeps_what_has_the_attributes(self, world: World):
        world.ingest(
            inline("a", attributes={"year": number(2024), "tags": {"type": "STRING_LIST", "stringListValue": ["x"]}}),
            inline("b", attributes={"year": number(1999)}),
            inline("c"),
        )
        world.settle()
        late = {"greaterThan": {"key": "year", "value": 2000}}
        assert world.find("words", filter=late) == ["a"]
        assert world.find("words", filter={"andAll": [late, {"listContains": {"key": "tags", "value": "x"}}]}) == ["a"]
        assert sorted(world.find("words", filter={"notEquals": {"key": "year", "value": 2024}})) == ["b", "c"]

    def test_a_filter_that_cannot_be_answered_is_refused(self, world: World):
        with pytest.raises(ApiError, match="must be a number"):
            world.find("words", filter={"greaterThan": {"key": "year", "value": "2000"}})
        with pytest.raises(ApiError, match="exactly one of its fields"):
            world.find("words", filter={"equals": {"key": "a", "value": 1}, "in": {"key": "a", "value": [1]}})

    def test_a_user_finds_what_the_access_list_allows(self, world: World):
        def access(name: str, effect: str) -> dict[str, str]:
            return {"name": name, "type": "USER", "access": effect}

        world.ingest(
            inline("open"),
            inline("bobs", access=[access("bob", "ALLOW")]),
            inline("not-bobs", access=[access("bob", "ALLOW"), access("bob", "DENY")]),
        )
        world.settle()
        assert sorted(world.find("words")) == ["bobs", "not-bobs", "open"]
        assert sorted(world.find("words", user="bob")) == ["bobs", "open"]
        assert world.find("words", user="eve") == ["open"]

    def test_five_results_come_unless_more_are_asked_for_and_the_rest_page_by_page(self, world: World):
        world.ingest(*[inline(f"d{n}") for n in range(8)])
        world.settle()
        assert len(world.find("words")) == 5
        assert len(world.find("words", numberOfResults=100)) == 8
        request = {"knowledgeBaseId": world.base, "retrievalQuery": {"text": "words"}}
        first = world.runtime.perform("Retrieve", request)
        rest = world.runtime.perform("Retrieve", {**request, "nextToken": first["nextToken"]})
        found = [
            result["location"]["customDocumentLocation"]["id"]
            for page in (first, rest)
            for result in page["retrievalResults"]
        ]
        assert sorted(found) == [f"d{n}" for n in range(8)]
        assert "nextToken" not in rest

    def test_an_attribute_whose_name_the_answer_cannot_hold_still_filters(self, world: World):
        name = "k" * 101
        world.ingest(inline("a", attributes={name: number(1)}))
        world.settle()
        (result,) = world.retrieve("words")
        assert name not in result["metadata"]

    def test_each_knowledge_base_knows_its_own_documents(self, world: World):
        world.ingest(inline("a"))
        world.settle()
        other = world.create_base("other")["knowledgeBaseId"]
        world.now += 60
        request = {"knowledgeBaseId": other, "retrievalQuery": {"text": "words"}}
        assert world.runtime.perform("Retrieve", request)["retrievalResults"] == []

    @pytest.mark.parametrize(
        ("part", "said"),
        [
            ({"retrievalQuery": {"text": " "}}, "must not be empty"),
            ({"retrievalConfiguration": {"vectorSearchConfiguration": {"numberOfResults": 101}}}, "equal to 100"),
            ({"guardrailConfiguration": {"guardrailId": "a", "guardrailVersion": "1"}}, "guardrailConfiguration"),
            ({"retrievalConfiguration": {"managedSearchConfiguration": {}}}, "managedSearchConfiguration"),
            ({"nextToken": "x"}, "nextToken"),
        ],
    )
    def test_a_question_that_cannot_be_answered_is_refused(self, world: World, part, said):
        request = {"knowledgeBaseId": world.base, "retrievalQuery": {"text": "words"}, **part}
        with pytest.raises(ApiError, match=said) as raised:
            world.runtime.perform("Retrieve", request)
        assert raised.value.code == "ValidationException"

    @pytest.mark.parametrize("question", ['"', "AND OR NOT", "a* NEAR(b)", "title:x", "^-+(", "the", "ünï cödé 日本"])
    def test_any_question_can_be_asked(self, world: World, question):
        world.ingest(inline("a"))
        world.settle()
        world.retrieve(question)


class TestBases:
    def test_a_knowledge_base_is_creating_and_then_active(self, world: World):
        made = world.create_base("new", description="d")
        assert (made["status"], made["description"]) == ("CREATING", "d")
        assert (
            made["knowledgeBaseArn"] == f"arn:aws:bedrock:us-east-1:{ACCOUNT}:knowledge-base/{made['knowledgeBaseId']}"
        )
        error = world.refusal(
            "CreateDataSource",
            knowledgeBaseId=made["knowledgeBaseId"],
            name="early",
            dataSourceConfiguration={"type": "CUSTOM"},
        )
        assert error.code == "ConflictException"
        world.now += 60
        told = world.call("GetKnowledgeBase", knowledgeBaseId=made["knowledgeBaseId"])["knowledgeBase"]
        assert told["status"] == "ACTIVE"
        assert told["storageConfiguration"] == STORAGE

    def test_the_same_client_token_makes_one(self, world: World):
        assert world.create_base("new", clientToken=TOKEN) == world.create_base("new", clientToken=TOKEN)
        custom = {"type": "CUSTOM"}
        first = world.create_source("new", custom, clientToken=TOKEN)
        assert world.create_source("new", custom, clientToken=TOKEN) == first

    def test_a_name_is_given_once(self, world: World):
        with pytest.raises(ApiError, match="docs already exists") as raised:
            world.create_base("docs")
        assert raised.value.code == "ConflictException"
        with pytest.raises(ApiError, match="custom already exists"):
            world.create_source("custom", {"type": "CUSTOM"})

    def test_a_knowledge_base_has_at_most_five_data_sources(self, world: World):
        for name in ("c", "d", "e"):
            world.create_source(name, {"type": "CUSTOM"})
        with pytest.raises(ApiError, match="at most 5") as raised:
            world.create_source("f", {"type": "CUSTOM"})
        assert raised.value.code == "ServiceQuotaExceededException"

    @pytest.mark.parametrize(
        ("part", "said"),
        [
            ({"knowledgeBaseConfiguration": {"type": "VECTOR"}}, "vectorKnowledgeBaseConfiguration must be given"),
            ({"knowledgeBaseConfiguration": {"type": "MANAGED"}}, "does not emulate knowledge bases of type MANAGED"),
            ({"storageConfiguration": {"type": "RDS"}}, "rdsConfiguration must be given"),
            ({"storageConfiguration": None}, "storageConfiguration must be given"),
            ({"tags": {"a": "b"}}, "does not emulate tags"),
        ],
    )
    def test_what_is_not_whole_or_not_emulated_is_refused_by_name(self, world: World, part, said):
        with pytest.raises(ApiError, match=said):
            world.create_base("new", **part)

    @pytest.mark.parametrize(
        ("configuration", "more", "said"),
        [
            ({"type": "WEB"}, {}, "data sources of type WEB"),
            ({"type": "S3"}, {}, "s3Configuration must be given"),
            ({"type": "CUSTOM"}, {"dataDeletionPolicy": "RETAIN"}, "RETAIN"),
            (
                {"type": "CUSTOM"},
                {"vectorIngestionConfiguration": {"chunkingConfiguration": {"chunkingStrategy": "HIERARCHICAL"}}},
                "HIERARCHICAL",
            ),
        ],
    )
    def test_a_data_source_that_is_not_emulated_is_refused_by_name(self, world: World, configuration, more, said):
        with pytest.raises(ApiError, match=said):
            world.create_source("new", configuration, **more)

    def test_they_are_listed_page_by_page(self, world: World):
        world.create_base("second")
        first = world.call("ListKnowledgeBases", maxResults=1)
        rest = world.call("ListKnowledgeBases", nextToken=first["nextToken"])
        names = [item["name"] for page in (first, rest) for item in page["knowledgeBaseSummaries"]]
        assert names == ["docs", "second"]
        listed = world.call("ListDataSources", knowledgeBaseId=world.base)["dataSourceSummaries"]
        assert {item["name"]: item["status"] for item in listed} == {"bucket": "AVAILABLE", "custom": "AVAILABLE"}

    def test_a_deleted_data_source_takes_its_documents_with_it(self, world: World):
        world.ingest(inline("a"))
        world.settle()
        names = {"knowledgeBaseId": world.base, "dataSourceId": world.custom}
        assert world.call("DeleteDataSource", **names)["status"] == "DELETING"
        assert world.call("GetDataSource", **names)["dataSource"]["status"] == "DELETING"
        refused = world.refusal("IngestKnowledgeBaseDocuments", **names, documents=[inline("b")])
        assert "DELETING" in refused.message
        world.now += 60
        assert world.refusal("GetDataSource", **names).code == "ResourceNotFoundException"
        assert world.find("words") == []
        assert world.store.size(world.custom) == (0, 0)

    def test_a_deleted_knowledge_base_is_deleting_and_then_gone(self, world: World):
        world.call("DeleteKnowledgeBase", knowledgeBaseId=world.base)
        assert world.call("GetKnowledgeBase", knowledgeBaseId=world.base)["knowledgeBase"]["status"] == "DELETING"
        with pytest.raises(ApiError, match="DELETING"):
            world.find("words")
        world.now += 60
        assert world.refusal("GetKnowledgeBase", knowledgeBaseId=world.base).code == "ResourceNotFoundException"
        assert world.call("ListKnowledgeBases")["knowledgeBaseSummaries"] == []
        assert world.store.data_source(world.custom) is None

    def test_a_knowledge_base_belongs_to_its_region(self, world: World):
        world.region = "eu-west-1"
        assert world.refusal("GetKnowledgeBase", knowledgeBaseId=world.base).code == "ResourceNotFoundException"
        assert world.call("ListKnowledgeBases")["knowledgeBaseSummaries"] == []


class TestScale:
    def test_documents_in_the_line_survive_any_split_into_passes(self, world: World):
        ids = [f"d{n}" for n in range(250)]
        for start in range(0, 250, 10):
            world.ingest(*[inline(one) for one in ids[start : start + 10]])
        world.settle()
        assert {world.status(one) for one in ids} == {"INDEXED"}
        assert world.store.size(world.custom)[0] == 250
