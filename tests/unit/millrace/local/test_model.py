from __future__ import annotations

import base64

import pytest

from millrace.local.model import InvalidInput, Model, WrongAnswer

KENDRA = Model("kendra")
INDEX = "0" * 36


def put(*documents: dict, **members: object) -> dict:
    return {"IndexId": INDEX, "Documents": list(documents), **members}


def refusal(request: object, operation: str = "BatchPutDocument") -> InvalidInput:
    with pytest.raises(InvalidInput) as raised:
        KENDRA.check_input(operation, request)
    return raised.value


def test_a_request_that_keeps_the_api_passes():
    KENDRA.check_input("BatchPutDocument", put({"Id": "a", "Blob": "aGk="}))


def test_null_counts_as_absent():
    KENDRA.check_input("BatchPutDocument", put({"Id": "a", "Title": None}))
    assert "'documents.1.member.id'" in refusal(put({"Id": None})).message


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        (
            {"Documents": [{"Id": "a"}]},
            "Value null at 'indexId' failed to satisfy constraint: Member must not be null",
        ),
        (
            put(),
            "at 'documents' failed to satisfy constraint: Member must have length greater than or equal to 1",
        ),
        (put(*[{"Id": str(n)} for n in range(11)]), "Member must have length less than or equal to 10"),
        (put({"Id": "x" * 2049}), "at 'documents.1.member.id' failed to satisfy constraint"),
        (put({"Id": ""}), "Member must have length greater than or equal to 1"),
        (put({"Id": "a", "ContentType": "TXT"}), "Member must satisfy enum value set: [PDF, HTML"),
        (put({"Id": "a", "Attributes": [{"Key": "a b", "Value": {}}]}), "regular expression pattern"),
        (put({"Id": "a", "Titel": "x"}), "at 'documents.1.member.titel' failed to satisfy constraint"),
    ],
)
def test_a_request_that_breaks_the_api_is_refused_in_the_words_of_aws(request_, said):
    error = refusal(request_)
    assert error.code == "ValidationException"
    assert error.message.startswith("1 validation error detected: ")
    assert said in error.message


def test_all_flaws_are_told_at_once():
    error = refusal({"Documents": []})
    assert error.message.startswith("2 validation errors detected: ")


def test_a_number_outside_its_range_is_refused():
    assert "value less than or equal to 100" in refusal({"MaxResults": 101}, "ListIndices").message


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        (put({"Id": 7}), "NUMBER_VALUE can not be converted to a String"),
        ({"IndexId": INDEX, "Documents": {}}, "Start of structure or map can not be converted to a List"),
        ([], "Start of list can not be converted to a Structure"),
    ],
)
def test_a_value_of_another_type_cannot_be_read(request_, said):
    error = refusal(request_)
    assert error.code == "SerializationException"
    assert said in error.message


def test_a_status_that_the_api_does_not_have_cannot_be_answered():
    answer = {"DocumentStatusList": [{"DocumentId": "a", "DocumentStatus": "DELETED"}], "Errors": []}
    with pytest.raises(WrongAnswer, match="DELETED"):
        KENDRA.check_output("BatchGetDocumentStatus", answer)


def test_a_field_that_the_api_does_not_have_cannot_be_answered():
    with pytest.raises(WrongAnswer, match="documentId"):
        KENDRA.check_output("BatchPutDocument", {"FailedDocuments": [{"DocumentId": "a"}]})


def test_an_operation_without_an_answer_answers_nothing():
    KENDRA.check_output("DeleteIndex", {})
    with pytest.raises(WrongAnswer, match="nothing is expected"):
        KENDRA.check_output("DeleteIndex", {"Id": INDEX})


def test_control_characters_are_refused_where_the_model_excludes_them():
    request = {"Name": "n", "RoleArn": "arn:aws:iam::1:role/r", "Description": "a\x07b"}
    assert "'description'" in refusal(request, "CreateIndex").message


