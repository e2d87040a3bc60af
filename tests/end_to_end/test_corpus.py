"""A real corpus of thousands of documents, counted by the pipeline and checked against the index itself."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.end_to_end.stack import Stack

REPOSITORY = Path(__file__).parents[2]
SUFFIX = ".metadata.json"


def is_metadata(path: Path) -> bool:
    return path.name.endswith(SUFFIX) and path.with_name(path.name.removesuffix(SUFFIX)).exists()


def test_the_python_corpus_is_accounted_for_document_by_document(stack: Stack, prefix: str, tmp_path: Path) -> None:
    subprocess.run(
        [
            sys.executable,
            "-m",
            "sample.kendra_ingestion.corpus",
            str(tmp_path / "corpus"),
            "--limit",
            "5000",
        ],
        cwd=REPOSITORY,
        check=True,
        capture_output=True,
    )
    files = [path for path in (tmp_path / "corpus").rglob("*") if path.is_file()]
    # The library documents things that are called "metadata": `x.metadata.json` may be a document with metadata.
    ids = {json.loads(path.read_bytes())["DocumentId"] for path in files if is_metadata(path)}
    assert len(ids) == 5000

    def put(path: Path) -> None:
        stack.upload(prefix, {path.relative_to(tmp_path / "corpus").as_posix(): path.read_bytes()})

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(put, files))
    execution = stack.wait_for_job(stack.submit(prefix, {"jobId": "corpus", "prefix": prefix}), seconds=400)
    assert execution.status == "SUCCEEDED", execution

    counts = stack.summary("corpus")["counts"]
    failures = stack.failures("corpus")
    assert counts["planned"] == len(ids) == counts["indexed"] + counts["failed"]
    assert counts["failed"] == len(failures)
    said = stack.statuses(*sorted(ids))
    assert {name for name, status in said.items() if status == "INDEXED"} == ids - failures.keys()
