"""A small Terraform configuration, written as JSON, and the commands that a test runs on it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from millrace.local.instance import Instance
from millrace.local.offline_terraform import Completed, Terraform, terraform

REGION = "us-east-1"
DEFAULT_TAGS = {"project": "contract"}
Resources = Mapping[str, Mapping[str, Mapping[str, Any]]]


@dataclass(frozen=True)
class Trial:
    core: Terraform

    def write(self, resources: Resources, **sections: Any) -> None:
        """Replace the configuration. `sections` are its other blocks: data, output, provider."""
        document = {
            "terraform": {"required_providers": {"aws": {"source": "hashicorp/aws", "version": "~> 6.0"}}},
            "provider": {"aws": {"region": REGION, "default_tags": {"tags": DEFAULT_TAGS}}},
            **({"resource": resources} if resources else {}),
        }
        self.core.configuration.mkdir(exist_ok=True)
        (self.core.configuration / "main.tf.json").write_text(json.dumps(document | sections, indent=1))

    def run(self, command: str) -> Completed:
        return self.core.run(command, "-auto-approve", "-input=false", "-no-color", self._state)

    def apply(self) -> None:
        self._succeed("apply")

    def destroy(self) -> None:
        self._succeed("destroy")

    def plan(self) -> dict[str, str]:
        """What the next apply would do, by address: create, update, replace, delete."""
        changes = {}
        for message in self.core.lines("plan", "-input=false", self._state):
            assert message.get("@level") != "error", message
            if message["type"] == "planned_change":
                changes[message["change"]["resource"]["addr"]] = message["change"]["action"]
        return changes

    def errors(self) -> list[str]:
        """The summaries of the errors that a plan ends with."""
        messages = self.core.lines("plan", "-input=false", self._state)
        found = [message["diagnostic"] for message in messages if message["type"] == "diagnostic"]
        return [diagnostic["summary"] for diagnostic in found if diagnostic["severity"] == "error"]

    def outputs(self) -> dict[str, Any]:
        done = self.core.run("output", "-json", self._state)
        assert done.returncode == 0, done.stderr
        return {name: output["value"] for name, output in json.loads(done.stdout).items()}

    def addresses(self) -> list[str]:
        return self.core.run("state", "list", self._state).stdout.split()

    @property
    def _state(self) -> str:
        return f"-state={self.core.folder / 'terraform.tfstate'}"

    def _succeed(self, command: str) -> None:
        done = self.run(command)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]


@contextmanager
def trial(folder: Path, aws: Instance) -> Iterator[Trial]:
    """An empty configuration in `folder`, with everything that Terraform writes beside it."""
    with terraform(folder / "configuration", folder / "work", aws.environment()) as core:
        new = Trial(core)
        new.write({})
        core.init()
        yield new