@pytest.mark.parametrize("service", ["kendra", "stepfunctions", "bedrock-agent", "bedrock-agent-runtime"])
def test_every_pattern_of_the_emulated_services_compiles(service):
    model = Model(service)
    for operation in model.operations:
        for shape in _shapes(model, operation):
            if "pattern" in shape.metadata:
                from millrace.local.model import _compiled

                _compiled(shape.metadata["pattern"])


def _shapes(model, operation):
    found = {}

    def walk(shape):
        if shape is None or shape.name in found:
            return
        found[shape.name] = shape
        if shape.type_name == "structure":
            for member in shape.members.values():
                walk(member)
        elif shape.type_name == "list":
            walk(shape.member)
        elif shape.type_name == "map":
            walk(shape.key)
            walk(shape.value)

    walk(model._operation(operation).input_shape)
    walk(model._operation(operation).output_shape)
    return found.values()


RETRIEVE = Model("bedrock-agent-runtime")


def retrieve(condition: object) -> dict:
    search = {"vectorSearchConfiguration": {"filter": condition}}
    return {"knowledgeBaseId": "ABCDEFGHIJ", "retrievalQuery": {"text": "x"}, "retrievalConfiguration": search}


@pytest.mark.parametrize("value", ["a", 1, 1.5, True, ["a", 1], {"a": None}])
def test_a_document_type_holds_any_json(value):
    RETRIEVE.check_input("Retrieve", retrieve({"equals": {"key": "a", "value": value}}))


@pytest.mark.parametrize("condition", [{}, {"equals": {"key": "a", "value": 1}, "in": {"key": "a", "value": [1]}}])
def test_a_union_has_exactly_one_of_its_fields(condition):
    with pytest.raises(InvalidInput, match="exactly one of its fields"):
        RETRIEVE.check_input("Retrieve", retrieve(condition))


@pytest.mark.parametrize(
    ("moment", "right"),
    [
        ("2025-10-05T12:00:00Z", True),
        ("2025-10-05T12:00:00.123456+00:00", True),
        ("2025-10-05", False),
        (1_759_665_600, False),
    ],
)
def test_a_date_is_written_as_the_api_says(moment, right):
    summary = {"knowledgeBaseId": "ABCDEFGHIJ", "name": "a", "status": "ACTIVE", "updatedAt": moment}
    agent = Model("bedrock-agent")
    if right:
        agent.check_output("ListKnowledgeBases", {"knowledgeBaseSummaries": [summary]})
        return
    with pytest.raises(WrongAnswer, match="Timestamp"):
        agent.check_output("ListKnowledgeBases", {"knowledgeBaseSummaries": [summary]})


@pytest.mark.parametrize(("size", "right"), [(0, False), (1, True), (5_242_880, True), (5_242_881, False)])
def test_a_blob_is_as_long_as_its_bytes(size, right):
    given = {"mimeType": "text/plain", "data": base64.b64encode(b"x" * size).decode()}
    inline = {"type": "BYTE", "byteContent": given}
    custom = {"customDocumentIdentifier": {"id": "a"}, "sourceType": "IN_LINE", "inlineContent": inline}
    request = {
        "knowledgeBaseId": "ABCDEFGHIJ",
        "dataSourceId": "ABCDEFGHIJ",
        "documents": [{"content": {"dataSourceType": "CUSTOM", "custom": custom}}],
    }
    if right:
        Model("bedrock-agent").check_input("IngestKnowledgeBaseDocuments", request)
        return
    with pytest.raises(InvalidInput, match="must have length"):
        Model("bedrock-agent").check_input("IngestKnowledgeBaseDocuments", request)


@pytest.mark.parametrize(("key", "taken"), [("team/one - Zürich_1", True), ("a;b", False), ("a\tb", False)])
def test_letters_numbers_and_spaces_of_every_script_are_known(key, taken):
    ecs, request = Model("ecs"), {"resourceArn": "arn", "tags": [{"key": key}]}
    if taken:
        ecs.check_input("TagResource", request)
    else:
        with pytest.raises(InvalidInput, match="regular expression"):
            ecs.check_input("TagResource", request)
