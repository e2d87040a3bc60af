"""Deploy `terraform/` to an embedded AWS, and take it away again.

All that is kept is in the instance's folder: `terraform/` (state, Terraform's own data, the variables of the last
apply), `build/` (the packages for this machine's Python) and `deployment.json`, by which the commands find the
deployment: `{"endpoint", "region", "outputs": {...}}`.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from millrace import packaging
from millrace.deployment import Workflow
from millrace.local import sinks, store_images, sync_sources
from millrace.local.instance import Instance
from millrace.local.offline_terraform import Terraform, TerraformFailed, terraform

REPOSITORY = Path(__file__).resolve().parents[2]
CONFIGURATION = REPOSITORY / "terraform"
INDEX_ATTRIBUTES = REPOSITORY / "sample" / "kendra_ingestion" / "index_attributes.json"

STATE = "terraform.tfstate"
VARIABLES = "variables.tfvars.json"
NEXT_VARIABLES = "next.tfvars.json"
DEPLOYMENT = "deployment.json"
DEFAULT_WORKFLOWS = (Workflow.KENDRA_INGESTION.value,)  # of the variable `workflows`

Say = Callable[[str], None]


@dataclass(frozen=True)
class Change:
    """One thing that an apply would do. `action` is Terraform's word: create, update, replace, delete."""

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

    What the variables leave open is chosen here: names of buckets, packages built for this machine, the sink that they
    ask for (`sinks`), with the attributes of that file, the data sources of kb_sync and incident_sync
    (`sync_sources`), and the images of vector_store (`store_images`). `say` hears one line for each step.
    """
    given = dict(variables or {})
    if "package_dir" not in given:
        say("Packaging the functions for this machine's Python")
        packaging.package(instance.folder / "build", "host")
    chosen = _choices(instance) | given
    workflows = chosen.get("workflows", DEFAULT_WORKFLOWS)
    if Workflow.KENDRA_INGESTION in workflows and not sinks.is_named(chosen):
        chosen = sinks.variables(instance, chosen, index_attributes, say) | chosen
    if Workflow.KB_SYNC in workflows and "sync_sources" not in chosen:
        chosen = sync_sources.variables(instance, say) | chosen
    if Workflow.INCIDENT_SYNC in workflows and "incident_source" not in chosen:
        chosen |= sync_sources.with_incidents(instance, chosen.get("sync_sources", {}), say)
    if Workflow.VECTOR_STORE in workflows:
        chosen = store_images.variables(instance, chosen, say) | chosen
    _write_json(_place(instance) / NEXT_VARIABLES, chosen)
    with _terraform(instance) as core:
        core.init()
        found = _apply(core, instance, _arguments({name: chosen[name] for name in given}), say)
    _write_json(instance.folder / DEPLOYMENT, {"endpoint": instance.url, "region": instance.region, "outputs": found})
    return found


def beside(instance: Instance, workflow: Workflow) -> dict[str, Any]:
    """The variables by which an apply adds a workflow, with those that it needs, to what the last one deployed, and
    leaves that as it is."""
    last = _read_json(_place(instance) / VARIABLES)
    there = last.get("workflows", DEFAULT_WORKFLOWS) if last else ()
    for built in ("package_dir", *store_images.URIS):
        last.pop(built, None)  # named, it would be taken as built
    return {**last, "workflows": sorted({*there, *workflow.with_its_needs})}


def plan(instance: Instance, variables: Mapping[str, Any] | None = None) -> list[Change]:
    """What another apply would change; the variables are those of the last apply, and these. Raises TerraformFailed."""
    if not _deployed(instance):
        raise TerraformFailed(f"nothing is deployed in {instance.folder} yet; run: millrace local apply")
    settings = _settings(instance, VARIABLES)
    with _terraform(instance) as core:
        core.init()
        changes, failures = [], []
        for message in core.lines("plan", "-detailed-exitcode", *settings, *_arguments(variables or {})):
            changes += _changes(message)
            failures += _diagnostics(message)
    _raise_on_failure("plan", message, failures, accepted=(0, 2))
    return changes if message["code"] == 2 else []


def destroy(instance: Instance, *, say: Say = lambda _line: None) -> None:
    """Take away all that applies made, if there was one. The Kendra index stays: it is no part of `terraform/`.

    Raises TerraformFailed.
    """
    if _deployed(instance):
        failures: list[str] = []
        with _terraform(instance) as core:
            core.init()
            for message in core.lines("destroy", "-auto-approve", *_settings(instance, VARIABLES)):
                failures += _diagnostics(message)
                _tell(message, say)
        _raise_on_failure("destroy", message, failures)
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


def _deployed(instance: Instance) -> bool:
    return (_place(instance) / VARIABLES).exists()


def _settings(instance: Instance, variables: str) -> tuple[str, ...]:
    place = _place(instance)
    return ("-input=false", f"-state={place / STATE}", f"-var-file={place / variables}")


def _arguments(variables: Mapping[str, Any]) -> list[str]:
    """As arguments, because Terraform refuses an unknown variable there and lets it pass in a file.

    A null stands in the file alone: as an argument it would be the word null.
    """
    return [
        f"-var={name}={value if isinstance(value, str) else json.dumps(value)}"
        for name, value in variables.items()
        if value is not None
    ]


def _choices(instance: Instance) -> dict[str, Any]:
    return {
        "aws_region": instance.region,
        "ingestion_bucket": "millrace-ingestion",
        "reports_bucket": "millrace-reports",
        "store_bucket": "millrace-store",
        "force_destroy": True,
        "package_dir": str(instance.folder / "build"),
    }


def _apply(core: Terraform, instance: Instance, arguments: list[str], say: Say) -> dict[str, Any]:
    """Apply, and keep the variables once they are in force: those that are refused must not meet a later destroy."""
    found: dict[str, Any] = {}
    failures: list[str] = []
    kept, following = (_place(instance) / name for name in (VARIABLES, NEXT_VARIABLES))
    for message in core.lines("apply", "-auto-approve", *_settings(instance, NEXT_VARIABLES), *arguments):
        failures += _diagnostics(message)
        _tell(message, say)
        if message.get("type") == "outputs":
            found = {name: output["value"] for name, output in message["outputs"].items() if "value" in output}
        if _is_in_force(message) and following.exists():
            following.replace(kept)
    following.unlink(missing_ok=True)
    _raise_on_failure("apply", message, failures)
    return found


def _is_in_force(message: Mapping[str, Any]) -> bool:
    """Has Terraform begun to act on what it planned, or ended well without?"""
    begun = message.get("type") == "apply_start" and message["hook"]["action"] != "read"
    return begun or message.get("code") == 0


def _tell(message: Mapping[str, Any], say: Say) -> None:
    """Say that a resource is finished, or that all are; reading data is no step."""
    finished = message.get("type") == "apply_complete" and message["hook"]["action"] != "read"
    if finished or message.get("type") == "change_summary":
        say(message["@message"])


def _changes(message: Mapping[str, Any]) -> list[Change]:
    if message.get("type") == "planned_change":
        change = message["change"]
        return [] if change["action"] == "read" else [Change(change["action"], change["resource"]["addr"])]
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


def _read_json(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text("utf-8")) if path.exists() else {}


def _write_json(path: Path, document: Mapping[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f"{path.name}.new")
    new.write_text(json.dumps(document, indent=2) + "\n", "utf-8")
    new.replace(path)
