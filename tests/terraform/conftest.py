from __future__ import annotations

import pytest

from tests.terraform import mocked
from tests.terraform.mocked import KEY, Deployment


@pytest.fixture(scope="session")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    """The configuration with its defaults."""
    return mocked.apply(mocked.copy(tmp_path_factory.mktemp("deployment")))


@pytest.fixture(scope="session")
def deployment_with_key(tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    """The configuration with a key of the customer's, three chunks at once and logs for a week."""
    root = mocked.copy(tmp_path_factory.mktemp("deployment-with-key"))
    return mocked.apply(root, kms_key_arn=KEY, max_concurrency=3, log_retention_days=7)
