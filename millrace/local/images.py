"""The images that an instance knows, in place of ECR: code that was put there under a digest and never changes.

An image is named as in ECR, `<account>.dkr.ecr.<region>.amazonaws.com/<repository>@sha256:<digest>`, and lies in the
instance's folder: `images/manifests/<repository>/<digest>.json` says how its processes start and which code stands in
their folder, `images/code/` holds that code, unpacked. What else an image has is here this Python with its packages.
"""

from __future__ import annotations

import hashlib
import json
import sysconfig
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from millrace.local.dockerfiles import Settings
from millrace.local.instance import Instance
from millrace.local.unpacking import unpack

FOLDER = "images"
PACKAGES = Path(sysconfig.get_paths()["purelib"])
DISK = "/tmp"
"""The one folder of an image's process that it may write to."""


class UnknownImage(Exception):
    """No such image was put there. The text is what Lambda says, and what is there."""


@dataclass(frozen=True)
class Image:
    """`code` is what stands in the process's folder; whoever runs it does not write there."""

    uri: str
    code: Path
    settings: Settings

    @property
    def digest(self) -> str:
        """64 hexadecimal digits."""
        return self.uri.rpartition(":")[2]

    @property
    def entrypoint(self) -> tuple[str, ...]:
        return self.settings.entrypoint

    @property
    def command(self) -> tuple[str, ...]:
        return self.settings.command

    @property
    def packages(self) -> Path:
        """Where Python finds what is installed beside the code."""
        return PACKAGES

    def variables(self, tmp: Path) -> dict[str, str]:
        """The image's environment; its folders are named by where they are here, /tmp by that place."""
        places = {self.settings.folder: str(self.code), DISK: str(tmp)}
        return {name: _moved(value, places) for name, value in self.settings.environment.items()}


def _moved(value: str, places: Mapping[str, str]) -> str:
    """A variable's value with each of its paths (`/a:/b/c`) in the place that it has here."""

    def moved(path: str) -> str:
        for there, here in places.items():
            if path == there or path.startswith(f"{there}/"):
                return here + path.removeprefix(there)
        return path

    return ":".join(moved(path) for path in value.split(":"))


class Images:
    """`registry` is the host of ECR that the images are named by."""

    def __init__(self, folder: Path, registry: str) -> None:
        self._folder = folder
        self._registry = registry

    @classmethod
    def of(cls, instance: Instance) -> Images:
        return cls(instance.folder / FOLDER, f"{instance.account}.dkr.ecr.{instance.region}.amazonaws.com")

    def push(self, repository: str, code: bytes, settings: Settings) -> str:
        """The URI of an image of this code, a zip; the same code and settings always have the same one."""
        place = self._folder / "code"
        place.mkdir(parents=True, exist_ok=True)
        stands = unpack(place, "code", [code]).name
        manifest = json.dumps({"code": stands, "settings": asdict(settings)}, indent=2, sort_keys=True).encode()
        digest = hashlib.sha256(manifest).hexdigest()
        path = self._manifests / repository / f"{digest}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_suffix(".new")
        new.write_bytes(manifest)
        new.replace(path)
        return self._uri(path)

    def resolve(self, uri: str) -> Image:
        """Raises UnknownImage."""
        known = {self._uri(path): path for path in self._manifests.rglob("*.json")}
        if uri not in known:
            listed = ", ".join(sorted(known)) or "none"
            raise UnknownImage(
                f"Source image {uri} does not exist. Provide a valid source image. "
                f"(The embedded AWS has the images that `millrace local apply` made: {listed})"
            )
        manifest = json.loads(known[uri].read_bytes())
        told = manifest["settings"]
        settings = Settings(**{**told, "entrypoint": tuple(told["entrypoint"]), "command": tuple(told["command"])})
        return Image(uri, self._folder / "code" / manifest["code"], settings)

    @property
    def _manifests(self) -> Path:
        return self._folder / "manifests"

    def _uri(self, manifest: Path) -> str:
        repository = manifest.parent.relative_to(self._manifests).as_posix()
        return f"{self._registry}/{repository}@sha256:{manifest.stem}"
