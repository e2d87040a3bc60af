"""What is asked of a key in a play, who meets whom; by the campaign's troubles it is told in many ways."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.single_flight.calls import How
from tests.single_flight.definitions import Change, as_it_is, hands_over_early
from tests.single_flight.play import Play

LOOKING = "GetJob"
"""The state in which an owner looks at its job, which ends when it does."""


@dataclass(frozen=True)
class Scenario:
    """`script` brings the requests; what it leaves at rest goes on in turns."""

    name: str
    script: Callable[[Play], None]
    change: Change = as_it_is

    def __str__(self) -> str:
        return self.name


def one_request(play: Play) -> None:
    play.run(play.request())


def burst(play: Play) -> None:
    """Two more come while the job of the first runs, one of them by an event that comes twice."""
    first = play.request()
    play.run_to(first, LOOKING)
    play.run(play.request())
    play.request(again=True)


def failing_job(play: Play) -> None:
    play.jobs_end("FAILED")
    first = play.request()
    play.run_to(first, LOOKING)
    play.jobs_end("STOPPED")
    play.run_to(first, "ForgetJob")
    play.run_to(first, LOOKING)
    play.jobs_end("COMPLETE")


def jobs_that_always_fail(play: Play) -> None:
    """The owner gives up, and who waits is told."""
    play.jobs_end("FAILED")
    first = play.request()
    play.run_to(first, LOOKING)
    second = play.request(wait=True)
    play.run_to(second, "DescribeOwner")
    play.run(first)
    play.run(second)


def waiter(play: Play) -> None:
    """One waits for what another one does."""
    first = play.request()
    play.run_to(first, "StartJob")
    play.request(wait=True)


def waiting_owner(play: Play) -> None:
    """The owner's caller has what it waits for, and another request is pending."""
    first = play.request(wait=True)
    play.run_to(first, LOOKING)
    play.run(play.request())


def handover(play: Play) -> None:
    """Two rounds where a history has room for one."""
    first = play.request()
    play.run_to(first, LOOKING)
    play.run(play.request())


def foreign_job(play: Play) -> None:
    """Somebody else's job has looked at the bucket before the request."""
    play.start_foreign_job()
    play.run(play.request())


def sweeper(play: Play) -> None:
    """It finds an owner that has died; another request finds it, too."""
    first = play.request()
    play.run_to(first, "RecordJob")
    for call in play.held():
        play.let_go(call, How.DIES_BEFORE)
    play.sweep()
    play.request(wait=True)


SCENARIOS = (
    Scenario("one request", one_request),
    Scenario("a burst while a job runs", burst),
    Scenario("jobs that fail and are stopped", failing_job),
    Scenario("jobs that always fail", jobs_that_always_fail),
    Scenario("one who waits", waiter),
    Scenario("an owner who waits", waiting_owner),
    Scenario("a handover", handover, hands_over_early),
    Scenario("a foreign job", foreign_job),
    Scenario("a sweep after a death", sweeper),
)
