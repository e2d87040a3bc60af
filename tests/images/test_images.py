"""The images, built and run as `make images`, Lambda and ECS do.

Skipped where Docker does not answer or MILLRACE_BASE_IMAGE names no base (docs/decisions/images.md says how to make
one); REQUIRE_IMAGES=1 makes that a failure."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from millrace.images import EMBED, IMAGES, VECTOR_STORE, Image
from millrace.local.instance import Instance
from tests.conftest import Tell
from tests.fakes.deployed import eventually
from tests.fakes.embed_surroundings import STOP_SECONDS
from tests.fakes.histories import at
from tests.images import containers
from tests.images.runtime_api import RuntimeApi
from tests.images.surroundings import Surroundings
from vector_store.changes import Change

pytestmark = pytest.mark.network

START_SECONDS = 30.0
TEXTS = {"R1/00001": "MILK 1.29", "R1/00002": "BREAD 2.49", "R1/00003": "TOTAL 3.78"}

MACHINES = """
import collections, json, pathlib, struct
libraries = pathlib.Path("/millrace/packages").rglob("*.so*")
machines = collections.Counter(struct.unpack_from("<H", file.read_bytes()[:20], 18)[0] for file in libraries)
print(json.dumps(machines))
"""
"""How many libraries there are for each machine, by the ELF header's e_machine."""

AARCH64 = 183


@pytest.fixture(scope="module")
def base() -> str:
    try:
        return containers.base()
    except containers.NotToBeHad as error:
        if containers.required():
            pytest.fail(f"images: {error}", pytrace=False)
        pytest.skip(f"images: {error}")


@pytest.fixture(scope="module", autouse=True)
def built(base: str) -> None:
    containers.build(base)


@pytest.fixture
def surroundings(embedded_aws: Instance) -> Surroundings:
    return Surroundings(embedded_aws)


@contextmanager
def function(surroundings: Surroundings, module: str) -> Iterator[RuntimeApi]:
    """A function of the image, as Lambda starts it."""
    with RuntimeApi().serving() as api:
        environment = surroundings.environment(
            AWS_LAMBDA_RUNTIME_API=api.address, AWS_LAMBDA_FUNCTION_NAME=f"millrace-vector-{module}"
        )
        with containers.started(VECTOR_STORE, environment, f"vector_store.{module}.handler") as container:
            eventually(lambda: api.asked.is_set() or not container.running(), within=START_SECONDS)
            assert container.running(), container.log()
            try:
                yield api
            finally:
                print(container.log())


def embed(surroundings: Surroundings) -> list[str]:
    """Run the worker until it has written the CompactionRun, then order it to stop; its messages."""
    with containers.started(EMBED, surroundings.environment()) as container:
        eventually(lambda: surroundings.run("R1", "run1") or not container.running(), within=START_SECONDS)
        assert container.running(), container.log()
        assert surroundings.lease()["kind"] == {"S": "ecs"}
        began = time.monotonic()
        assert container.stop(3 * STOP_SECONDS) == 0, container.log()
        assert time.monotonic() - began < STOP_SECONDS
        said = [json.loads(line) for line in container.log().splitlines()]
        return [line["message"] for line in said if "message" in line]


def test_what_one_image_embeds_the_other_publishes_and_finds(surroundings: Surroundings) -> None:
    surroundings.export("R1", "run1", [{"id": record, "text": text, "at": at(1)} for record, text in TEXTS.items()])
    assert embed(surroundings)[-1] == "stopped"
    assert "until" not in surroundings.lease(), "the lease is given back"
    births = [Change(record, at(1), born=True, set={"text": text}) for record, text in TEXTS.items()]
    surroundings.tell(births, "run1", len(TEXTS))
    with function(surroundings, "compact") as compact:
        answer = compact.invoke({"collection": "lines", "job": "job1"})
    assert not answer.failed, answer.value
    assert (answer.value["status"], answer.value["version"], answer.value["deltas"]) == ("COMPLETE", 1, 2)
    pointer = surroundings.pointer("lines")
    assert pointer["records"] == {"N": str(len(TEXTS))}
    snapshot = surroundings.s3.list_objects_v2(Bucket=surroundings.bucket, Prefix=pointer["snapshot"]["S"])
    assert {it["Key"].rpartition("/")[2] for it in snapshot["Contents"]} == {"store.tar", "manifest.json"}
    with function(surroundings, "search") as search:
        found = search.invoke({"collection": "lines", "text": "BREAD 2.49", "limit": 1})
    (hit,) = found.value["hits"]
    assert (found.value["version"], hit["id"], hit["document"]) == (1, "R1/00002", "BREAD 2.49")
    assert hit["distance"] == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("module", ["compact", "search", "check"])
def test_each_function_of_the_image_refuses_an_event_by_its_errors_name(
    module: str, surroundings: Surroundings
) -> None:
    with function(surroundings, module) as api:
        answer = api.invoke({"collection": "pages", "collections": ["pages"]})
    assert answer.failed
    assert answer.value["errorType"] == "EventInvalid"


@pytest.mark.parametrize("image", IMAGES, ids=lambda image: image.name)
def test_packages_for_lambdas_architecture_need_no_machine_of_it(image: Image, base: str) -> None:
    tag = f"{image.name}-packages"
    containers.build_packages(image.dockerfile, base, "linux/arm64", tag)
    found = json.loads(containers.said_by(tag, "python3", "-c", MACHINES))
    assert found.keys() == {str(AARCH64)}


@pytest.mark.parametrize("image", IMAGES, ids=lambda image: image.name)
def test_an_image_is_as_small_as_it_is_said_to_be(image: Image, base: str, tell: Tell) -> None:
    whole, below = (containers.engine().images.get(name).attrs["Size"] / 1e6 for name in (image.name, base))
    tell(f"{whole:.0f} MB, {whole - below:.0f} MB of them above the base")
    assert whole - below < {VECTOR_STORE: 300, EMBED: 60}[image.name]
