from __future__ import annotations

import pytest

from incident_sync.errors import StoreUnavailable
from incident_sync.knowledge_base import KnowledgeBase, Status
from tests.fakes.clock import FakeClock
from tests.fakes.knowledge_base import DATA_SOURCE_ID, KNOWLEDGE_BASE_ID, FakeKnowledgeBase


def knowledge_base(
    fake: FakeKnowledgeBase, data_source_id: str = DATA_SOURCE_ID, clock: FakeClock | None = None
) -> KnowledgeBase:
    return KnowledgeBase(
        fake,
        knowledge_base_id=KNOWLEDGE_BASE_ID,
        data_source_id=data_source_id,
        bucket="knowledge",
        prefix="closed/",
        clock=clock or FakeClock(),
    )


def uri(incident_id: str) -> str:
    return f"s3://knowledge/closed/{incident_id}.json.md"


def test_each_document_is_told_with_its_own_reason() -> None:
    fake = FakeKnowledgeBase()
    fake.failing[uri("INC-2")] = ("FAILED", "the embedding model refused it")
    fake.run_job("knowledge", {f"closed/INC-{number}.json.md": b"text" for number in (1, 2)})
    assert knowledge_base(fake).statuses(["INC-1", "INC-2", "INC-3"]) == {
        "INC-1": Status("INDEXED"),
        "INC-2": Status("FAILED", "the embedding model refused it"),
        "INC-3": Status("NOT_FOUND"),
    }


def test_ten_are_asked_for_at_once_and_five_times_a_second() -> None:
    fake, clock = FakeKnowledgeBase(), FakeClock()
    assert len(knowledge_base(fake, clock=clock).statuses(f"INC-{number}" for number in range(25))) == 25
    assert [len(request) for request in fake.requests] == [10, 10, 5]
    assert clock.slept == pytest.approx(0.4)


def test_nobody_is_asked_for_nothing() -> None:
    fake = FakeKnowledgeBase()
    assert knowledge_base(fake).statuses([]) == {}
    assert fake.requests == []


@pytest.mark.parametrize("code", ["ThrottlingException", "InternalServerException", "ValidationException"])
def test_what_the_knowledge_base_does_not_answer_is_no_incidents_fault(code: str) -> None:
    fake = FakeKnowledgeBase()
    fake.errors = [code]
    with pytest.raises(StoreUnavailable, match=code):
        knowledge_base(fake).statuses(["INC-1"])


def test_a_data_source_that_is_not_there_is_no_incidents_fault() -> None:
    with pytest.raises(StoreUnavailable, match="ResourceNotFoundException"):
        knowledge_base(FakeKnowledgeBase(), "DS00000000").statuses(["INC-1"])
