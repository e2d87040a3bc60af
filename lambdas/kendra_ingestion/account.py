"""How a message is accounted for: its outcomes, its part of the report, the counter, and the answer to the machine when
it was the last. A death between any two repeats what follows and changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from kendra_ingestion.messages import Message
from kendra_ingestion.outcomes import FAILED, Outcome
from kendra_ingestion.progress import Progress
from kendra_ingestion.report import rows
from kendra_ingestion.telemetry import count, logger
from kendra_ingestion.workspace import Workspace


class Account:
    """One attempt's account of its messages. `answer` takes a task token."""

    def __init__(self, workspace: Workspace, progress: Progress, answer: Callable[[str], None]) -> None:
        self.workspace = workspace
        self.progress = progress
        self._answer = answer

    def settle(self, message: Message, outcomes: Sequence[Outcome]) -> None:
        """Account for a message whose documents all have an outcome."""
        self.workspace.save_sends(message.chunk, message.request, outcomes)
        bad = [outcome for outcome in outcomes if outcome.outcome == FAILED]
        if bad:
            part = rows(message.job.job_id, bad)
            self.workspace.save_part(message.action, message.chunk, message.request, part)
        self.progress.count(message.chunk, message.request)
        count("DocumentsSent", len(outcomes) - len(bad))
        count("DocumentsFailed", len(bad))
        logger.info("accounted for", extra=ids(message) | {"sent": len(outcomes) - len(bad), "failed": len(bad)})
        self.close()

    def is_settled(self, message: Message) -> bool:
        """Whether a message was accounted for, by any attempt."""
        return self.progress.is_counted(message.chunk, message.request)

    def close(self) -> None:
        """Let the machine go on, if every message is accounted for."""
        token = self.progress.complete()
        if token is not None:
            self._answer(token)

    def close_early(self) -> None:
        """Let the machine go on though messages are left, because the job was stopped. A later attempt that waits with
        a token of its own is left alone."""
        token = self.progress.own_token()
        if token is not None:
            self._answer(token)


def ids(message: Message) -> dict[str, str | int]:
    """What a log line says of a message."""
    job = message.job
    return {
        "jobId": job.job_id,
        "run": job.run,
        "attempt": job.attempt,
        "chunk": message.chunk,
        "request": message.request,
    }
