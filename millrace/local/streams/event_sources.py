"""The functions that are mapped to streams, and what is refused of such a mapping."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from millrace.local.anchors import hold, patch
from millrace.local.event_source_mappings import AlreadyMapped, Asked, InvalidMapping, Mapped, Mappings, Role
from millrace.local.iam import in_scope
from millrace.local.streams import mappings
from millrace.local.streams.mappings import DEFAULTS, READS, NoAccess, NoStream, Settings, destination_of
from millrace.local.streams.service import Stream, Streams


@dataclass(frozen=True)
class StreamSource:
    """A function that reads a stream. `position` is where it goes on; `keep` remembers another one; `measure` is told
    how old, in seconds, the last record of a batch is when the function gets it.
    """

    mapped: Mapped
    find: Callable[[], Stream | None]
    position: Callable[[], int | None]
    keep: Callable[[int], None]
    measure: Callable[[float], None]

    @property
    def id(self) -> str:
        return self.mapped.id

    @property
    def settings(self) -> Settings:
        return Settings.of(self.mapped.mapping)

    @property
    def wanted(self) -> bool:
        """Whether the mapping is still there and enabled."""
        return bool(self.mapped.mapping["Enabled"]) and self.mapped.mapping["State"] != "Deleting"


class StreamMappings:
    service = "dynamodb"

    def __init__(self, streams: Streams, all_mappings: Mappings) -> None:
        from ministack.services import cloudwatch, lambda_svc

        self._lambda: Any = lambda_svc
        self._cloudwatch: Any = cloudwatch
        self._streams = streams
        self._mappings = all_mappings

    def install(self, changed: Callable[[], None]) -> None:
        """`changed` is called when a mapping is made or changed."""
        service = self._lambda
        hold(
            service,
            "_init_stream_position",
            "_dynamodb_stream_positions[esm_id] = _ddb.stream_end_position(table_name)",
        )
        hold(service, "_delete_esm", 'esm["State"] = "Deleting"', "_release_esm_poll_state(esm_id)")
        patch(service, "_poll_dynamodb_streams", lambda _: lambda: False, "_ddb.stream_records_since(table_name, pos,")
        self._mappings.add(self, changed)

    def sources(self) -> Iterator[StreamSource]:
        """The enabled mappings whose function exists."""
        for mapped in self._mappings.enabled(self.service):
            yield self._source(mapped)

    def _source(self, mapped: Mapped) -> StreamSource:
        region, account = mapped.actor.region, mapped.actor.account
        positions, mapping = self._lambda._dynamodb_stream_positions, mapped.mapping

        def keep(position: int) -> None:
            if mapped.id in self._lambda._esms:
                positions[mapped.id] = position

        def measure(seconds: float) -> None:
            of_function = {"FunctionName": mapping["FunctionName"]}
            self._cloudwatch.record_metric("AWS/Lambda", "IteratorAge", seconds * 1000, "Milliseconds", of_function)

        return StreamSource(
            mapped,
            find=lambda: in_scope(region, account, lambda: self._streams.find(mapped.source)),
            position=lambda: in_scope(region, account, lambda: positions.get(mapped.id)),
            keep=lambda position: in_scope(region, account, lambda: keep(position)),
            measure=lambda seconds: in_scope(region, account, lambda: measure(seconds)),
        )

    def completed(self, asked: Asked) -> dict[str, Any]:
        return {**DEFAULTS, **asked}

    def check(self, wanted: Asked, function: Mapping[str, Any], role: Role) -> None:
        mappings.check(wanted)
        arn = wanted["EventSourceArn"]
        if self._streams.find(arn) is None:
            raise NoStream(arn)
        allowed = [role.may(f"dynamodb:{action}", arn) for action in READS]
        if not all(allowed) or not role.may("dynamodb:ListStreams", "*"):
            raise NoAccess(arn)
        destination = destination_of(wanted)
        if destination and not role.may("sqs:SendMessage", destination):
            raise InvalidMapping(
                f"The function's execution role does not have permissions to call SendMessage on {destination}"
            )

    def already(self, source: str, function: str, mapping: str) -> AlreadyMapped:
        return mappings.already(source, function, mapping)
