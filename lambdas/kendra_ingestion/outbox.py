"""The adapter for putting messages into a queue, with the errors that the state machine knows."""

from __future__ import annotations

from collections.abc import Sequence

from kendra_ingestion.errors import MessageRefused, QueueUnavailable
from shared import outbox
from shared.outbox import Envelope, TurnedAway, Untaken


class Outbox(outbox.Outbox):
    """One FIFO queue."""

    def send(self, batch: Sequence[Envelope]) -> None:
        """Send at most 10 messages. Raises MessageRefused or QueueUnavailable."""
        try:
            super().send(batch)
        except TurnedAway as error:
            raise MessageRefused(str(error)) from error
        except Untaken as error:
            raise QueueUnavailable(str(error)) from error
