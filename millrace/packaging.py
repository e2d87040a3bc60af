"""Builds what Terraform deploys: one zip for each workflow's functions and one layer with their dependencies.

`python -m millrace.packaging` puts into `build/`
* `<workflow>.zip`   the package `lambdas/<workflow>` and, where it exists, `lambdas/shared`
* `layer.zip`        the dependency group `lambda` of pyproject.toml, at the lock file's versions and hashes

Building again gives the same bytes, from whatever folder: entries are sorted, times and modes are fixed, and
what depends on the building machine (caches, scripts, installation records) is left out. The layer is built
anew only when what it is made of has changed, which `layer.json` beside it tells.

`--platform lambda` (the default) is what AWS runs: Python 3.13 on arm64. `--platform host` is this machine
and this Python, which the embedded AWS runs functions on.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from millrace.errors import MillraceError

Platform = Literal["lambda", "host"]

REPOSITORY = Path(__file__).resolve().parents[1]
SHARED = "shared"

RUNTIME_BRINGS = ("boto3", "botocore", "python-dateutil", "s3transfer", "six", "urllib3")
"""Left out of the layer: the SDK that Lambda's Python runtimes include, and what only the SDK needs.

docs/decisions/layer.md has the reasons.
"""

INTERPRETER: Mapping[Platform, tuple[str, ...]] = {
    # python3.13 runs on Amazon Linux 2023, whose glibc is 2.34: wheels up to manylinux_2_34 load there.
    "lambda": ("--python-version", "3.13", "--python-platform", "aarch64-manylinux_2_28"),
    "host": (),
}

# Lambda quotas, "Deployment package (.zip file archive) size": 50 MB zipped for an upload through the API,
# and 250 MB unzipped for a function together with its layers. Both are counted in units of 1,024.
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
UPLOAD_LIMIT = 50 * 1024 * 1024
UNZIPPED_LIMIT = 250 * 1024 * 1024

EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest time that a zip can hold, given to every entry."""

MODE = 0o100644
"""A regular file that everybody may read, which Lambda asks for; nothing in a package is run as a program."""

BUILDS_IMAGES = ("Dockerfile", ".dockerignore", ".sh")
"""How the names end of what container images are built with, which no function reads."""

CACHES = frozenset({"__pycache__", ".mypy_cache", ".pytest_cache", ".ruff_cache"})
INSTALLER_TRACES = frozenset({"INSTALLER", "RECORD", "REQUESTED", "direct_url.json", "uv_cache.json"})
"""Files of a *.dist-info about its installation; some depend on where this machine's Python is."""


class PackagingError(MillraceError):
    """A package could not be built; the message says which, why and what to do."""


@dataclass(frozen=True)
class Packages:
    """Where the packages are: `functions` by workflow (`{"kendra_ingestion": .../kendra_ingestion.zip}`)."""

    functions: Mapping[str, Path]
    layer: Path


def package(output: Path, platform: Platform = "lambda") -> Packages:
    """Build every package into the folder `output`, which is made if need be. Raises PackagingError."""
    output.mkdir(parents=True, exist_ok=True)
    built = Packages(
        functions={workflow: output / f"{workflow}.zip" for workflow in workflows(REPOSITORY / "lambdas")},
        layer=output / "layer.zip",
    )
    layer = Layer.of(REPOSITORY, platform)
    if not layer.is_at(built.layer):
        layer.build(built.layer)
    for workflow, path in built.functions.items():
        write_zip(path, function_files(REPOSITORY / "lambdas", workflow))
        check_size(path, beside=built.layer)
    return built


def workflows(lambdas: Path) -> list[str]:
    """The packages under `lambdas/` that hold functions: all but `shared`."""
    found = sorted(folder.name for folder in lambdas.iterdir() if (folder / "__init__.py").is_file())
    return [name for name in found if name != SHARED]


def function_files(lambdas: Path, workflow: str) -> Iterator[tuple[str, Path]]:
    """What the zip of a workflow holds, as (name in the zip, file)."""
    for name in (workflow, SHARED):
        for file in files_of(lambdas / name):
            if not file.name.endswith(BUILDS_IMAGES):
                yield file.relative_to(lambdas).as_posix(), file


def layer_files(target: Path) -> Iterator[tuple[str, Path]]:
    """What the layer holds of an installation, as (name in the zip, file): all but scripts and traces."""
    for file in files_of(target):
        path = file.relative_to(target)
        script = path.parts[0] in {"bin", "Scripts"}
        trace = path.parent.suffix == ".dist-info" and path.name in INSTALLER_TRACES
        if not script and not trace:
            yield f"python/{path.as_posix()}", file


def files_of(folder: Path) -> Iterator[Path]:
    """Every file below the folder, none if it does not exist, without caches and hidden files."""
    for path in folder.rglob("*"):
        parts = path.relative_to(folder).parts
        if path.is_file() and not CACHES & set(parts) and not any(part.startswith(".") for part in parts):
            yield path


def write_zip(path: Path, files: Iterable[tuple[str, Path]]) -> None:
    """Write a zip whose bytes follow from names and contents alone, and put it in place only when whole."""
    unfinished = path.with_suffix(".unfinished")
    with zipfile.ZipFile(unfinished, "w") as archive:
        for name, file in sorted(files):
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.create_system = 3  # Unix, also when Windows builds
            entry.external_attr = MODE << 16
            archive.writestr(entry, file.read_bytes(), zipfile.ZIP_DEFLATED, compresslevel=9)
    unfinished.replace(path)


