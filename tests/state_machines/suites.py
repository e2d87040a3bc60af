"""The test cases of every machine, by its name. Together those of a machine take every edge of its definition;
test_every_machine.py counts.
"""

from __future__ import annotations

from tests.state_machines.cases import compaction, incident_sync, kb_sync, kendra_ingestion, sweeper
from tests.state_machines.cases.case import Case

SUITES = {
    suite.machine.name: suite
    for suite in (*kendra_ingestion.SUITES, kb_sync.SUITE, sweeper.SUITE, compaction.SUITE, incident_sync.SUITE)
}
RETRY_CASES = {name: suite.retry_cases() for name, suite in SUITES.items()}
ALL_CASES = {name: [*suite.cases, *RETRY_CASES[name]] for name, suite in SUITES.items()}

EACH_CASE = [(name, case) for name, suite in SUITES.items() for case in suite.cases]
EACH_RETRY_CASE = [(name, case) for name, cases in RETRY_CASES.items() for case in cases]


def named(part: str | Case) -> str:
    """The name of a test's parameter: the machine, or what the case promises."""
    return part.promise if isinstance(part, Case) else part
