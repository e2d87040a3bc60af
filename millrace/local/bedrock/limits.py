"""The limits of knowledge bases that the service model does not hold.

Source of each: the quotas page of Amazon Bedrock, except where said.

How many documents a request holds, how long an id is and how large inline content, stands in the service model and is
checked there.
"""

from __future__ import annotations

PAYLOAD_BYTES = 6 * 1024 * 1024
CONCURRENT_REQUESTS = 10
FILE_BYTES = 50 * 1024 * 1024
DATA_SOURCES = 5
# Ingestion jobs at once in an account's region; besides, a knowledge base and each of its data sources have one.
JOBS = 5
# Service model, FailureReasons and FailureReason.
FAILURE_REASONS = 2048
REASON_CHARACTERS = 2048
# User guide, "Connect to Amazon S3 for your knowledge base", metadata fields.
METADATA_FILE_BYTES = 10 * 1024
# API reference, Retrieve: how many results there are when none is asked for. A result's metadata has keys of at most
# 100 characters (service model), a document's of 200.
RESULTS = 5
SHOWN_KEY_CHARACTERS = 100
PAGE = 100
