"""The plan of a run: what the folder and the manifest hold becomes chunks and outcomes. Pure.

Memory at 1,000,000 documents: a process of 300 MB, most of it the ids seen so far, and of 410 MB where one container
packs them for the next pass and reads them again.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

from kendra_ingestion.chunking import chunk_size
from kendra_ingestion.documents import Action, Chunk, Document
from kendra_ingestion.errors import DocumentInvalid
from kendra_ingestion.failures import FailureCode
from kendra_ingestion.metadata import default_id
from kendra_ingestion.outcomes import UNCHANGED, Outcome, failed, to_lines
from kendra_ingestion.packing import Limits, in_tens, pack
from kendra_ingestion.pairing import METADATA_SUFFIX, Found

FULL, CHANGED = "full", "changed"
"""A job's modes: whether every document is sent, or those alone that the index does not have as they are."""

ID_DIGEST_BYTES = 16
"""Two of a billion different ids share such a digest with a probability of 10^-21."""


def id_digest(document_id: str) -> bytes:
    """What a million ids are remembered by."""
    return blake2b(document_id.encode("utf-8"), digest_size=ID_DIGEST_BYTES).digest()


class SeenIds:
    """The ids of the documents met so far, as digests, each with the key of its document."""

    def __init__(self, packed: bytes = b"") -> None:
        self._keys: dict[bytes, bytes] = {}
        body = zlib.decompress(packed) if packed else b""
        place = 0
        while place < len(body):
            digest, length = struct.unpack_from(f">{ID_DIGEST_BYTES}sH", body, place)
            place += ID_DIGEST_BYTES + 2
            self._keys[digest] = body[place : place + length]
            place += length

    def claim(self, document_id: str, key: str) -> str | None:
        """Take the id for this key. Returns the key that has it already, or None when it was free."""
        first = self._keys.setdefault(id_digest(document_id), own := key.encode("utf-8"))
        return None if first is own else first.decode("utf-8")

    def packed(self) -> bytes:
        """All of it in about 40 bytes an id, for the next pass."""
        pack_one = zlib.compressobj(level=1)
        parts = [
            pack_one.compress(struct.pack(f">{ID_DIGEST_BYTES}sH", digest, len(key)) + key)
            for digest, key in self._keys.items()
        ]
        return b"".join([*parts, pack_one.flush()])


@dataclass
class Plan:
    """Takes what is found, one by one, and gives out chunks as they fill. Deletes come last."""

    bucket: str
    deletes: Sequence[str]
    limits: Limits
    planned: int = 0
    failed: int = 0
    unchanged: int = 0
    chunks: list[int] = field(default_factory=list)
    """How many documents each finished chunk holds."""
    open: list[Document] = field(default_factory=list)
    """The documents of the chunk that is filling."""
    put_deletes: set[str] = field(default_factory=set)
    """Those of the ids to delete that the folder holds."""
    seen: SeenIds = field(default_factory=SeenIds)
    outcomes: list[Outcome] = field(default_factory=list)
    """Of what is in no chunk, since `take_outcomes`."""

    def __post_init__(self) -> None:
        self._to_delete = set(self.deletes)

    def put(self, document: Document) -> Iterator[Chunk]:
        """Plan a document that can be sent."""
        if self._claim(document):
            self.planned += 1
            self.open.append(document)
            if len(self.open) == chunk_size(len(self.chunks)):
                yield self._chunk("put", pack(self.open, self.limits))

    def keep(self, document: Document) -> None:
        """Plan a document that the index already has as it is."""
        if self._claim(document):
            self.planned += 1
            self.unchanged += 1
            self.outcomes.append(Outcome(document["documentId"], UNCHANGED))

    def refuse(self, key: str, error: DocumentInvalid) -> None:
        """Plan a document that cannot be sent. It claims no id."""
        self._notice(error.document_id)
        self._fail(error.document_id or default_id(self.bucket, key), error.code, error.message)

    def pass_over(self, document: Document | DocumentInvalid) -> None:
        """Leave a document out of the plan. It still is in the folder, so its id is neither another's nor deleted."""
        if isinstance(document, DocumentInvalid):
            self._notice(document.document_id)
        else:
            self._notice(document["documentId"])
            self.seen.claim(document["documentId"], document["key"])

    def delete(self, document_id: str) -> Iterator[Chunk]:
        """Plan a delete. An id that the folder holds is not deleted, even where its document failed: the two contradict
        each other, and deleting is what cannot be undone."""
        if document_id in self.put_deletes:
            self._fail(
                document_id,
                FailureCode.CONFLICTING_DELETE,
                "the manifest deletes this id and the folder holds a document with it; it is not deleted",
            )
            return
        self.planned += 1
        self.open.append({"documentId": document_id})
        if len(self.open) == chunk_size(len(self.chunks)):
            yield from self.end_of_deletes()

    def end_of_folder(self) -> Iterator[Chunk]:
        """Close the last chunk of documents."""
        if self.open:
            yield self._chunk("put", pack(self.open, self.limits))

    def end_of_deletes(self) -> Iterator[Chunk]:
        """Close the last chunk of deletes."""
        if self.open:
            yield self._chunk("delete", list(in_tens(self.open)))

    def take_outcomes(self) -> bytes:
        """The outcomes since the last time, as lines of the plan's own outcome file."""
        taken, self.outcomes = self.outcomes, []
        return to_lines(taken)

    def state(self) -> dict[str, Any]:
        """All that the next pass needs, besides the ids seen."""
        return {
            "planned": self.planned,
            "failed": self.failed,
            "unchanged": self.unchanged,
            "chunks": self.chunks,
            "open": self.open,
            "putDeletes": sorted(self.put_deletes),
        }

    @classmethod
    def resume(cls, bucket: str, deletes: Sequence[str], limits: Limits, state: dict[str, Any], ids: bytes) -> Plan:
        """Go on from where the pass before stopped."""
        return cls(
            bucket=bucket,
            deletes=deletes,
            limits=limits,
            planned=state["planned"],
            failed=state["failed"],
            unchanged=state["unchanged"],
            chunks=state["chunks"],
            open=state["open"],
            put_deletes=set(state["putDeletes"]),
            seen=SeenIds(ids),
        )

    def _chunk(self, action: Action, requests: list[list[Document]]) -> Chunk:
        chunk: Chunk = {"chunk": len(self.chunks), "action": action, "requests": requests}
        self.chunks.append(len(self.open))
        self.open = []
        return chunk

    def _claim(self, document: Document) -> bool:
        """The first of two with the same id wins: the one whose metadata file stands first in the listing."""
        self._notice(document["documentId"])
        first = self.seen.claim(document["documentId"], document["key"])
        if first is not None:
            self._fail(
                document["documentId"],
                FailureCode.DUPLICATE_DOCUMENT_ID,
                f"{document['key']} has the same DocumentId as {first}, which comes first and counts",
            )
        return first is None

    def _notice(self, document_id: str | None) -> None:
        if document_id in self._to_delete:
            self.put_deletes.add(document_id)

    def _fail(self, document_id: str, code: str, message: str) -> None:
        self.planned += 1
        self.failed += 1
        self.outcomes.append(failed(document_id, code, message))


def unpaired(found: Found) -> DocumentInvalid:
    """Why something that has no other half cannot be sent."""
    if found.problem is FailureCode.METADATA_WITHOUT_DOCUMENT:
        missing = found.key.removesuffix(METADATA_SUFFIX)
    else:
        missing = found.key + METADATA_SUFFIX
    return DocumentInvalid(str(found.problem), f"{found.key} is there, {missing} is not")
