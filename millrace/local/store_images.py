"""The vector store's images on an embedded AWS, and the network of its ECS service. On AWS `make images` builds and
pushes the images, and subnets and security groups are the user's own."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from millrace.images import IMAGES
from millrace.local import dockerfiles
from millrace.local.images import Images
from millrace.local.instance import Instance
from millrace.packaging import PackagingError

CODE = "vector_store.zip"
URIS = tuple(image.variable for image in IMAGES)
"""The variables of `terraform/` that name images."""
NEEDED, TARGET = "chromadb", ".venv/.vectors"
"""A package that the images' code cannot do without, and what the Makefile calls all such packages."""


def variables(instance: Instance, chosen: Mapping[str, Any], say: Callable[[str], None]) -> dict[str, Any]:
    """The variables of `terraform/` that name the images, made of the package that these variables name, and for a
    consumer in ECS the default network. Raises PackagingError."""
    if importlib.util.find_spec(NEEDED) is None:
        raise PackagingError(f"vector_store needs {NEEDED} beside this Python; install it: make {TARGET}")
    package = Path(chosen["package_dir"]) / CODE
    if not package.exists():
        raise PackagingError(f"there is no {package}, which the vector store's images are made of; run: make package")
    say("Making the vector store's images")
    images, code = Images.of(instance), package.read_bytes()
    uris = {image.variable: images.push(image.name, code, dockerfiles.read(image.dockerfile)) for image in IMAGES}
    return {**uris, **_network(instance)} if chosen.get("embed_consumer") == "ecs" else uris


def _network(instance: Instance) -> dict[str, Any]:
    client = instance.client("ec2")
    subnets = client.describe_subnets(Filters=[{"Name": "default-for-az", "Values": ["true"]}])["Subnets"]
    groups = client.describe_security_groups(Filters=[{"Name": "group-name", "Values": ["default"]}])["SecurityGroups"]
    return {
        "embed_subnet_ids": sorted(subnet["SubnetId"] for subnet in subnets),
        "embed_security_group_ids": sorted(group["GroupId"] for group in groups),
    }
