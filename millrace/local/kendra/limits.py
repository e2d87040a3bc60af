"""Kendra's limits. Sources: the developer guide's quotas page and the API reference.

How many items a request holds, and how long an id is, stands in the service model and is checked there.
"""

from __future__ import annotations

FILE_BYTES = 50 * 1024 * 1024
TEXT_BYTES = 5 * 1024 * 1024
CUSTOM_ATTRIBUTES = 500
STRING_LIST_ITEMS = 10
QUERY_CHARACTERS = 1000
RESULTS = 100
PAGE_SIZE = 100
