"""Which deployment of Millrace a command talks to, on AWS or on the embedded AWS, and clients for it.

A deployment is what Terraform's outputs say (docs/architecture.md, "Names that Terraform gives"). They are
looked for in this order:

1. a file that was named (`--outputs`, MILLRACE_OUTPUTS): what `terraform output -json` printed
2. `<folder>/deployment.json`, while the embedded AWS of that folder is running
3. `terraform output -json` in the checkout's `terraform/`: AWS
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from millrace import terraform_core
from millrace.errors import NoDeployment, UsageError
from millrace.local import session
from millrace.local.instance import Instance

TERRAFORM_FOLDER = Path(__file__).resolve().parents[1] / "terraform"
TERRAFORM_SECONDS = 120
EMBEDDED_CREDENTIALS = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
SETTINGS: Mapping[str, Any] = {
    "retries": {"mode": "standard", "total_max_attempts": 8},
    "max_pool_connections": 32,
}
EMBEDDED_SETTINGS: Mapping[str, Any] = {**SETTINGS, "proxies": {}, "s3": {"addressing_style": "path"}}


NEEDED_BY: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "deploy_option": {"sfn": (), "sqs": ("progress_table",)},
    "sink": {"kendra": ("kendra_index_id",), "bedrock": ("knowledge_base_id", "data_source_id")},
}
"""Which outputs each option and each sink has beside those that every deployment has."""


@dataclass(frozen=True)
class Deployment:
    """One deployed pipeline. The outputs that only another option or sink has are None; `endpoint` is None on AWS;
    `source` says where the outputs were read."""

    aws_region: str
    deploy_option: str
    sink: str
    ingestion_bucket: str
    reports_bucket: str
    state_machine_arn: str
    jobs_table: str
    ledger_table: str
    notifications_topic_arn: str
    dead_letter_queue_url: str
    kendra_index_id: str | None = None
    knowledge_base_id: str | None = None
    data_source_id: str | None = None
    progress_table: str | None = None
    endpoint: str | None = None
    source: str = ""

    @property
    def embedded(self) -> bool:
        return self.endpoint is not None

    def describe(self) -> str:
        place = f"the embedded AWS at {self.endpoint}" if self.embedded else f"AWS, {self.aws_region}"
        return f"{place} (from {self.source})"

    def client(self, service: str) -> Any:
        """A client for this deployment; on the embedded AWS it never sees the person's own credentials."""
        if not self.embedded:
            return self._session.client(service, config=Config(**SETTINGS))
        settings = Config(**EMBEDDED_SETTINGS)
        return self._session.client(service, endpoint_url=self.endpoint, config=settings)

    @cached_property
    def _session(self) -> boto3.session.Session:
        if not self.embedded:
            return boto3.session.Session(region_name=self.aws_region)
        return session.of_our_own(self.aws_region, **EMBEDDED_CREDENTIALS)


_OUTPUTS = tuple(field.name for field in fields(Deployment) if field.name not in ("endpoint", "source"))
_OF_SOME = frozenset(name for kinds in NEEDED_BY.values() for names in kinds.values() for name in names)


def from_outputs(outputs: Mapping[str, Any], source: str, endpoint: str | None = None) -> Deployment:
    """Read Terraform's outputs, plain or as `terraform output -json` wraps them in `{"value": ...}`.

    Raises NoDeployment, which names every output that the deployment's option and sink need and that is not there.
    """
    plain = {
        name: value["value"] if isinstance(value, dict) and "value" in value else value
        for name, value in outputs.items()
    }
    found = {name: plain[name] for name in _OUTPUTS if isinstance(plain.get(name), str) and plain[name]}
    needed = {name for name in _OUTPUTS if name not in _OF_SOME}
    for choice, kinds in NEEDED_BY.items():
        kind = found.get(choice)
        if kind is not None and kind not in kinds:
            raise NoDeployment(f"{source} has {choice} {kind!r}; this version of millrace knows {', '.join(kinds)}")
        needed.update(kinds[kind] if kind else ())
    missing = [name for name in _OUTPUTS if name in needed - found.keys()]
    if missing:
        raise NoDeployment(f"{source} lacks the outputs {', '.join(missing)}; run terraform apply there")
    return Deployment(**found, endpoint=endpoint, source=source)


def find(folder: Path, outputs_file: Path | None = None, terraform: Path = TERRAFORM_FOLDER) -> Deployment:
    """Find the deployment to talk to, in the module's order. Raises NoDeployment, UsageError."""
    if outputs_file is not None:
        return _from_file(outputs_file)
    return _embedded(folder) or _on_aws(folder, terraform)


def _from_file(path: Path) -> Deployment:
    document = _read_json(path)
    if "outputs" in document:
        return from_outputs(document["outputs"], str(path), document.get("endpoint"))
    return from_outputs(document, str(path))


def _embedded(folder: Path) -> Deployment | None:
    instance = Instance.find(folder)
    if instance is None:
        return None
    path = folder / "deployment.json"
    if not path.exists():
        raise NoDeployment(
            f"the embedded AWS of {folder} is running, but nothing is deployed to it; run: millrace local apply"
        )
    document = _read_json(path)
    return from_outputs(document["outputs"], str(path), instance.url)


def _on_aws(folder: Path, terraform: Path) -> Deployment:
    nothing = (
        f"no deployment found: no embedded AWS is running in {folder} (start one: millrace local up, "
        f"millrace local apply), and {terraform} has no outputs "
        "(deploy to AWS: make apply; or name a file: --outputs FILE)"
    )
    if not terraform.is_dir():
        raise NoDeployment(nothing)
    command = [*terraform_core.command(), f"-chdir={terraform}", "output", "-json"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TERRAFORM_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NoDeployment(f"{nothing}; terraform output: {error}") from error
    if done.returncode != 0:
        said = " ".join(done.stderr.split())[-300:]
        raise NoDeployment(f"{nothing}; terraform output said: {said}")
    outputs = json.loads(done.stdout or "{}")
    if not outputs:
        raise NoDeployment(nothing)
    return from_outputs(outputs, f"terraform output in {terraform}")


def _read_json(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        raise UsageError(f"{path} is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise UsageError(f"{path} must hold a JSON object, as terraform output -json prints it")
    return document
