"""The log driver awslogs: what a container writes becomes events of a log stream, and metrics where it says so.

* NotLogged   the stream cannot be had; the message is why
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

from millrace.local.acting import Acting, Actor, Forbidden, Refused
from millrace.local.anchors import hold
from millrace.local.iam import in_scope
from millrace.local.metrics.embedded_format import Measured, measured

EVENT_BYTES_MOST = 256 * 1024 - 26
"""A longer line becomes several events (awslogs' own limit; CloudWatch takes 1 MB today)."""
log = logging.getLogger(__name__)


class NotLogged(Exception):
    pass


class LogDriver:
    """`keep` takes the metrics that a container writes, in the running account and region."""

    def __init__(self, acting: Acting, keep: Callable[[Measured], None]) -> None:
        from ministack.services import cloudwatch_logs

        hold(cloudwatch_logs, "_create_log_group", 'name = data.get("logGroupName")')
        hold(cloudwatch_logs, "_create_log_stream", '"uploadSequenceToken": "1"')
        hold(cloudwatch_logs, "_put_log_events", "_append_log_events(s, stored)")
        self._logs: Any = cloudwatch_logs
        self._acting = acting
        self._keep = keep

    def open(self, actor: Actor, options: Mapping[str, str], container: str, task_id: str) -> Stream:
        """The container's stream, which is made by the execution role. Raises NotLogged."""
        region, group = options["awslogs-region"], options["awslogs-group"]
        name = f"{options['awslogs-stream-prefix']}/{container}/{task_id}"
        arn = f"arn:aws:logs:{region}:{actor.account}:log-group:{group}"
        actor = Actor(actor.service, actor.role, actor.source, actor.account, region)
        stream = Stream(self, actor, group, name, f"{arn}:log-stream:{name}")
        try:
            if options.get("awslogs-create-group") == "true":
                told = {"logGroupName": group}
                self.call(actor, "CreateLogGroup", arn, self._logs._create_log_group, told, "AlreadyExists")
            told = {"logGroupName": group, "logStreamName": name}
            self.call(actor, "CreateLogStream", stream.arn, self._logs._create_log_stream, told, "AlreadyExists")
        except (Forbidden, Refused, NotLogged) as error:
            raise NotLogged(f"failed to create Cloudwatch log stream: {error}") from error
        return stream

    def put(self, stream: Stream, lines: list[str]) -> None:
        now = int(time.time() * 1000)
        events = [{"timestamp": now, "message": line} for line in lines]
        told = {"logGroupName": stream.group, "logStreamName": stream.name, "logEvents": events}
        try:
            self.call(stream.actor, "PutLogEvents", stream.arn, self._logs._put_log_events, told)
        except (Forbidden, Refused, NotLogged) as error:
            log.warning("%d lines of %s are lost: %s", len(lines), stream.name, error)
            return
        found = [one for line in lines for one in measured(line)]
        if found:
            in_scope(stream.actor.region, stream.actor.account, lambda: [self._keep(one) for one in found])

    def call(
        self,
        actor: Actor,
        operation: str,
        resource: str,
        handle: Callable[[dict[str, Any]], tuple[int, dict[str, str], bytes]],
        request: dict[str, Any],
        but: str = "no error",
    ) -> None:
        """An operation of CloudWatch Logs by the actor; errors whose code has `but` in it are none. Raises Forbidden,
        Refused, NotLogged."""
        status, _, body = self._acting.perform(actor, f"logs:{operation}", resource, lambda: handle(request))
        if status >= 400:
            answer = json.loads(body)
            if but not in answer["__type"]:
                raise NotLogged(f"{answer['__type']}: {answer.get('message', '')}")


class Stream:
    """Takes bytes as they come; a line is logged when it is whole, and what is left when the stream is closed."""

    def __init__(self, driver: LogDriver, actor: Actor, group: str, name: str, arn: str) -> None:
        self._driver = driver
        self._rest = b""
        self.actor = actor
        self.group = group
        self.name = name
        self.arn = arn

    def write(self, piece: bytes) -> None:
        *whole, self._rest = (self._rest + piece).split(b"\n")
        if len(self._rest) > EVENT_BYTES_MOST:
            whole, self._rest = [*whole, self._rest], b""
        self._log(whole)

    def close(self) -> None:
        self._log([self._rest])
        self._rest = b""

    def _log(self, lines: list[bytes]) -> None:
        events = [
            line[start : start + EVENT_BYTES_MOST].decode("utf-8", errors="replace")
            for line in lines
            for start in range(0, len(line), EVENT_BYTES_MOST)
        ]
        if events:
            self._driver.put(self, events)
