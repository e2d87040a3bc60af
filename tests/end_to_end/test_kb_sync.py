"""kb_sync as Terraform deploys it: whatever is uploaded, deleted or asked for is covered, by as few jobs as can be, and
whoever waits is told by which."""

from __future__ import annotations

import contextlib
import functools
import itertools
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from millrace.errors import ExitCode
from millrace.local.sync_sources import made
from tests.conftest import Tell
from tests.end_to_end.command import at_once, lines
from tests.end_to_end.stack import ENDED
from tests.end_to_end.sync_stack import BUCKET, SWEEP, TICK, Objects, Source, SyncStack
from tests.end_to_end.test_permissions import allowances, unused
from tests.fakes.deployed import allow, name, policy, role

SAMPLE = Path(__file__).parents[2] / "sample" / "kb_sync"
NAMES = [f"source-{number}" for number in range(10)]
SIBLING, OF = "sibling", NAMES[0]
GHOST = {"knowledge_base_id": "GHOSTGHOST", "data_source_id": "NOBODY0000", "bucket": BUCKET, "prefix": "ghost/"}
MOST_JOBS = 2
"""For a burst that is shorter than a job."""
MOST_EXECUTIONS = 50
ACCOUNT_JOBS = 5
"""As many as run at once in an account (quotas page of Bedrock)."""
TRIES = 3
"""Jobs that fail before an owner gives up."""
REASON = "The store is away"
USED = NAMES[-1]
"""The source whose requests use every permission."""
NOT_CALLED_HERE = {
    "*: logs:* *": "the runtime and Step Functions write logs by themselves",
    "*: xray:* *": "the runtime and Step Functions write traces by themselves",
    "*: sqs:GetQueueAttributes *": "asked by the pipe when it begins to read its queue, with the apply",
    "*-kb-sync: bedrock:ListIngestionJobs *": "only for a job that has more reasons than a state can hold",
    "*-metrics: states:DescribeExecution *": "only when the event of an execution leaves out its input or output",
}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SyncStack]:
    """Ten knowledge bases, the first with two data sources, and a data source that does not exist."""
    folder = tmp_path_factory.mktemp("kb-sync")
    stack = SyncStack.with_sources(folder, NAMES, {SIBLING: OF}, sync_sources={"ghost": GHOST})
    yield stack
    stack.instance.stop()


@pytest.fixture(scope="module")
def places() -> Iterator[str]:
    """Names of sources, so that neighbouring tests have different ones."""
    return itertools.cycle(NAMES)


@pytest.fixture
def source(calm: SyncStack, places: Iterator[str]) -> Source:
    """A source whose requests are covered."""
    return calm.source(next(places))


@pytest.fixture
def calm(stack: SyncStack) -> Iterator[SyncStack]:
    """The stack, where nothing is held, ordered, pending or still to be told, before a test and after it."""
    stack.told("")
    yield stack
    stack.instance.forget_faults()
    stack.instance.forget_job_orders()
    sources = [stack.source(each) for each in (*NAMES, SIBLING)]

    def is_calm() -> bool:
        for each in sources:
            each.release()
        running = [each for each in stack.syncs() if each.status not in ENDED]
        return not running and not any(each.item.pending for each in sources)

    if not is_calm():
        stack.instance.fire_schedule(SWEEP)
        stack.wait_until(is_calm, "all sources are covered, and nobody runs")


def images() -> Objects:
    """The texts of five images, each with its metadata."""
    return {file.name: file.read_bytes() for file in sorted((SAMPLE / "images").iterdir())}


def questions() -> dict[str, str]:
    """By the name of the one object that answers it."""
    return json.loads((SAMPLE / "questions.json").read_text("utf-8"))


def texts(number: int) -> Objects:
    return {
        f"image-{each:05}.txt": f"The image shows {word(each)} beside the mill race.".encode() for each in range(number)
    }


def word(number: int) -> str:
    """A word that no other number has."""
    return f"lantern{number:05}"


def test_five_images_uploaded_at_once_need_two_jobs_at_most_and_each_answers_its_question(source: Source) -> None:
    uploads = source.put(images())
    syncs = source.wait_until_calm(events=len(uploads))
    assert {each.became for each in syncs} <= {"covered", "coalesced"}
    assert 1 <= len(source.jobs()) <= MOST_JOBS
    source.expect_covered(uploads)
    assert {image: source.answer(question) for image, question in questions().items()} == {
        image: image for image in questions()
    }
    measured = source.expect_metrics()
    assert sum(measured["JobsStarted"]) == len(source.jobs())
    assert all(seconds > 0 for seconds in measured["SecondsToCovered"])


