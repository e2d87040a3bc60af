"""A boto3 session that reads nothing of the person's: no profile, no configuration, no credentials file.

Explicit keys and endpoints win over a profile's, but botocore still loads the profile that AWS_PROFILE names, and
fails when there is none of that name.
"""

from __future__ import annotations

import functools

import boto3
import botocore.session

NOWHERE = (None, None, None, None)  # botocore's form of a variable: its key in a file and in the environment, ...


@functools.lru_cache(maxsize=8)
def of_our_own(region: str, **keys: str) -> boto3.session.Session:
    """A session with these keys (`aws_access_key_id`, ...) and nothing else. Kept, because it keeps service models."""
    core = botocore.session.Session(
        session_vars={"profile": NOWHERE, "config_file": NOWHERE, "credentials_file": NOWHERE}
    )
    return boto3.session.Session(region_name=region, botocore_session=core, **keys)
