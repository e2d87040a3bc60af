"""From a document's place in the folder to the document: what planning and put_worker have in common."""

from __future__ import annotations

from kendra_ingestion.documents import Document
from kendra_ingestion.errors import DocumentInvalid, ObjectUnreadable
from kendra_ingestion.failures import FailureCode
from kendra_ingestion.folder import Folder
from kendra_ingestion.metadata import METADATA_MAX_BYTES, read


def read_document(folder: Folder, *, key: str, metadata_key: str, size: int, digest: str) -> Document | DocumentInvalid:
    """The document at `key`, of `size` bytes, as its metadata describes it now; or why it cannot be sent."""
    try:
        body = folder.read(metadata_key, METADATA_MAX_BYTES)
        if len(body) > METADATA_MAX_BYTES:
            return too_large(len(body))
        document = read(body, bucket=folder.bucket, key=key, size=size)
    except ObjectUnreadable as error:
        return DocumentInvalid(FailureCode.UNREADABLE, str(error))
    except DocumentInvalid as error:
        return error
    document["digest"] = digest
    return document


def too_large(size: int) -> DocumentInvalid:
    """Why metadata of so many bytes, or more, is not read."""
    return DocumentInvalid(
        FailureCode.METADATA_INVALID,
        f"the metadata has {size:,} bytes or more; at most {METADATA_MAX_BYTES:,}",
    )