def test_a_hundred_uploads_that_arrive_while_a_job_runs_need_one_more(source: Source) -> None:
    with source.held():
        source.ask_as_owner()
        uploads = source.put(texts(100))
        source.wait_for_events(len(uploads))
    syncs = source.wait_until_calm(events=len(uploads))
    assert len(source.jobs()) == MOST_JOBS
    assert {each.became for each in syncs if each.events} == {"coalesced"}
    source.expect_covered(uploads)
    for number in range(100):
        assert source.answer(f"what shows {word(number)}") == f"image-{number:05}.txt"
    assert sum(source.expect_metrics()["RequestsCoalesced"]) >= 1


@pytest.mark.soak
def test_ten_thousand_uploads_need_two_jobs_and_fifty_executions_at_most(tmp_path: Path, tell: Tell) -> None:
    """With the batching window that is the default, for a burst as long as it is on a small machine."""
    stack = SyncStack.with_sources(tmp_path / "aws", ["burst"], sync_batching_window_seconds=10)
    try:
        source = stack.source("burst")
        with source.held():
            uploads = source.put(texts(10_000))
            source.wait_for_events(len(uploads))
        syncs = source.wait_until_calm(events=len(uploads))
        tell(f"{len(uploads)} uploads: {len(syncs)} executions, {len(source.jobs())} jobs")
        assert len(syncs) <= MOST_EXECUTIONS
        assert len(source.jobs()) <= MOST_JOBS
        source.expect_covered(uploads)
        for number in range(0, len(uploads), 100):
            assert source.answer(f"what shows {word(number)}") == f"image-{number:05}.txt"
    finally:
        stack.instance.stop()


def test_what_is_deleted_in_the_bucket_leaves_the_knowledge_base(source: Source) -> None:
    source.put({"kept.txt": b"the kept sluice", "gone.txt": b"the vanished sluice"})
    source.wait_until_calm(events=2)
    assert source.answer("vanished") == "gone.txt"
    source.remove("gone.txt")
    source.wait_until_calm(events=3)
    assert source.jobs()[-1]["statistics"]["numberOfDocumentsDeleted"] == 1
    assert "gone.txt" not in [answer.uri.rpartition("/")[2] for answer in source.answers("vanished sluice")]
    assert source.answer("sluice") == "kept.txt"


def test_who_waits_at_the_command_line_is_told_the_job_that_covers_the_request(source: Source) -> None:
    uploads = source.put({"asked.txt": b"a text that somebody waits for"})
    done = at_once(source.stack.instance.folder, "sync", source.place.name, "--wait", "--json")
    assert done.exit_code == ExitCode.OK, done.output
    end = lines(done)[-1]
    assert (end["became"], end["exitCode"]) == ("covered", 0)
    assert end["job"]["id"] in [job["id"] for job in source.jobs()]
    assert end["job"]["covers"] >= end["ticket"]
    source.expect_covered(uploads)
    source.wait_until_calm(events=1)


def test_documents_that_failed_are_covered_counted_and_exit_code_3(source: Source) -> None:
    uploads = source.put({"good.txt": b"a good text", "empty.txt": b""})
    done = at_once(source.stack.instance.folder, "sync", source.place.name, "--wait", "--json")
    assert done.exit_code == ExitCode.FAILED_DOCUMENTS, done.output
    end = lines(done)[-1]
    assert (end["became"], end["job"]["statistics"]["failed"]) == ("covered", 1)
    assert "empty.txt" in " ".join(end["job"]["failureReasons"])
    source.expect_covered(uploads)
    source.wait_until_calm(events=len(uploads))
    source.remove("empty.txt")
    source.wait_until_calm(events=len(uploads) + 1)