def check_size(path: Path, *, beside: Path | None = None) -> None:
    """Refuse what Lambda would refuse at deployment. `beside` is the layer that is unpacked next to it."""
    zipped = path.stat().st_size
    unzipped = _unzipped(path) + (_unzipped(beside) if beside else 0)
    if zipped > UPLOAD_LIMIT:
        raise PackagingError(
            f"{path} is {_mb(zipped)}; Lambda takes at most {_mb(UPLOAD_LIMIT)} zipped: leave something out"
        )
    if unzipped > UNZIPPED_LIMIT:
        together = f" together with {beside}" if beside else ""
        raise PackagingError(
            f"{path} is {_mb(unzipped)} unzipped{together}; "
            f"Lambda takes at most {_mb(UNZIPPED_LIMIT)}: leave something out"
        )


@dataclass(frozen=True)
class Layer:
    """The layer that a repository's lock and a platform call for."""

    repository: Path
    platform: Platform
    made_of: str
    """Digest of everything that the layer follows from."""

    @classmethod
    def of(cls, repository: Path, platform: Platform) -> Layer:
        sources = [repository / "requirements.lock", repository / "pyproject.toml", Path(__file__)]
        interpreter = [sys.version, sysconfig.get_platform()] if platform == "host" else []
        made_of = [platform, *interpreter, *(_digest(source.read_bytes()) for source in sources)]
        return cls(repository, platform, _digest(json.dumps(made_of).encode()))

    def is_at(self, path: Path) -> bool:
        """Whether the file is this layer, whole and unchanged since it was built."""
        try:
            stamp = json.loads(path.with_suffix(".json").read_text())
            return bool(stamp == {"made_of": self.made_of, "sha256": _digest(path.read_bytes())})
        except (OSError, ValueError):
            return False

    def build(self, path: Path) -> None:
        with tempfile.TemporaryDirectory(prefix="millrace-layer-") as folder:
            target = Path(folder) / "python"
            self._install(target)
            _check_versions(target, locked_versions((self.repository / "requirements.lock").read_text()))
            write_zip(path, layer_files(target))
        check_size(path)
        stamp = {"made_of": self.made_of, "sha256": _digest(path.read_bytes())}
        path.with_suffix(".json").write_text(json.dumps(stamp, indent=2) + "\n")

    def _install(self, target: Path) -> None:
        """Install the dependency group at locked versions: from uv's cache or else from the package index."""
        with tempfile.TemporaryDirectory(prefix="millrace-layer-") as folder:
            excludes = Path(folder) / "excludes.txt"
            excludes.write_text("\n".join(RUNTIME_BRINGS) + "\n")
            install = [
                *(_uv(), "pip", "install", "--quiet", "--only-binary", ":all:"),
                *("--python", sys.executable, *INTERPRETER[self.platform]),
                *("--group", f"{self.repository / 'pyproject.toml'}:lambda"),
                *("--constraints", str(self.repository / "requirements.lock")),
                *("--excludes", str(excludes)),
                *("--target", str(target)),
            ]
            for command in ([*install, "--offline"], install):
                shutil.rmtree(target, ignore_errors=True)
                done = subprocess.run(command, capture_output=True, text=True, check=False)
                if done.returncode == 0:
                    return
        raise PackagingError(
            "the layer's dependencies could not be installed; if the package index could not be reached, "
            f"try again when it can. uv said:\n{done.stderr.strip()}"
        )


def locked_versions(lock: str) -> dict[str, str]:
    """The version of each package in a lock file, by normalized name."""
    pins = re.findall(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", lock, flags=re.MULTILINE)
    return {_normalized(name): version for name, version in pins}


def _check_versions(target: Path, locked: Mapping[str, str]) -> None:
    """Refuse a package that the lock does not pin: it would be whatever the index has today."""
    for folder in sorted(target.glob("*.dist-info")):
        name, _, version = folder.name.removesuffix(".dist-info").rpartition("-")
        if locked.get(_normalized(name)) != version:
            raise PackagingError(f"{name} {version} is not in requirements.lock; run `make lock`")


def _uv() -> str:
    """uv beside this Python, where the Makefile puts it, or on the PATH."""
    found = shutil.which("uv", path=str(Path(sys.executable).parent)) or shutil.which("uv")
    if found is None:
        raise PackagingError("uv is not installed; run `make setup`, or `pip install uv`")
    return found


def _normalized(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _unzipped(path: Path) -> int:
    with zipfile.ZipFile(path) as archive:
        return sum(entry.file_size for entry in archive.infolist())


def _mb(size: int) -> str:
    return f"{size / 1024 / 1024:.2f} MB"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m millrace.packaging", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--platform", choices=get_args(Platform), default="lambda", help="what the layer runs on")
    parser.add_argument("--output", type=Path, default=REPOSITORY / "build", help="folder for the packages")
    arguments = parser.parse_args()
    try:
        built = package(arguments.output, arguments.platform)
    except PackagingError as error:
        print(f"millrace.packaging: {error}", file=sys.stderr)
        return 1
    for path in (*built.functions.values(), built.layer):
        print(f"{path}  {_mb(path.stat().st_size)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
