"""`make demo`'s command: the stories come out well, in one folder and again when they are told twice, and `local down`
leaves nothing."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.end_to_end.command import millrace


def processes_of(folder: Path) -> list[str]:
    """The command lines of living processes that mention the folder, or whose environment does."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        if process.name == str(os.getpid()):
            continue
        try:
            told = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
        except OSError:
            continue  # it has ended, or is somebody else's
        if str(folder).encode() in told:
            found.append((process / "cmdline").read_text().replace("\0", " "))
    return found


def check(story: str, planned: str) -> None:
    """The story's six steps, with each document's end as it has to be."""
    for step in range(1, 7):
        assert f"\n{step}  " in f"\n{story}"
    for code in ("MissingMetadata", "UnknownAttribute", "InvalidRequest"):
        assert code in story
    assert planned in story
    assert "140 turns" in " ".join(story.split())
    assert "local down" in story


def check_sync(story: str) -> None:
    """The steps of the other story, with everybody covered."""
    for step in range(1, 7):
        assert f"\n{step}  " in f"\n{story}"
    assert "10 events of the bucket: ticket" in story
    assert "covered by job" in story
    assert "coalesced" in story
    assert "nobody left uncovered" in story
    for answer in ("Bartholomew", "pump two", "41 centimetres", "eleven millimetres", "310 from the gate"):
        assert answer in " ".join(story.split())


def check_incidents(story: str) -> None:
    """The steps of the third story, with one set aside and two gone again."""
    for step in range(1, 9):
        assert f"\n{step}  " in f"\n{story}"
    told = " ".join(story.split())
    for said in (
        "12 incidents come into the table incidents, 9 of them closed",
        "searchable 8",
        "INC-2025-025: closed_at",
        "INC-2025-022: ",
        '"hours_without_water": 2.75',
        "written 0, removed 2",
        "INC-2025-014 and INC-2025-031 are gone",
        "two are gone again",
    ):
        assert said in told


def check_vectors(story: str) -> None:
    """The steps of the fourth story, with three rows refused, a correction and a deletion."""
    for step in range(1, 10):
        assert f"\n{step}  " in f"\n{story}"
    told = " ".join(story.split())
    for said in (
        "12 receipts come into the table receipts",
        "52 lines, 167 words, 32 labels",
        "with vectors: 51 lines, 166 words",
        "chemist-0305: the line is not JSON",
        "cobbler-0042: id is of another receipt",
        "ferry-0088: text is missing",
        "bakery-0903/00002/00001: Sourdough",
        "inn-0217/00002: Eel pie with parsley 11.50",
        "among lines nothing",
        "words: 151 records; missing 0, superfluous 0, different 0, withoutVector 1",
        "51 lines, 166 words were published, 3 rows refused",
    ):
        assert said in told, said


def test_the_stories_come_out_well_in_one_folder_and_nothing_is_left(tmp_path: Path) -> None:
    """At last with the other option and the other sink, to which the deployment changes; each alone is the soak's."""
    folder = tmp_path / "aws"
    try:
        first = millrace(folder, "local", "demo")
        assert first.returncode == 0, first.stdout + first.stderr
        check(first.stdout, "planned 15 = indexed 12 + failed 3")

        beside = millrace(folder, "local", "demo", "--workflow", "kb_sync")
        assert beside.returncode == 0, beside.stdout + beside.stderr
        check_sync(beside.stdout)
        (source,) = json.loads(millrace(folder, "sources", "--json").stdout)["sources"]
        assert (source["source"], source["pending"]) == ("images", 0)

        third = millrace(folder, "local", "demo", "--workflow", "incidents")
        assert third.returncode == 0, third.stdout + third.stderr
        check_incidents(third.stdout)
        sources = json.loads(millrace(folder, "sources", "--json").stdout)["sources"]
        assert {source["source"]: source["pending"] for source in sources} == {"images": 0, "incidents": 0}
        assert json.loads(millrace(folder, "incidents", "check", "--json").stdout)["findings"] == []

        fourth = millrace(folder, "local", "demo", "--workflow", "vectors")
        assert fourth.returncode == 0, fourth.stdout + fourth.stderr
        check_vectors(fourth.stdout)

        second = millrace(folder, "local", "demo")
        assert second.returncode == 0, second.stdout + second.stderr
        assert "already up" in second.stdout
        assert "No changes." in second.stdout
        check(second.stdout, "planned 15 = updated 12 + failed 3")

        other = millrace(folder, "local", "demo", "--option", "sqs", "--sink", "bedrock")
        assert other.returncode == 0, other.stdout + other.stderr
        check(other.stdout, "planned 15 = indexed 12 + failed 3")

        runs = json.loads(millrace(folder, "runs", "--json").stdout)["runs"]
        assert len({run["jobId"] for run in runs}) == 3
        assert json.loads(millrace(folder, "local", "status", "--json").stdout)["deployed"]
    finally:
        down = millrace(folder, "local", "down")
    assert down.returncode == 0, down.stderr
    assert not folder.exists()


@pytest.mark.soak
def test_the_other_option_and_the_other_sink_tell_the_same_story(tmp_path: Path) -> None:
    """The one after the other, so that the deployment changes its option and its sink in between."""
    folder = tmp_path / "aws"
    try:
        for flags in (("--option", "sqs"), ("--sink", "bedrock")):
            told = millrace(folder, "local", "demo", *flags)
            assert told.returncode == 0, told.stdout + told.stderr
            check(told.stdout, "planned 15 = indexed 12 + failed 3")
    finally:
        down = millrace(folder, "local", "down")
    assert down.returncode == 0, down.stderr


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs /proc to see processes")
def test_down_leaves_no_process(tmp_path: Path) -> None:
    folder = tmp_path / "aws"
    try:
        assert millrace(folder, "local", "up").returncode == 0
        assert processes_of(folder)
    finally:
        down = millrace(folder, "local", "down")
    assert down.returncode == 0, down.stderr
    assert processes_of(folder) == []
    assert not folder.exists()