def test_another_machine_that_waits_gets_the_job_with_its_statistics(source: Source) -> None:
    uploads = source.put({"nested.txt": b"a text that a machine waits for"})
    states = source.stack.client("stepfunctions")
    arn = states.start_execution(
        stateMachineArn=caller(source.stack), input=json.dumps({**source.place.ids, "wait": True})
    )["executionArn"]
    assert source.stack.wait(arn).status == "SUCCEEDED"
    said = json.loads(states.describe_execution(executionArn=arn)["output"])["Output"]
    assert said["status"] == "covered"
    assert said["job"]["id"] == said["job"]["result"]["IngestionJobId"]
    (job,) = [job for job in source.jobs() if job["id"] == said["job"]["id"]]
    assert said["job"]["result"]["Statistics"]["NumberOfDocumentsScanned"] == len(job["covered"])
    source.expect_covered(uploads)
    source.wait_until_calm(events=1)


def caller(stack: SyncStack) -> str:
    """A machine of somebody else that calls kb_sync and waits, with what its role needs for that (Step Functions
    developer guide, "IAM policies for integrated services"); its ARN."""
    machine = stack.outputs["kb_sync_state_machine_arn"]
    executions = machine.replace(":stateMachine:", ":execution:") + ":*"
    region, account = stack.instance.region, stack.instance.account
    rule = f"arn:aws:events:{region}:{account}:rule/StepFunctionsGetEventsForStepFunctionsExecutionRule"
    call = {
        "Type": "Task",
        "Resource": "arn:aws:states:::states:startExecution.sync:2",
        "Parameters": {"StateMachineArn": machine, "Input.$": "$"},
        "End": True,
    }
    return stack.client("stepfunctions").create_state_machine(
        name=name("caller"),
        definition=json.dumps({"StartAt": "Sync", "States": {"Sync": call}}),
        roleArn=role(
            stack.instance,
            "states",
            allow("states:StartExecution", on=machine),
            allow("states:DescribeExecution", "states:StopExecution", on=executions),
            allow("events:PutTargets", "events:PutRule", "events:DescribeRule", on=rule),
        ),
    )["stateMachineArn"]


def test_an_owner_who_waits_is_answered_although_more_is_asked_and_a_successor_serves_that(source: Source) -> None:
    with source.held():
        owner = source.ask_as_owner(wait=True)
        uploads = source.put({"later.txt": b"a text that came later"})
        source.wait_for_events(1)
    answer = source.stack.ended(owner)
    assert (answer.became, answer.output["job"]["covers"]) == ("covered", answer.output["ticket"])
    syncs = source.wait_until_calm(events=1)
    (successor,) = [each for each in syncs if each.name.startswith("handover-")]
    assert (successor.status, successor.became) == ("SUCCEEDED", "covered")
    source.expect_covered(uploads)
    assert len(source.jobs()) == MOST_JOBS


def test_the_sweeper_serves_those_who_had_left_when_their_owner_is_aborted(source: Source) -> None:
    with source.held():
        owner = source.ask_as_owner()
        uploads = source.put({"stranded.txt": b"a text whose owner dies"})
        source.wait_for_events(1)
        left = source.stack.ended(source.ask())
        assert (left.became, left.output["owner"]) == ("coalesced", owner)
        source.stack.client("stepfunctions").stop_execution(executionArn=owner)
        source.stack.wait_until(lambda: source.item.owner not in (None, owner), "somebody has taken over")
    syncs = source.wait_until_calm(events=1)
    (sweep,) = source.sweeps()
    assert [each.arn for each in syncs if each.status == "ABORTED"] == [owner]
    assert (sweep.became, sweep.output["counts"]["takeovers"]) == ("covered", 1)
    assert len(source.jobs()) == MOST_JOBS, "the job on record was followed"
    source.expect_covered(uploads)
    measured = source.expect_metrics()
    assert sum(measured["Takeovers"]) == sum(measured["SyncsFailed"]) == 1


def test_who_waits_is_told_that_three_jobs_failed_and_the_sweeper_tries_again_at_once(source: Source) -> None:
    source.order("FAILED", hold=True, reason=REASON)
    source.order("FAILED", count=TRIES - 1, reason=REASON)
    source.order(hold=True)
    uploads = source.put({"unlucky.txt": b"a text whose jobs fail"})
    source.stack.wait_until(lambda: source.item.job, "the upload has a job")
    waiting = source.ask(wait=True)
    source.stack.wait_until(lambda: source.item.requested == 2, "who waits has a ticket")
    source.release()
    assert source.stack.ended(waiting).error == "NotCovered"
    source.stack.wait_until(lambda: source.item.job, "the sweeper has started a job")
    failed = {each.error: each for each in source.syncs() if each.status == "FAILED"}
    assert failed.keys() == {"JobFailed", "NotCovered"}
    assert all(REASON in each.cause for each in failed.values())
    (text,) = source.stack.told(source.key)
    assert "JobFailed" in text
    assert failed["JobFailed"].arn in text
    source.release()
    source.wait_until_calm(events=1)
    assert "covered" in [each.became for each in source.sweeps()]
    assert [job["status"] for job in source.jobs()] == ["FAILED"] * TRIES + ["COMPLETE"]
    source.expect_covered(uploads)
    assert sum(source.expect_metrics()["SyncsFailed"]) == 2


