"""Deploy `terraform/` to an embedded AWS, and take it away again.

All that is kept is in the instance's folder: `terraform/` (state, Terraform's own data, the variables of the last
apply), `build/` (the packages for this machine's Python) and `deployment.json`, by which the commands find the
deployment: `{"endpoint", "region", "outputs": {...}}`.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from millrace import packaging
from millrace.local.instance import Instance
from millrace.local.offline_terraform import Terraform, TerraformFailed, terraform

REPOSITORY = Path(__file__).resolve().parents[2]
CONFIGURATION = REPOSITORY / "terraform"
INDEX_ATTRIBUTES = REPOSITORY / "sample" / "kendra_ingestion" / "index_attributes.json"

STATE = "terraform.tfstate"
VARIABLES = "variables.tfvars.json"
DEPLOYMENT = "deployment.json"
INDEX_SECONDS = 60.0

Say = Callable[[str], None]


@dataclass(frozen=True)
class Change:
    """One thing that an apply would do. `action` is create, update, replace, delete, read or a like word."""

    action: str
    address: str

    def __str__(self) -> str:
        return f"{self.action} {self.address}"


def apply(
    instance: Instance,
    variables: Mapping[str, Any] | None = None,
    *,
    index_attributes: Path = INDEX_ATTRIBUTES,
    say: Say = lambda _line: None,
) -> dict[str, Any]:
    """Deploy, and return Terraform's outputs. Raises TerraformFailed, and PackagingError.

    What the variables leave open is chosen here: names of buckets, packages built for this machine, and a Kendra index
    (with the attributes of that file), because on AWS the index is the user's own and no part of `terraform/`. `say`
    hears one line for each step.
    """
    given = dict(variables or {})
    if "package_dir" not in given:
        say("Packaging the functions for this machine's Python")
        packaging.package(instance.folder / "build", "host")
    if "kendra_index_id" not in given:
        given["kendra_index_id"] = _index(instance, _read_json(_place(instance) / VARIABLES), index_attributes, say)
    _write_json(_place(instance) / VARIABLES, {**_defaults(instance), **given})
    with _terraform(instance) as core:
        core.init()
        outputs = _apply(core, ("apply", "-auto-approve", *_settings(instance)), say)
    document = {"endpoint": instance.url, "region": instance.region, "outputs": outputs}
    _write_json(instance.folder / DEPLOYMENT, document)
    return outputs


def plan(instance: Instance, variables: Mapping[str, Any] | None = None) -> list[Change]:
    """What another apply would change; the variables are those of the last apply, and these. Raises TerraformFailed."""
    more = [f"-var={name}={_as_argument(value)}" for name, value in (variables or {}).items()]
    with _terraform(instance) as core:
        core.init()
        changes, failures = [], []
        for message in core.lines("plan", "-detailed-exitcode", *_settings(instance), *more):
            changes += _changes(message)
            failures += _diagnostics(message)
    _raise_on_failure("plan", message, failures, accepted=(0, 2))
    return changes if message["code"] == 2 else []


def destroy(instance: Instance, *, say: Say = lambda _line: None) -> None:
    """Take away all that the last apply made. The Kendra index stays: it is no part of `terraform/`.

    Raises TerraformFailed.
    """
    with _terraform(instance) as core:
        core.init()
        _apply(core, ("destroy", "-auto-approve", *_settings(instance)), say)
    (instance.folder / DEPLOYMENT).unlink(missing_ok=True)


def outputs(folder: Path) -> dict[str, Any]:
    """Terraform's outputs as the last apply in that folder left them; empty when there was none."""
    return _read_json(Path(folder) / DEPLOYMENT).get("outputs", {})


def _place(instance: Instance) -> Path:
    return instance.folder / "terraform"


@contextlib.contextmanager
def _terraform(instance: Instance) -> Iterator[Terraform]:
    with terraform(CONFIGURATION, _place(instance), instance.environment()) as core:
        yield core


def _settings(instance: Instance) -> tuple[str, ...]:
    place = _place(instance)
    return ("-input=false", f"-state={place / STATE}", f"-var-file={place / VARIABLES}")


def _defaults(instance: Instance) -> dict[str, Any]:
    return {
        "aws_region": instance.region,
        "ingestion_bucket": "millrace-ingestion",
        "reports_bucket": "millrace-reports",
        "force_destroy": True,
        "package_dir": str(instance.folder / "build"),
    }


def _apply(core: Terraform, arguments: tuple[str, ...], say: Say) -> dict[str, Any]:
    found: dict[str, Any] = {}
    failures: list[str] = []
    for message in core.lines(*arguments):
        failures += _diagnostics(message)
        if message.get("type") == "outputs":
            found = {name: output["value"] for name, output in message["outputs"].items() if "value" in output}
        elif _is_step(message):
            say(message["@message"])
    _raise_on_failure(arguments[0], message, failures)
    return found


def _is_step(message: Mapping[str, Any]) -> bool:
    """A resource is finished, or all are; reading data is no step."""
    finished = message.get("type") == "apply_complete" and message["hook"]["action"] != "read"
    return finished or message.get("type") == "change_summary"


def _changes(message: Mapping[str, Any]) -> list[Change]:
    if message.get("type") == "planned_change":
        return [Change(message["change"]["action"], message["change"]["resource"]["addr"])]
    if message.get("type") == "outputs":
        found = message["outputs"].items()
        return [Change(each["action"], f"output.{name}") for name, each in found if each.get("action") != "noop"]
    return []


def _diagnostics(message: Mapping[str, Any]) -> list[str]:
    """The errors among Terraform's messages, each with its place in the configuration."""
    diagnostic = message.get("diagnostic", {})
    if diagnostic.get("severity") != "error":
        return []
    place = diagnostic.get("range")
    where = f"{place['filename']}:{place['start']['line']}: " if place else ""
    detail = f": {diagnostic['detail']}" if diagnostic.get("detail") else ""
    return [f"{where}{diagnostic['summary']}{detail}"]


def _raise_on_failure(
    command: str, last: Mapping[str, Any], failures: list[str], accepted: tuple[int, ...] = (0,)
) -> None:
    if last["code"] not in accepted:
        said = "\n".join(failures) or last["stderr"].strip() or "it said nothing"
        raise TerraformFailed(f"terraform {command} failed with exit code {last['code']}:\n{said}")


def _index(instance: Instance, last: Mapping[str, Any], attributes: Path, say: Say) -> str:
    """The index of the last apply while the embedded AWS still knows it, else a new one."""
    client = instance.client("kendra")
    if known := last.get("kendra_index_id"):
        with contextlib.suppress(ClientError):
            client.describe_index(Id=known)
            return known
    say("Creating a Kendra index")
    role = f"arn:aws:iam::{instance.account}:role/kendra-index"
    index = client.create_index(Name="millrace", RoleArn=role, Edition="DEVELOPER_EDITION")["Id"]
    deadline = time.monotonic() + INDEX_SECONDS
    while (status := client.describe_index(Id=index)["Status"]) != "ACTIVE":
        if time.monotonic() > deadline:
            raise TimeoutError(f"the Kendra index {index} is {status} after {INDEX_SECONDS:.0f} s")
        time.sleep(0.02)
    client.update_index(Id=index, DocumentMetadataConfigurationUpdates=json.loads(attributes.read_text("utf-8")))
    return index


def _as_argument(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _read_json(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text("utf-8")) if path.exists() else {}


def _write_json(path: Path, document: Mapping[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f"{path.name}.new")
    new.write_text(json.dumps(document, indent=2) + "\n", "utf-8")
    new.replace(path)
