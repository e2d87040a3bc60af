"""What every test may ask for: `embedded_aws`, one embedded AWS per test process, stopped at the end; and `tell`, to
say in the run's summary how much was done."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import pytest

from millrace.local.instance import Instance, Options

TOLD = "told"
Tell = Callable[[str], None]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if "soak" in config.option.markexpr:
        return
    for item in items:
        if item.get_closest_marker("soak"):
            item.add_marker(pytest.mark.skip(reason="takes long: `make soak` runs it"))


@pytest.fixture(scope="session")
def embedded_aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    instance = Instance.start(tmp_path_factory.mktemp("embedded-aws"), Options())
    yield instance
    instance.stop()


@pytest.fixture
def tell(record_property: Callable[[str, object], None]) -> Tell:
    """Says a sentence about this test at the end of the whole run, whichever process the test is in."""
    return partial(record_property, TOLD)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for report in terminalreporter.getreports("passed") + terminalreporter.getreports("failed"):
        for name, sentence in report.user_properties:
            if name == TOLD:
                terminalreporter.write_line(f"{report.nodeid}: {sentence}")