def test_the_clock_sweeps_what_no_failure_tells(source: Source) -> None:
    """A sweep that fails as well is not followed by another one at once, and tells nobody a second time."""
    source.order("FAILED", count=TRIES + 1, reason=REASON)
    uploads = source.put({"unluckier.txt": b"a text whose jobs fail again"})
    source.stack.wait_until(
        lambda: [each.status for each in source.sweeps()] == ["FAILED"], "the sweeper's execution has failed"
    )
    assert len(source.stack.told(source.key)) == 1
    assert (source.item.pending, source.item.owner) == (1, None)
    source.stack.instance.fire_schedule(SWEEP)
    source.wait_until_calm(events=1)
    assert [each.became for each in source.sweeps()] == [None, "covered"]
    source.expect_covered(uploads)
    source.expect_metrics()


def test_siblings_take_turns(calm: SyncStack) -> None:
    first, second = calm.source(OF), calm.source(SIBLING)
    with first.held():
        one = first.ask_as_owner(wait=True)
        uploads = second.put({"sibling.txt": b"a text of the other data source"})
        calm.wait_until(lambda: refused(second), "the sibling's start is refused")
    second.wait_until_calm(events=1)
    assert calm.ended(one).became == "covered"
    second.expect_covered(uploads)
    assert len(second.jobs()) == 1
    assert sum(second.expect_metrics()["Conflicts"]) >= 1


def test_more_knowledge_bases_than_an_account_has_jobs_are_all_covered(calm: SyncStack) -> None:
    sources = [calm.source(each) for each in NAMES]
    early, late = sources[:ACCOUNT_JOBS], sources[ACCOUNT_JOBS:]
    with contextlib.ExitStack() as stack:
        for each in early:
            stack.enter_context(each.held())
            each.ask_as_owner()
        uploads = {each.key: each.put({"crowd.txt": each.key.encode()}) for each in sources}
        for each in late:
            calm.wait_until(functools.partial(refused, each), f"{each.key} finds no room")
    for each in sources:
        each.wait_until_calm(events=1)
        each.expect_covered(uploads[each.key])
    assert all(sum(each.expect_metrics()["Conflicts"]) >= 1 for each in late)


def refused(source: Source) -> bool:
    """Whether a job of the source was refused."""
    return any("JobConflicted" in source.stack.entered(each.arn) for each in source.syncs())


def nonsense(base: str, data_source: str) -> dict[str, Any]:
    """Inputs that are none, by what is wrong with them."""
    good = {"knowledgeBaseId": base, "dataSourceId": data_source}
    return {
        "nothing": {},
        "null": None,
        "a text": f"{base}/{data_source}",
        "a number": 7,
        "nobody": [],
        "a list of lists": [[good]],
        "no data source": {"knowledgeBaseId": base},
        "an empty id": {**good, "dataSourceId": ""},
        "a number as id": {**good, "knowledgeBaseId": 7},
        "a path": {"knowledgeBaseId": f"{base}/..", "dataSourceId": data_source},
        "a key in one id": {**good, "dataSourceId": f"{base}/{data_source}"},
        "a wait that is a text": {**good, "wait": "yes"},
        "two data sources": [good, {**good, "dataSourceId": "ANOTHERONE"}],
        "one that names nothing": [good, {}],
        "an unknown mode": {"flight": {"key": f"{base}/{data_source}", "mode": "owner"}},
        "a successor of nobody": {"flight": {"key": f"{base}/{data_source}", "mode": "successor"}},
    }


STRANGE = [
    "a b",
    "x" * 2_000,
    "\u2603\u0000\n",
    "'; DROP TABLE",
    "${jndi}",
    "{% $states %}",
    "$.request",
    "*",
    "<b>&amp;",
]
"""Ids with characters that no id has."""
REFUSALS = "AccessDeniedException|ValidationException"
"""Nobody says which comes first: that there can be no such knowledge base, or that the role may not use it."""


