"""The scopes that the protocol is looked at in. Those of `LARGE` take minutes each."""

from __future__ import annotations

from typing import NamedTuple

from tests.model.protocol import Protocol
from tests.model.variants import NoSweeper
from tests.model.world import Faults, Scope


class Look(NamedTuple):
    """A scope, with the sweeper on or off."""

    what: str
    scope: Scope
    protocol: type[Protocol] = Protocol

    def __str__(self) -> str:
        return self.what


SMALL = (
    Look("three requests", Scope(requests=3)),
    Look("two requests and a crash", Scope(requests=2, sweepers=2, faults=Faults(crashes=1))),
    Look("a crash that is redriven", Scope(sweepers=2, quiet=True, faults=Faults(crashes=1, redrives=1))),
    Look("a caller that waits, and a crash", Scope(1, 1, 2, 1, quiet=True, faults=Faults(crashes=1))),
    Look("two callers that wait, and a crash", Scope(0, 2, 3, 2, quiet=True, faults=Faults(crashes=1))),
    Look("a job that fails, an error that stays", Scope(2, quiet=True, faults=Faults(failed_jobs=1, errors=1))),
    Look("callers that wait, and an error that stays", Scope(0, 2, 1, 2, quiet=True, faults=Faults(errors=1))),
    Look("jobs of others", Scope(2, quiet=True, faults=Faults(foreign=1, siblings=1))),
    Look("a call that lands late", Scope(2, quiet=True, faults=Faults(late=1))),
    Look(
        "a crash, a call that lands late, a redrive",
        Scope(1, sweepers=2, quiet=True, faults=Faults(crashes=1, redrives=1, late=1)),
    ),
    Look(
        "handover, a crash, a redrive and a stale answer",
        Scope(1, 0, 2, 2, quiet=True, faults=Faults(crashes=1, redrives=1, stale=1, full=1)),
    ),
    Look("late, with a failed job", Scope(1, quiet=True, faults=Faults(late=1, failed_jobs=1))),
)
"""With the sweeper, from the first world on where the scope is not quiet."""

WITHOUT_SWEEPER = (
    Look("two requests", Scope(sweepers=0), NoSweeper),
    Look("lost answers", Scope(sweepers=0, faults=Faults(lost=2)), NoSweeper),
    Look("a failed job, a foreign one", Scope(sweepers=0, faults=Faults(failed_jobs=1, foreign=1, lost=1)), NoSweeper),
    Look("a handover", Scope(2, 0, 0, 1, faults=Faults(full=1, foreign=1)), NoSweeper),
    Look(
        "a crash within a handover", Scope(2, 0, 0, 1, faults=Faults(crashes=1, full=1), killed_at="LetGo"), NoSweeper
    ),
    Look("callers that wait", Scope(0, 2, 0, 2, faults=Faults(lost=1)), NoSweeper),
    Look("one that waits, one that does not", Scope(1, 1, 0, 1, faults=Faults(lost=1)), NoSweeper),
    Look(
        "one that waits and is killed last", Scope(0, 2, 0, 3, faults=Faults(crashes=1), killed_at="LetGo"), NoSweeper
    ),
)
"""Where nobody has to make up for a caller that left."""

LARGE = (
    Look("three requests and a crash", Scope(3, sweepers=2, faults=Faults(crashes=1))),
    Look("three requests and two crashes", Scope(3, sweepers=3, quiet=True, faults=Faults(crashes=2))),
    Look("two requests, two crashes", Scope(2, sweepers=3, faults=Faults(crashes=2))),
    Look("a crash and a redrive, the sweeper at any time", Scope(2, sweepers=2, faults=Faults(crashes=1, redrives=1))),
    Look("two crashes, two redrives", Scope(2, sweepers=3, quiet=True, faults=Faults(crashes=2, redrives=2))),
    Look("two calls that land late", Scope(2, quiet=True, faults=Faults(late=2))),
    Look("a caller that waits, a crash, the sweeper at any time", Scope(1, 1, 2, 1, faults=Faults(crashes=1))),
    Look(
        "a caller that waits, handover, a crash, a redrive",
        Scope(1, 1, 2, 2, quiet=True, faults=Faults(crashes=1, redrives=1, full=1)),
    ),
    Look(
        "handover, a crash, a redrive, a stale answer, a caller that waits",
        Scope(1, 1, 2, 3, quiet=True, faults=Faults(crashes=1, redrives=1, stale=1, full=1)),
    ),
    Look(
        "two requests, a crash, a call that lands late, a redrive",
        Scope(2, sweepers=2, quiet=True, faults=Faults(crashes=1, redrives=1, late=1)),
    ),
    Look(
        "everything once",
        Scope(1, 1, 2, 2, quiet=True, faults=Faults(crashes=1, failed_jobs=1, lost=1, foreign=1)),
    ),
    Look(
        "starts of all kinds, and redrives",
        Scope(1, sweepers=2, quiet=True, faults=Faults(crashes=1, redrives=1, late=1, lost=1, failed_jobs=1)),
    ),
    Look(
        "three requests, a crash, a redrive",
        Scope(3, sweepers=2, quiet=True, faults=Faults(crashes=1, redrives=1, failed_jobs=1)),
    ),
    Look(
        "stale answers, a crash, a redrive, a call that lands late",
        Scope(2, sweepers=2, quiet=True, faults=Faults(crashes=1, redrives=1, stale=1, late=1)),
    ),
    Look("late, errors, a caller that waits", Scope(1, 1, 1, 1, quiet=True, faults=Faults(late=1, errors=1))),
)
