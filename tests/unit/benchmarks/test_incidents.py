from __future__ import annotations

from benchmarks.incidents import MARK, PUT, Asked, Measured, figures_of

FEWEST = {PUT: 200, MARK: 200, "dynamodb:Query": 5}
NOTHING, EVERYTHING = Asked(0, 50), Asked(100, 5_100)
MEASURED = Measured(100, 10.0, FEWEST, (100, 100))


def missed(seconds: float = 10.0, written: int = 100, **more: int) -> set[str]:
    """The bars that a run of 100 incidents misses which made these calls, and more than the fewest that can be."""
    calls = {**FEWEST, **{f"dynamodb:{name}": number for name, number in more.items()}}
    figures = figures_of(Measured(100, seconds, calls, (written, 100)), NOTHING, EVERYTHING)
    return {figure.name.partition(": ")[2] for figure in figures if not figure.holds}


def test_the_fewest_calls_that_there_can_be_hold_every_bar() -> None:
    assert missed() == set()


def test_a_second_mark_a_scan_more_calls_or_a_slow_run_miss_their_bars() -> None:
    assert missed(written=101, TransactWriteItems=201) == {"marks that each is written"}
    assert missed(Scan=1) == {"scans"}
    assert missed(UpdateItem=100) == {"all other calls for each"}
    assert missed(seconds=1_000.0) == {"end to end"}


def test_each_operation_is_told() -> None:
    told = {figure.name.partition(": ")[2]: figure.value for figure in figures_of(MEASURED, NOTHING, EVERYTHING)}
    assert {name: told[name] for name in FEWEST} == FEWEST


def test_the_queries_beside_it_have_no_bars() -> None:
    figures = list(figures_of(MEASURED, NOTHING, EVERYTHING))
    compared = [figure for figure in figures if figure.name.startswith("a filter")]
    assert [(figure.value, figure.bar) for figure in compared] == [(0, None), (50, None), (100, None), (5_100, None)]