def test_nonsense_is_refused_in_words_and_registers_nothing(source: Source) -> None:
    before = source.stack.table()
    asked = {what: source.stack.begin(given) for what, given in nonsense(*source.place.ids.values()).items()}
    ended = {what: source.stack.ended(arn) for what, arn in asked.items()}
    assert {what: each.error for what, each in ended.items()} == dict.fromkeys(asked, "InputInvalid")
    assert all("must be an object with knowledgeBaseId and dataSourceId" in each.cause for each in ended.values())
    assert source.stack.table() == before


def test_what_bedrock_does_not_know_or_allow_is_refused_by_its_name_and_registers_nothing(source: Source) -> None:
    stack, base = source.stack, source.place.knowledge_base_id
    before = stack.table()
    foreign = made(stack.instance, "foreign", BUCKET, base="foreign")
    refused = {
        "an unknown data source": (base, "NOBODY0000", "ResourceNotFoundException"),
        "an unknown knowledge base": (GHOST["knowledge_base_id"], "NOBODY0000", "ResourceNotFoundException"),
        "one that the role may not use": (*foreign.ids.values(), "AccessDeniedException"),
        **{f"a data source {each[:20]!r}": (base, each, "ValidationException") for each in STRANGE},
        **{f"a knowledge base {each[:20]!r}": (each, "NOBODY0000", REFUSALS) for each in STRANGE},
    }
    asked = {
        what: stack.begin({"knowledgeBaseId": one, "dataSourceId": other}) for what, (one, other, _) in refused.items()
    }
    ended = {what: stack.ended(arn) for what, arn in asked.items()}
    for what, (_, _, error) in refused.items():
        assert re.fullmatch(rf"BedrockAgent\.({error})", ended[what].error or ""), what
        assert ended[what].cause, what
    assert stack.table() == before


def test_uploads_to_a_data_source_that_is_not_there_fail_by_name_and_register_nothing(calm: SyncStack) -> None:
    ghost = calm.source("ghost")
    before = calm.table()
    ghost.put({"lost.txt": b"nobody reads this"})
    calm.wait_until(ghost.syncs, "the upload has asked for a sync")
    (asked,) = ghost.syncs()
    assert calm.ended(asked.arn).error == "BedrockAgent.ResourceNotFoundException"
    (text,) = calm.told(ghost.key)
    assert asked.arn in text
    assert calm.table() == before


def test_a_sweep_of_a_key_that_nobody_asked_for_finds_nothing_and_makes_nothing(calm: SyncStack) -> None:
    before = calm.table()
    swept = calm.ended(calm.begin({"flight": {"key": "NOBODY0000/NOBODY0000", "mode": "sweep"}}))
    assert (swept.status, swept.became) == ("SUCCEEDED", "nothing pending")
    assert calm.table() == before


def test_uploads_that_cannot_become_a_request_are_kept_and_one_request_covers_them(source: Source) -> None:
    stack, iam, pipe = source.stack, source.stack.client("iam"), f"millrace-kb-sync-{source.place.name}"
    queue = impatient(stack, pipe)
    iam.put_role_policy(
        RoleName=pipe, PolicyName="deny", PolicyDocument=policy({**allow("states:*"), "Effect": "Deny"})
    )
    try:
        uploads = source.put({"kept.txt": b"a text whose event goes nowhere"})
        body, attributes = dead_letter(stack)
    finally:
        iam.delete_role_policy(RoleName=pipe, PolicyName="deny")
        stack.client("sqs").set_queue_attributes(**queue)
    assert body == {
        "bucket": source.place.bucket,
        "key": f"{source.place.prefix}kept.txt",
        "sequencer": body["sequencer"],
        "event": "Object Created",
    }
    assert attributes["DeadLetterQueueSourceArn"].endswith(f":{pipe}")
    assert source.syncs() == []
    assert stack.ended(source.ask(wait=True)).became == "covered"
    source.expect_covered(uploads)


def impatient(stack: SyncStack, queue: str) -> dict[str, Any]:
    """Let a queue give a message up when it has come back once, after a second; how it was, to be set again."""
    sqs = stack.client("sqs")
    url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
    names = ["VisibilityTimeout", "RedrivePolicy"]
    usual = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    redrive = {**json.loads(usual["RedrivePolicy"]), "maxReceiveCount": 1}
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "1", "RedrivePolicy": json.dumps(redrive)})
    return {"QueueUrl": url, "Attributes": usual}


