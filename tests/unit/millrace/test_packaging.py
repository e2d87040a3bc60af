"""The packages, built as `make package` builds them: wheels come from uv's cache, at first from the index."""

from __future__ import annotations

import importlib.util
import os
import shutil
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from millrace import packaging
from millrace.packaging import Layer, Packages, PackagingError, package

WORKFLOWS = ["incident_sync", "kb_sync", "kendra_ingestion", "vector_store"]
LAMBDAS = packaging.REPOSITORY / "lambdas"
HANDLERS = sorted(
    f"{file.parent.name}.{file.stem}" for file in LAMBDAS.glob("*/*.py") if "\ndef handler(" in file.read_text()
)
"""The modules that Lambda calls."""

RUNTIME = ("boto3", "botocore", "dateutil", "s3transfer", "six", "urllib3")
"""What Lambda's runtime brings, by import name."""
ENVIRONMENT = {
    "AWS_REGION": "eu-west-1",
    "AWS_DEFAULT_REGION": "eu-west-1",
    "AWS_LAMBDA_FUNCTION_NAME": "millrace-test",
    "AWS_XRAY_SDK_ENABLED": "false",
    "INGESTION_BUCKET": "ingestion",
    "REPORTS_BUCKET": "reports",
    "KENDRA_INDEX_ID": "12345678-1234-1234-1234-123456789012",
    "KENDRA_ROLE_ARN": "arn:aws:iam::123456789012:role/millrace-kendra-reader",
    "KENDRA_REQUESTS_PER_SECOND": "5",
    "MAX_CONCURRENCY": "2",
    "VERIFICATION_DEADLINE_SECONDS": "0",
    "POWERTOOLS_SERVICE_NAME": "kendra_ingestion",
    "POWERTOOLS_METRICS_NAMESPACE": "Millrace",
    "LOG_LEVEL": "INFO",
}
AARCH64 = 183  # EM_AARCH64 in the ELF header's e_machine


@pytest.fixture(scope="module")
def for_lambda(tmp_path_factory: pytest.TempPathFactory) -> Packages:
    return package(tmp_path_factory.mktemp("lambda"))


@pytest.fixture(scope="module")
def for_host(tmp_path_factory: pytest.TempPathFactory) -> Packages:
    return package(tmp_path_factory.mktemp("host"), "host")


@pytest.fixture
def unpacked(for_host: Packages, tmp_path: Path) -> Path:
    """A machine with the packages and Lambda's runtime and nothing else: task/ of each workflow, opt/python/ and
    runtime/."""
    for workflow, path in for_host.functions.items():
        with zipfile.ZipFile(path) as functions:
            functions.extractall(tmp_path / workflow / "task")
    with zipfile.ZipFile(for_host.layer) as layer:
        layer.extractall(tmp_path / "opt")
    (tmp_path / "runtime").mkdir()
    for name in RUNTIME:
        spec = importlib.util.find_spec(name)
        assert spec is not None
        assert spec.origin is not None
        source = Path(spec.origin)
        source = source.parent if source.name == "__init__.py" else source
        (tmp_path / "runtime" / source.name).symlink_to(source)
    return tmp_path


def import_handler(machine: Path, module: str) -> subprocess.CompletedProcess[str]:
    workflow = module.partition(".")[0]
    path = [str(machine / folder) for folder in (f"{workflow}/task", "opt/python", "runtime")]
    code = f"import sys; sys.path[:0] = {path!r}; from {module} import handler"
    isolated = [sys.executable, "-I", "-S", "-B", "-c", code]
    return subprocess.run(isolated, capture_output=True, text=True, env=ENVIRONMENT, check=False)


