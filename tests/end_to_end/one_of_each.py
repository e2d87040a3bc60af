"""A folder and a manifest with one of everything that a team can get wrong, or right in a way that surprises, and what
has to become of each: the same in every deployment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.end_to_end.stack import Stack, metadata

DOCUMENTS = Path(__file__).parents[2] / "sample" / "kendra_ingestion" / "documents"
MEGABYTE = 1024 * 1024

SAID_BY_THE_SINK = "InvalidRequest"
"""The code of a document whose fault one sink finds and words by itself, and another leaves to us."""

NAMES = (
    *(f"good-{number}" for number in range(23)),
    'comma, and "quotes"',
    "line\nbreak and\ttab",
    "ümläut ✓ 文書",
    "s3://looks/like/another",
    "{% $states %} ${x} {{y}}",
    "slash/../and/./dots",
)
"""What ids may look like."""

FORMULAS = ("=cmd()", "+1", "-1", "@x", "\t=1", "\uff1d1", "'=1")
"""How ids begin that a spreadsheet may take for formulas, and one that looks like such an id's cell."""


@dataclass(frozen=True)
class Case:
    """Files under `batches/`, and the id and the code of each row that they make; without a code, a document that is
    indexed."""

    files: Mapping[str, bytes]
    document_id: str
    code: str | None = None


@dataclass(frozen=True)
class OneOfEach:
    """All cases for one job. Every id begins with `name`, where an id's beginning is not the point, so that several
    jobs can have one index. `before` are documents that the index has to hold already."""

    cases: tuple[Case, ...]
    before: tuple[str, ...]
    deletes: tuple[str, ...]
    conflicts: tuple[str, ...]

    @classmethod
    def of(cls, name: str, bucket: str, prefix: str) -> OneOfEach:
        where = f"s3://{bucket}/{prefix}/batches/"
        before = (
            *(f"{name}-before-{number}" for number in range(12)),
            *(f"{name}-before {special}" for special in NAMES[23:]),
            *(f"{formula}{name}-before" for formula in FORMULAS),
            f"{name}-before-".ljust(2048, "b"),
        )
        conflicts = (f"{name}-good-0", f"{name}-unknown-attribute", f"{name}-unknown-field")
        return cls(
            cases=(*_good(name, where), *_alone(where), *_flawed(name, where), *_of_the_sample()),
            before=before,
            deletes=(*before, f"{name}-nobody", f"={name}-nobody", f"{name}-nobody-".ljust(2048, "n"), *conflicts),
            conflicts=conflicts,
        )

    @property
    def files(self) -> dict[str, bytes]:
        return {name: body for case in self.cases for name, body in case.files.items()}

    @property
    def indexed(self) -> list[str]:
        return [case.document_id for case in self.cases if case.code is None]

    @property
    def deleted(self) -> list[str]:
        return [document_id for document_id in self.deletes if document_id not in self.conflicts]

    @property
    def failures(self) -> list[tuple[str, str]]:
        """Id and code of every row of failures.csv, in no order."""
        rows = [(case.document_id, case.code) for case in self.cases if case.code is not None]
        return rows + [(document_id, "ConflictingDelete") for document_id in self.conflicts]

    def run(self, stack: Stack, prefix: str, job_id: str) -> None:
        """Put what has to be there, and run the job."""
        earlier = f"{prefix}-before"
        for number, document_id in enumerate(self.before):
            stack.upload(earlier, document(f"{number}.json", document_id))
        assert stack.run(earlier, f"{job_id}-before").status == "SUCCEEDED"
        assert stack.counts(f"{job_id}-before") == {"planned": len(self.before), "indexed": len(self.before)}
        stack.upload(prefix, self.files)
        stack.put_object(f"{prefix}/batches/a-folder/", b"")
        execution = stack.run(prefix, job_id, deletes=list(self.deletes))
        assert execution.status == "SUCCEEDED", execution

    def check(self, stack: Stack, job_id: str) -> None:
        """Every document and every id has become what it has to."""
        rows = [(_real(row["documentId"]), row["errorCode"]) for row in stack.rows(job_id)]
        assert sorted(rows) == sorted(self.failures)
        assert stack.counts(job_id) == {
            "planned": len(self.indexed) + len(self.deleted) + len(self.failures),
            "indexed": len(self.indexed),
            "deleted": len(self.deleted),
            "failed": len(self.failures),
        }
        assert set(stack.statuses(*self.indexed).values()) == {"INDEXED"}
        assert set(stack.statuses(*self.deleted).values()) == {"NOT_FOUND"}


def document(
    name: str, document_id: str | None, *, body: bytes = b"some text", known: bytes | None = None, **more: Any
) -> dict[str, bytes]:
    """A pair whose file's name says nothing about its id. `known` replaces the whole metadata file."""
    return {name: body, f"{name}.metadata.json": metadata(document_id, **more) if known is None else known}