def dead_letter(stack: SyncStack) -> tuple[dict[str, Any], dict[str, str]]:
    """The one message that could not be delivered, taken out of its queue, and its attributes."""
    sqs, url = stack.client("sqs"), stack.outputs["sync_dead_letter_queue_url"]
    found: list[dict[str, Any]] = []

    def arrived() -> bool:
        asked = {"QueueUrl": url, "MessageSystemAttributeNames": ["All"], "MaxNumberOfMessages": 10}
        found.extend(sqs.receive_message(**asked).get("Messages", []))
        return bool(found)

    stack.wait_until(arrived, "a message is in the dead letter queue")
    (message,) = found
    sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return json.loads(message["Body"]), message["Attributes"]


def test_the_clock_measures_how_long_requests_have_been_pending(source: Source) -> None:
    def measured() -> list[float]:
        return source.metrics().get("OldestPendingSeconds", [])

    def tick() -> float:
        before = len(measured())
        source.stack.instance.fire_schedule(TICK)
        source.stack.wait_until(lambda: len(measured()) > before, "the clock's call is measured")
        return measured()[-1]

    with source.held():
        begun = time.time()
        source.ask_as_owner()
        seconds = tick()
        assert 0 <= seconds <= time.time() - begun
        source.stack.wait_until(lambda: tick() > seconds, "the request has grown older")
    source.wait_until_calm()
    assert tick() == 0


def test_every_metric_counts_for_its_data_source_and_for_all_of_them(source: Source) -> None:
    """The alarms look at the latter."""
    source.stack.ended(source.ask(wait=True))
    source.expect_metrics()
    dimensions = [
        told["Dimensions"]
        for line in source.stack.measured()
        if line.get("key")
        for told in line["_aws"]["CloudWatchMetrics"]
    ]
    assert dimensions
    assert all(sorted(map(sorted, each)) == [["key", "service"], ["service"]] for each in dimensions)


@pytest.fixture(scope="module")
def used(stack: SyncStack) -> SyncStack:
    """The stack after an upload that had to be handed over, an abort, a failure, and what the clock does."""
    stack.instance.forget_calls()
    source = stack.source(USED)
    with source.held():
        owner = source.ask_as_owner(wait=True)
        source.put({"permitted.txt": b"a text"})
        source.wait_for_events(1)
    assert stack.ended(owner).became == "covered"
    source.wait_until_calm(events=1)
    with source.held():
        owner = source.ask_as_owner()
        stack.client("stepfunctions").stop_execution(executionArn=owner)
        stack.wait_until(lambda: source.item.owner not in (None, owner), "somebody has taken over")
    source.wait_until_calm(events=1)
    stack.ended(stack.begin("nonsense"))
    for schedule in (SWEEP, TICK):
        stack.instance.fire_schedule(schedule)
    stack.wait_until(lambda: {"metrics", "sweeper"} <= scanning(stack), "the clock's calls have begun to work")
    return stack


def scanning(stack: SyncStack) -> set[str]:
    """Whose role has read the whole table."""
    calls = [call for call in stack.instance.calls() if call["action"] == "dynamodb:Scan"]
    return {call["principal"].rpartition("-")[2] for call in calls}


def test_no_call_of_a_role_is_denied(used: SyncStack) -> None:
    calls = used.instance.calls()
    assert not [call for call in calls if not call["allowed"]]
    assert len({call["principal"] for call in calls}) > 5, "the roles' calls were not recorded"


def test_no_allowance_is_never_used(used: SyncStack) -> None:
    of_the_deployment = [granted for granted in allowances(used) if granted[0].startswith("millrace-")]
    found = unused(used, of_the_deployment, not_called_here(used))
    assert not found, "\n".join(found)


def not_called_here(stack: SyncStack) -> list[str]:
    """Patterns of what one source's requests make no call for, by role, action and resource: the source stands for all
    others."""
    others = [stack.source(each).place for each in stack.outputs["sync_sources"] if each != USED]
    pipes = [f"millrace-kb-sync-{each.name}: *" for each in others]
    bases = [f"*: bedrock:* *:knowledge-base/{each.knowledge_base_id}" for each in others]
    return [*NOT_CALLED_HERE, *pipes, *bases]
