"""The law: every planned document has exactly one outcome, and

planned = indexed + updated + deleted + unchanged + failed + unverified
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from kendra_ingestion.errors import LawBroken
from kendra_ingestion.failures import FailureCode

SENT = "sent"
"""Accepted by the sink, which has not yet said what became of it."""

INDEXED = "indexed"
UPDATED = "updated"
DELETED = "deleted"
UNCHANGED = "unchanged"
FAILED = "failed"
UNVERIFIED = "unverified"

FINAL = (INDEXED, UPDATED, DELETED, UNCHANGED, FAILED, UNVERIFIED)

NOT_PROCESSED = "The run ended without an outcome for this document. It may or may not be in the index; retry the job."
STOPPED = "The job was stopped. The document may or may not be in the index; redrive the job to send it."

MESSAGE_MAX_CHARACTERS = 2_000


class Outcome(NamedTuple):
    """What became of one document: `sent` or one of FINAL. A failed one says why."""

    document_id: str
    outcome: str
    error_code: str | None = None
    error_message: str | None = None


def failed(document_id: str, code: str, message: str) -> Outcome:
    """The outcome of a document that has a row in the report."""
    return Outcome(document_id, FAILED, str(code), message[:MESSAGE_MAX_CHARACTERS])


def to_lines(outcomes: Iterable[Outcome]) -> bytes:
    """Write outcomes as JSON lines, one a document."""
    return b"".join(_to_line(outcome) for outcome in outcomes)


def from_lines(body: bytes) -> Iterator[Outcome]:
    """Read what `to_lines` wrote."""
    for line in body.splitlines():
        fields = json.loads(line)
        yield Outcome(fields["documentId"], fields["outcome"], fields.get("errorCode"), fields.get("errorMessage"))


def latest(planned: Iterable[str], sends: Iterable[Outcome], verdicts: Iterable[Outcome]) -> dict[str, Outcome | None]:
    """What is known of each planned document, in the plan's order; None where nothing is.

    `sends` and `verdicts` may hold a document several times (a retried invocation says again what the first
    one said) and documents of no plan (a part that an older attempt left behind), in any order of parts:
    - the index's verdict stands above what sending said, and a newer verdict above an older one;
    - accepted once is accepted, whatever another attempt was answered: the index then says what became of it.
    """
    known: dict[str, Outcome | None] = dict.fromkeys(planned)
    for outcome in sends:
        if outcome.document_id in known:
            before = known[outcome.document_id]
            if before is None or before.outcome != SENT:
                known[outcome.document_id] = outcome
    for outcome in verdicts:
        if outcome.document_id in known:
            known[outcome.document_id] = outcome
    return known


def pending(known: dict[str, Outcome | None]) -> list[str]:
    """The ids whose last word is that they were sent."""
    return [document_id for document_id, outcome in known.items() if outcome and outcome.outcome == SENT]


def final(known: dict[str, Outcome | None], *, stopped: bool = False) -> Iterator[Outcome]:
    """One final outcome a document: what was only sent is unverified, what has nothing is NotProcessed, or Stopped
    where somebody stopped the job."""
    for document_id, outcome in known.items():
        if outcome is None and stopped:
            yield failed(document_id, FailureCode.STOPPED, STOPPED)
        elif outcome is None:
            yield failed(document_id, FailureCode.NOT_PROCESSED, NOT_PROCESSED)
        elif outcome.outcome == SENT:
            yield outcome._replace(outcome=UNVERIFIED)
        else:
            yield outcome


@dataclass
class Tally:
    """Counts final outcomes, and the failed ones by their code."""

    outcomes: Counter[str] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)

    def add(self, outcome: Outcome) -> None:
        """Count one document."""
        self.outcomes[outcome.outcome] += 1
        if outcome.outcome == FAILED:
            self.codes[outcome.error_code or ""] += 1

    def counts(self, planned: int) -> dict[str, int]:
        """`planned` and every final outcome by name. Raises LawBroken where they do not add up."""
        strangers = set(self.outcomes) - set(FINAL)
        total = sum(self.outcomes.values())
        if strangers or total != planned:
            raise LawBroken(
                f"{planned} documents were planned and {total} have an outcome"
                + (f"; not final: {', '.join(sorted(strangers))}" if strangers else "")
            )
        return {"planned": planned} | {name: self.outcomes[name] for name in FINAL}


def _to_line(outcome: Outcome) -> bytes:
    fields = {"documentId": outcome.document_id, "outcome": outcome.outcome}
    if outcome.error_code is not None:
        fields["errorCode"] = outcome.error_code
    if outcome.error_message is not None:
        fields["errorMessage"] = outcome.error_message
    return json.dumps(fields, ensure_ascii=True, separators=(",", ":")).encode("ascii") + b"\n"
