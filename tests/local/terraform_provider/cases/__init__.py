"""What the contract test asks of every resource type: two configurations, a change, a hand in the service, a refusal.

The resources of all types stand in one configuration and use each other: `minimal` and `full` are the names of both of
each type. A service is asked through boto3, never through the provider.
"""

from __future__ import annotations

from tests.local.terraform_provider.cases import (
    containers,
    dynamodb,
    functions,
    iam,
    messaging,
    observability,
    orchestration,
    s3,
)
from tests.local.terraform_provider.cases.case import Case


def cases(package: str, other_package: str, image: str) -> dict[str, Case]:
    """The cases by resource type. Packages are paths of zips with a module `app`; the instance knows the image."""
    families = (dynamodb, iam, messaging, observability, orchestration, s3)
    return (
        functions.cases(package, other_package)
        | containers.cases(image)
        | {name: case for family in families for name, case in family.cases().items()}
    )