@pytest.mark.parametrize("platform", ["lambda", "host"])
def test_building_again_elsewhere_gives_the_same_bytes(
    platform: packaging.Platform,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    first: Packages = request.getfixturevalue(f"for_{platform}")
    monkeypatch.chdir(tmp_path)
    second = package(Path("elsewhere"), platform)
    assert second.layer.read_bytes() == first.layer.read_bytes()
    assert list(second.functions) == WORKFLOWS
    for workflow, path in second.functions.items():
        assert path.read_bytes() == first.functions[workflow].read_bytes()


def test_what_builds_an_image_is_no_part_of_a_zip(tmp_path: Path) -> None:
    folder = tmp_path / "store"
    folder.mkdir()
    for name in ("search.py", "fields.json", "Dockerfile", "embed.Dockerfile", "Dockerfile.dockerignore", "install.sh"):
        (folder / name).write_text("")
    assert {name for name, _ in packaging.function_files(tmp_path, "store")} == {"store/search.py", "store/fields.json"}


def test_a_changed_time_or_mode_of_a_source_changes_no_byte(tmp_path: Path) -> None:
    source = tmp_path / "source.py"
    source.write_text("answer = 42\n")
    packaging.write_zip(tmp_path / "one.zip", [("source.py", source)])
    os.utime(source, (1_000_000_000, 1_000_000_000))
    source.chmod(0o700)
    packaging.write_zip(tmp_path / "two.zip", [("source.py", source)])
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()


@pytest.mark.parametrize("module", HANDLERS)
def test_every_handler_imports_from_its_package_and_the_layer_alone(unpacked: Path, module: str) -> None:
    imported = import_handler(unpacked, module)
    assert imported.returncode == 0, imported.stderr


@pytest.mark.parametrize("dependency", ["aws_lambda_powertools", "aws_xray_sdk", "jsonschema", "rpds"])
def test_a_dependency_that_the_layer_lacks_is_noticed(unpacked: Path, dependency: str) -> None:
    shutil.rmtree(unpacked / "opt" / "python" / dependency)
    imported = import_handler(unpacked, "kendra_ingestion.load_manifest")
    assert imported.returncode != 0
    assert f"No module named '{dependency}" in imported.stderr


def test_binary_modules_of_the_layer_are_for_arm64_and_the_functions_python(for_lambda: Packages) -> None:
    with zipfile.ZipFile(for_lambda.layer) as layer:
        binaries = [name for name in layer.namelist() if name.endswith(".so")]
        assert binaries, "neither wrapt nor rpds-py is in the layer"
        for name in binaries:
            header = layer.read(name)[:20]
            assert header[:4] == b"\x7fELF", name
            assert struct.unpack_from("<H", header, 18) == (AARCH64,), name
            assert "cpython-313-" in name or ".abi3." in name, name


def test_the_layer_leaves_the_runtimes_sdk_and_machine_traces_out(for_lambda: Packages) -> None:
    with zipfile.ZipFile(for_lambda.layer) as layer:
        names = layer.namelist()
    assert names == sorted(names)
    assert {name.split("/")[0] for name in names} == {"python"}
    assert not {name.split("/")[1] for name in names} & {*RUNTIME, "bin", "six.py"}
    assert not [name for name in names if "__pycache__" in name or name.endswith(("/RECORD", "/INSTALLER"))]


def test_the_functions_zip_holds_the_package_with_its_schema_and_no_cache(for_lambda: Packages) -> None:
    with zipfile.ZipFile(for_lambda.functions["kendra_ingestion"]) as functions:
        names = functions.namelist()
    assert "kendra_ingestion/__init__.py" in names
    assert "kendra_ingestion/manifest.schema.json" in names
    assert not [name for name in names if "__pycache__" in name]


def test_a_workflows_zip_holds_no_other_workflow(for_lambda: Packages) -> None:
    for workflow, path in for_lambda.functions.items():
        with zipfile.ZipFile(path) as functions:
            assert {name.split("/")[0] for name in functions.namelist()} == {workflow, "shared"}


def test_shared_code_goes_into_every_zip_and_makes_none_of_its_own(tmp_path: Path) -> None:
    for name in ("one", "two", "shared"):
        (tmp_path / name / "__pycache__").mkdir(parents=True)
        (tmp_path / name / "__init__.py").touch()
        (tmp_path / name / "__pycache__" / "old.pyc").touch()
    (tmp_path / "notes").mkdir()
    assert packaging.workflows(tmp_path) == ["one", "two"]
    names = sorted(name for name, _ in packaging.function_files(tmp_path, "two"))
    assert names == ["shared/__init__.py", "two/__init__.py"]


def test_an_unchanged_layer_is_not_built_twice(for_host: Packages) -> None:
    before = for_host.layer.stat().st_mtime_ns
    package(for_host.layer.parent, "host")
    assert for_host.layer.stat().st_mtime_ns == before


def test_a_damaged_layer_is_built_anew(for_host: Packages, tmp_path: Path) -> None:
    shutil.copytree(for_host.layer.parent, tmp_path / "build")
    damaged = tmp_path / "build" / "layer.zip"
    damaged.write_bytes(damaged.read_bytes()[:-1])
    package(tmp_path / "build", "host")
    assert damaged.read_bytes() == for_host.layer.read_bytes()


def test_a_layer_for_another_platform_is_built_anew(for_host: Packages) -> None:
    assert Layer.of(packaging.REPOSITORY, "host").is_at(for_host.layer)
    assert not Layer.of(packaging.REPOSITORY, "lambda").is_at(for_host.layer)


def test_a_layer_of_another_lock_is_built_anew(for_host: Packages, tmp_path: Path) -> None:
    for name in ("requirements.lock", "pyproject.toml"):
        shutil.copy(packaging.REPOSITORY / name, tmp_path)
    assert Layer.of(tmp_path, "host").is_at(for_host.layer)
    with (tmp_path / "requirements.lock").open("a") as lock:
        lock.write("# another\n")
    assert not Layer.of(tmp_path, "host").is_at(for_host.layer)


def repository(folder: Path, lock: str) -> Path:
    """A repository whose functions need jsonschema, with this lock."""
    (folder / "pyproject.toml").write_text('[dependency-groups]\nlambda = ["jsonschema"]\n')
    (folder / "requirements.lock").write_text(lock)
    return folder


def test_a_wheel_that_is_not_the_locked_one_is_refused(tmp_path: Path) -> None:
    version = packaging.locked_versions((packaging.REPOSITORY / "requirements.lock").read_text())["jsonschema"]
    other = repository(tmp_path, f"jsonschema=={version} --hash=sha256:{'0' * 64}\n")
    with pytest.raises(PackagingError, match="Hash mismatch"):
        Layer.of(other, "host").build(tmp_path / "layer.zip")
    assert not (tmp_path / "layer.zip").exists()


def test_a_package_that_the_lock_does_not_pin_is_refused(tmp_path: Path) -> None:
    locked = (packaging.REPOSITORY / "requirements.lock").read_text()
    other = repository(tmp_path, locked.replace("\nattrs==", "\nother=="))
    with pytest.raises(PackagingError, match=r"attrs \S+ is not in requirements\.lock; run `make lock`"):
        Layer.of(other, "host").build(tmp_path / "layer.zip")


def test_without_the_index_the_error_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "empty"))
    monkeypatch.setenv("UV_DEFAULT_INDEX", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    with pytest.raises(PackagingError, match="if the package index could not be reached, try again when it can"):
        package(tmp_path / "build", "host")


def test_without_uv_the_error_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    with pytest.raises(PackagingError, match="run `make setup`"):
        package(tmp_path / "build", "host")


def test_what_lambda_would_refuse_for_its_size_is_refused_here(
    for_host: Packages, monkeypatch: pytest.MonkeyPatch
) -> None:
    zipped = for_host.layer.stat().st_size
    monkeypatch.setattr(packaging, "UPLOAD_LIMIT", zipped)
    packaging.check_size(for_host.layer)
    monkeypatch.setattr(packaging, "UPLOAD_LIMIT", zipped - 1)
    with pytest.raises(PackagingError, match=r"at most .* zipped"):
        packaging.check_size(for_host.layer)
    monkeypatch.undo()
    with zipfile.ZipFile(for_host.layer) as layer:
        monkeypatch.setattr(packaging, "UNZIPPED_LIMIT", sum(entry.file_size for entry in layer.infolist()))
    packaging.check_size(for_host.layer)
    with pytest.raises(PackagingError, match="unzipped together with"):
        packaging.check_size(for_host.functions["kendra_ingestion"], beside=for_host.layer)


def test_the_command_prints_what_it_built_or_why_not(
    for_host: Packages, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ["packaging", "--platform", "host", "--output", str(for_host.layer.parent)]
    monkeypatch.setattr(sys, "argv", arguments)
    assert packaging.main() == 0
    assert str(for_host.layer) in capsys.readouterr().out
    monkeypatch.setattr(packaging, "UPLOAD_LIMIT", 1)
    assert packaging.main() == 1
    assert "leave something out" in capsys.readouterr().err
