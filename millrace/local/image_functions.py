"""Functions whose code is an image: what Lambda refuses of them, and what it says of them.

MiniStack takes any image, whether it exists or not, and starts it with Docker.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

from millrace.local.anchors import hold, patch
from millrace.local.event_source_mappings import Answer
from millrace.local.images import Image, Images, UnknownImage

RUNTIME_CLIENT = ("-m", "awslambdaric")
"""How an image's entry point ends that the embedded AWS can take the place of: with Lambda's runtime interface client,
which loads the handler that the command names."""
OF_ZIPS = ("Handler", "Layers", "Runtime")
STORAGE_MB = (512, 10_240)
"""Of /tmp (Lambda quotas)."""

FIRST_REFUSAL = 400
"""The lowest status of an answer that is a refusal."""

Config = Mapping[str, Any]


class Refused(ValueError):
    """Lambda does not take a function like this; the text says why."""


class ImageFunctions:
    def __init__(self, images: Images) -> None:
        self._images = images

    def install(self) -> None:
        from ministack.services import lambda_svc as service

        self._service: Any = service
        hold(service, "_get_function", '"ResolvedImageUri": effective_config["ImageUri"]')
        patch(service, "_create_function", self._creating, 'if "ImageConfig" in data:', "_functions[name] = {")
        patch(service, "_build_config", self._building, '"CodeSha256": code_sha')
        patch(service, "_update_code", self._updating_code, 'func["config"]["ImageUri"] = data["ImageUri"]')
        patch(service, "_update_config", self._updating_config, 'config["ImageConfigResponse"] =', "_WORKER_AFFECTING")

    def image_of(self, config: Config) -> Image | None:
        """The image of the function of this configuration; None where its code is a zip. Raises UnknownImage."""
        return self._images.resolve(config["ImageUri"]) if is_image(config) else None

    def _creating(self, original: Callable[[dict[str, Any]], Answer]) -> Callable[[dict[str, Any]], Answer]:
        @functools.wraps(original)
        def create(data: dict[str, Any]) -> Answer:
            try:
                self._check_new(data)
            except Refused as error:
                return self._refusal(error)
            return original(data)

        return create

    def _check_new(self, data: Config) -> None:
        check_storage(data)
        uri = (data.get("Code") or {}).get("ImageUri")
        if is_image(data) != bool(uri):
            raise Refused("Code must have an ImageUri where PackageType is Image, and nowhere else.")
        if uri:
            check_settings(data)
            check_start(self._resolved(uri), data.get("ImageConfig") or {})

    def _building(self, original: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
        @functools.wraps(original)
        def build(name: str, data: dict[str, Any], code_zip: bytes | None = None) -> dict[str, Any]:
            config = original(name, data, code_zip)
            if is_image(data):
                config["CodeSha256"] = self._images.resolve(data["Code"]["ImageUri"]).digest
            return config

        return build

    def _updating_code(self, original: Callable[..., Answer]) -> Callable[..., Answer]:
        @functools.wraps(original)
        def update(name: str, data: dict[str, Any]) -> Answer:
            function = self._service._functions.get(name)
            if function is None:
                return original(name, data)
            config = function["config"]
            try:
                digest = self._digest_of_new_code(config, data.get("ImageUri"))
            except Refused as error:
                return self._refusal(error)
            # A version that is published with the change takes a copy of this configuration.
            before, config["CodeSha256"] = config["CodeSha256"], digest or config["CodeSha256"]
            answer = original(name, data)
            if answer[0] >= FIRST_REFUSAL:
                config["CodeSha256"] = before
            return answer

        return update

    def _digest_of_new_code(self, config: Config, uri: str | None) -> str | None:
        if is_image(config) != bool(uri):
            takes = "an image's takes an ImageUri" if is_image(config) else "a zip's takes no ImageUri"
            raise Refused(f"The package type of function {config['FunctionName']} cannot be changed: {takes}.")
        if not uri:
            return None
        image = self._resolved(uri)
        check_start(image, image_config(config))
        return image.digest

    def _updating_config(self, original: Callable[..., Answer]) -> Callable[..., Answer]:
        @functools.wraps(original)
        def update(name: str, data: dict[str, Any]) -> Answer:
            function = self._service._functions.get(name)
            if function is None:
                return original(name, data)
            try:
                self._check_change(function["config"], data)
            except Refused as error:
                return self._refusal(error)
            answer = original(name, data)
            if answer[0] < FIRST_REFUSAL and "ImageConfig" in data:
                scope = {"account": self._service.get_account_id(), "region": self._service.get_region()}
                self._service.invalidate_worker(name, qualifier="$LATEST", **scope)
            return answer

        return update

    def _check_change(self, config: Config, data: Config) -> None:
        check_storage(data)
        if is_image(config):
            check_settings(data)
            check_start(self._resolved(config["ImageUri"]), data.get("ImageConfig") or image_config(config))
        elif data.get("ImageConfig"):
            raise Refused(f"Function {config['FunctionName']} has no image, so it takes no ImageConfig.")

    def _resolved(self, uri: str) -> Image:
        try:
            return self._images.resolve(uri)
        except UnknownImage as error:
            raise Refused(str(error)) from error

    def _refusal(self, error: Refused) -> Answer:
        answer: Answer = self._service.error_response_json("InvalidParameterValueException", str(error), 400)
        return answer


def is_image(config: Config) -> bool:
    return config.get("PackageType") == "Image"


def image_config(config: Config) -> Config:
    """What the function says in place of its image's own settings."""
    return (config.get("ImageConfigResponse") or {}).get("ImageConfig") or {}


def handler_of(image: Image, said: Config) -> str:
    """The handler that the image's runtime interface client is given; `said` is an ImageConfig."""
    command = said.get("Command") or image.command
    return str(command[0]) if command else ""


def check_settings(data: Config) -> None:
    """Raises Refused."""
    if given := [name for name in OF_ZIPS if data.get(name)]:
        raise Refused(
            f"Please don't provide Handler or Runtime or Layer when the intended function PackageType is Image, "
            f"not {', '.join(given)}."
        )


def check_start(image: Image, said: Config) -> None:
    """Can the image's process be started so? `said` is an ImageConfig. Raises Refused."""
    entrypoint = tuple(said.get("EntryPoint") or image.entrypoint)
    if entrypoint[-2:] != RUNTIME_CLIENT:
        raise Refused(
            f"The entry point of {image.uri} is {' '.join(entrypoint) or 'not there'}; the embedded AWS runs as a "
            f"function what ends in {' '.join(RUNTIME_CLIENT)}."
        )
    if said.get("WorkingDirectory") not in (None, "", image.settings.folder):
        raise Refused(
            f"WorkingDirectory {said['WorkingDirectory']} of {image.uri}: the embedded AWS runs an image in its own, "
            f"{image.settings.folder}."
        )
    if not handler_of(image, said):
        raise Refused(f"Neither ImageConfig.Command nor the image {image.uri} names a handler.")


def check_storage(data: Config) -> None:
    """Raises Refused."""
    size = (data.get("EphemeralStorage") or {}).get("Size")
    least, most = STORAGE_MB
    if size is not None and not least <= size <= most:
        raise Refused(f"EphemeralStorage must be between {least} and {most} MB, not {size}.")
