"""Where a Fargate task stands: checked as AWS asks for it, and without effect on this machine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from millrace.local.ecs.refusing import refuse
from millrace.local.wire import ApiError

SUBNETS_MOST, GROUPS_MOST = 16, 5
"""API reference, AwsVpcConfiguration."""


def check_network(request: Mapping[str, Any]) -> None:
    """Raise ApiError for a request whose networkConfiguration is not one for `awsvpc`."""
    network = (request.get("networkConfiguration") or {}).get("awsvpcConfiguration")
    if network is None:
        message = "Network Configuration must be provided when networkMode 'awsvpc' is specified."
        raise ApiError("InvalidParameterException", message)
    refuse(network, ("assignPublicIp", "securityGroups", "subnets"), "awsvpcConfiguration")
    if not network["subnets"]:
        raise ApiError("InvalidParameterException", "subnets can not be empty.")
    for name, most in (("subnets", SUBNETS_MOST), ("securityGroups", GROUPS_MOST)):
        if len(network.get(name, [])) > most:
            raise ApiError("InvalidParameterException", f"{name} can have at most {most} items.")