def _good(name: str, where: str) -> Iterator[Case]:
    for number, special in enumerate(NAMES):
        document_id = f"{name}-{special}"
        yield Case(document(f"good/{number:02}.json", document_id), document_id)
    for number, formula in enumerate(FORMULAS):
        document_id = f"{formula}{name}"
        yield Case(document(f"formulas/{number}.json", document_id), document_id)
    longest = f"{name}-".ljust(2048, "y")
    yield Case(document("longest.json", longest), longest)
    yield Case(document("nameless.json", None, Title="no id"), f"{where}nameless.json")
    yield Case(document('deep/er/nested, "quoted" and ümläut.json', f"{name}-nested"), f"{name}-nested")
    # Between this pair lies x.json-a, a document without metadata.
    yield Case(document("x.json", f"{name}-x"), f"{name}-x")
    yield Case({"x.json-a": b"alone"}, f"{where}x.json-a", "MissingMetadata")
    attributes = {"department": "Pumps", "audience": ["a", "b"], "revision": 3, "reviewed_on": "2025-10-05"}
    yield Case(document("attributes.json", f"{name}-attributes", Attributes=attributes), f"{name}-attributes")
    readers = [
        {"Name": "somebody", "Type": "USER", "Access": "ALLOW"},
        {"Name": "operators", "Type": "GROUP", "Access": "DENY"},
    ]
    yield Case(document("readers.json", f"{name}-readers", AccessControlList=readers), f"{name}-readers")
    yield Case(
        {
            "of-things.metadata.json": b"a document about metadata",
            "of-things.metadata.json.metadata.json": metadata(f"{name}-metadata"),
        },
        f"{name}-metadata",
    )
    twice = f"{name}-twice"
    yield Case(document("twice/1.json", twice), twice)
    yield Case(document("twice/2.json", twice), twice, "DuplicateDocumentId")
    yield Case(document("twice/3.json", twice), twice, "DuplicateDocumentId")


def _alone(where: str) -> Iterator[Case]:
    for key in ("alone.json", 'comma, and "quotes".json', "line\nbreak.json", "=formula.json"):
        yield Case({key: b"a document without metadata"}, f"{where}{key}", "MissingMetadata")
    orphan = "orphan.json.metadata.json"
    yield Case({orphan: metadata("orphan")}, f"{where}{orphan}", "MetadataWithoutDocument")


def _flawed(name: str, where: str) -> Iterator[Case]:
    unreadable = {
        "broken": b'{"DocumentId": ',
        "not-utf-8": b'{"DocumentId": "\xff\xfe"}',
        "a-list": b"[]",
        "empty-metadata": b"",
        "deep": b"[" * 10_000,
        "id-of-a-number": b'{"DocumentId": 7}',
        "id-too-long": metadata("y" * 2049),
        "id-empty": b'{"DocumentId": ""}',
        "metadata-too-large": metadata("y", Title="x" * 66_000),
        "same-name-twice": b'{"DocumentId": "y", "DocumentId": "z"}',
    }
    for key, known in unreadable.items():
        yield Case(document(f"{key}.json", None, known=known), f"{where}{key}.json", "MetadataInvalid")
    invalid: dict[str, dict[str, Any]] = {
        "unknown-field": {"Atributes": {}},
        "unknown-type": {"ContentType": "PAPER"},
        "title": {"Title": 3},
        "attribute-null": {"Attributes": {"department": None}},
        "attribute-key": {"Attributes": {"a b": "c"}},
        "reader": {"AccessControlList": [{"Name": "n", "Type": "ROBOT", "Access": "ALLOW"}]},
    }
    for key, more in invalid.items():
        yield Case(document(f"{key}.json", f"{name}-{key}", **more), f"{name}-{key}", "MetadataInvalid")
    mistyped: dict[str, Any] = {"revision": "three", "department": ["Pumps"], "audience": "all", "reviewed_on": "soon"}
    for key, value in mistyped.items():
        document_id = f"{name}-{key}"
        files = document(f"mistyped/{key}.json", document_id, Attributes={key: value})
        yield Case(files, document_id, "AttributeTypeMismatch")
    unknown = {"nobody_knows_this": "x"}
    strange = (f"{name}-unknown-attribute", f'{name}, "said"\nshe', f"{name}-".ljust(2048, "z"))
    for number, document_id in enumerate((*strange, *(f"{formula}{name}-bad" for formula in FORMULAS))):
        yield Case(
            document(f"unknown/{number:02}.json", document_id, Attributes=unknown), document_id, "UnknownAttribute"
        )
    large = document("large.json", f"{name}-large", body=b"x" * (6 * MEGABYTE))
    yield Case(large, f"{name}-large", "DocumentTooLarge")
    bytes_of = {"body": b"\xff\xfe\x00\x01 not text", "empty": b""}
    for key, body in bytes_of.items():
        yield Case(document(f"{key}.json", f"{name}-{key}", body=body), f"{name}-{key}", SAID_BY_THE_SINK)


def _of_the_sample() -> Iterator[Case]:
    """The sample's flawed documents; the good ones are the same in every job, and so updates."""
    rows = {
        "night-rounds.json": ("handbook-night-rounds", "UnknownAttribute"),
        "summer-readings.json": ("handbook-summer-readings", SAID_BY_THE_SINK),
    }
    for name, (document_id, code) in rows.items():
        files = (DOCUMENTS / "faulty").glob(f"{name}*")
        yield Case({f"sample/{path.name}": path.read_bytes() for path in files}, document_id, code)


def _real(cell: str) -> str:
    """The id that a cell of failures.csv stands for."""
    return cell.removeprefix("'")
