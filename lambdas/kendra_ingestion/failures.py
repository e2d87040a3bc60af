"""The error codes of failures.csv that Millrace itself gives. A sink's own codes pass through unchanged."""

from __future__ import annotations

from enum import StrEnum


class FailureCode(StrEnum):
    """Why a document has a row in the report."""

    MISSING_METADATA = "MissingMetadata"
    """`x` is there, `x.metadata.json` is not."""

    METADATA_WITHOUT_DOCUMENT = "MetadataWithoutDocument"
    """`x.metadata.json` is there, `x` is not."""

    METADATA_INVALID = "MetadataInvalid"
    """The metadata is not JSON, or a field of it is wrong."""

    UNREADABLE = "Unreadable"
    """The metadata vanished after it was listed, or S3 refuses to give it."""

    DOCUMENT_TOO_LARGE = "DocumentTooLarge"
    """The document is larger than 5 MB."""

    DUPLICATE_DOCUMENT_ID = "DuplicateDocumentId"
    """Another document of the folder has the same id, and came first."""

    UNKNOWN_ATTRIBUTE = "UnknownAttribute"
    """The index does not define an attribute that the metadata sets."""

    ATTRIBUTE_TYPE_MISMATCH = "AttributeTypeMismatch"
    """The index defines the attribute with another type."""

    CONFLICTING_DELETE = "ConflictingDelete"
    """The manifest deletes an id that the folder also puts; the put goes on."""

    REFUSED = "Refused"
    """The sink refused the request with this document alone in it."""

    QUOTA_EXCEEDED = "QuotaExceeded"
    """The index is full."""

    INDEXING_FAILED = "IndexingFailed"
    """The index accepted the document and failed on it later, without a code of its own."""

    SINK_MISCONFIGURED = "SinkMisconfigured"
    """The sink takes nothing from us before somebody mends its configuration, our permission, or its id."""

    STOPPED = "Stopped"
    """The job was stopped before the document was sent, or while it was."""

    NOT_PROCESSED = "NotProcessed"
    """The run ended without an outcome for the document."""


PERMANENT: frozenset[str] = frozenset(
    {
        FailureCode.MISSING_METADATA,
        FailureCode.METADATA_WITHOUT_DOCUMENT,
        FailureCode.METADATA_INVALID,
        FailureCode.DOCUMENT_TOO_LARGE,
        FailureCode.DUPLICATE_DOCUMENT_ID,
        FailureCode.CONFLICTING_DELETE,
        FailureCode.REFUSED,
        "InvalidRequest",
    }
)
"""`InvalidRequest` is a sink's own word for a document that it will never take. The attributes' codes are not here: the
index's configuration can change."""


def permanent(code: str) -> bool:
    """Whether a failure with this code can never become a success while the document stays as it is."""
    return code in PERMANENT
