"""EventBridge Pipes' operations. What takes AWS a while (creating, updating, starting) is done in the background here
too: a pipe is CREATING first, and one whose role may not read its queue ends CREATE_FAILED.
"""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable, Iterator
from typing import Any

from millrace.local.acting import Forbidden
from millrace.local.emulated import ApiError, Operation
from millrace.local.pipes.pipe import Pipe, changed, check, complete

PAGE = 100
KEPT = (
    "Name",
    "Description",
    "Source",
    "SourceParameters",
    "Target",
    "TargetParameters",
    "RoleArn",
    "KmsKeyIdentifier",
)
SUMMARY = ("Name", "Source", "Target")
CHANGING = frozenset({"CREATING", "UPDATING", "STARTING", "STOPPING", "DELETING"})


class NotStarted(Exception):
    """Why a pipe cannot run."""


class Pipes:
    """The pipes of every account and region.

    `scope` tells the region and account of the running request, `readable` raises NotStarted or Forbidden when a pipe
    cannot read its queue, `later` runs what takes a while, `moved` is told whenever a pipe has begun or ended to run.
    """

    def __init__(
        self,
        *,
        scope: Callable[[], tuple[str, str]],
        clock: Callable[[], float],
        readable: Callable[[Pipe], None],
        later: Callable[[Callable[[], None]], object],
        moved: Callable[[], None],
    ) -> None:
        self._scope = scope
        self._clock = clock
        self._readable = readable
        self._later = later
        self._moved = moved
        self._lock = threading.RLock()
        self._pipes: dict[str, Pipe] = {}

    def operations(self) -> dict[str, Operation]:
        return {
            "CreatePipe": self.create,
            "DescribePipe": self.describe,
            "UpdatePipe": self.update,
            "DeletePipe": self.delete,
            "ListPipes": self.list,
            "StartPipe": lambda request: self._turn(request, "RUNNING", "STARTING", "START_FAILED"),
            "StopPipe": lambda request: self._turn(request, "STOPPED", "STOPPING", "STOP_FAILED"),
            "TagResource": self.tag,
            "UntagResource": self.untag,
            "ListTagsForResource": self.list_tags,
        }

    def running(self) -> Iterator[Pipe]:
        with self._lock:
            return iter([pipe for pipe in self._pipes.values() if pipe.state == "RUNNING"])

    def create(self, request: dict[str, Any]) -> dict[str, Any]:
        region, account = self._scope()
        asked = complete({name: request[name] for name in (*KEPT, "DesiredState") if name in request})
        check({**request, **asked}, region)
        with self._lock:
            arn = self._arn(request["Name"])
            if arn in self._pipes:
                raise ApiError("ConflictException", f"Pipe {request['Name']} already exists.")
            now = self._clock()
            pipe = Pipe(arn, account, region, asked, "CREATING", now, now, dict(request.get("Tags") or {}))
            self._pipes[arn] = pipe
            answer = _told(pipe)
            self._settle(pipe, "CREATE_FAILED")
            return answer

    def describe(self, request: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            pipe = self._named(request["Name"])
            answer = {**_told(pipe), **{name: pipe.asked[name] for name in KEPT if name in pipe.asked}}
            return (
                answer
                | ({"StateReason": pipe.reason} if pipe.reason else {})
                | ({"Tags": pipe.tags} if pipe.tags else {})
            )

    def update(self, request: dict[str, Any]) -> dict[str, Any]:
        region, _ = self._scope()
        with self._lock:
            pipe = self._still(request["Name"])
            asked = changed(pipe.asked, request)
            check({**request, **asked}, region)
            pipe.asked = asked
            return self._change(pipe, "UPDATING", "UPDATE_FAILED")

    def _turn(self, request: dict[str, Any], desired: str, state: str, failed: str) -> dict[str, Any]:
        with self._lock:
            pipe = self._still(request["Name"])
            pipe.asked = {**pipe.asked, "DesiredState": desired}
            return self._change(pipe, state, failed)

    def _change(self, pipe: Pipe, state: str, failed: str) -> dict[str, Any]:
        pipe.state, pipe.modified_at = state, self._clock()
        answer = _told(pipe)
        self._settle(pipe, failed)
        return answer

    def delete(self, request: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            pipe = self._still(request["Name"])
            pipe.state, pipe.modified_at = "DELETING", self._clock()
            self._later(lambda: self._forget(pipe))
            return {**_told(pipe), "DesiredState": "DELETED"}

    def _forget(self, pipe: Pipe) -> None:
        with self._lock:
            del self._pipes[pipe.arn]

    def _settle(self, pipe: Pipe, failed: str) -> None:
        """Bring the pipe where it is wanted, or into the state `failed`; later."""

        def settle() -> None:
            state, reason = pipe.desired, ""
            if pipe.desired == "RUNNING":
                try:
                    self._readable(pipe)
                except (NotStarted, Forbidden) as error:
                    state, reason = failed, str(error)
            with self._lock:
                pipe.state, pipe.reason = state, reason
            self._moved()

        self._later(settle)

    def list(self, request: dict[str, Any]) -> dict[str, Any]:
        region, account = self._scope()
        limit = request.get("Limit", PAGE)
        after = base64.urlsafe_b64decode(request["NextToken"]).decode() if "NextToken" in request else ""
        with self._lock:
            found = [pipe for pipe in self._pipes.values() if (pipe.region, pipe.account) == (region, account)]
            matching = sorted((pipe for pipe in found if _matches(pipe, request)), key=lambda pipe: pipe.name)
            rest = [pipe for pipe in matching if pipe.name > after]
            answer: dict[str, Any] = {"Pipes": [_summary(pipe) for pipe in rest[:limit]]}
        if len(rest) > limit:
            answer["NextToken"] = base64.urlsafe_b64encode(rest[limit - 1].name.encode()).decode()
        return answer

    def tag(self, request: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            self._tagged(request).tags.update(request["tags"])
        return {}

    def untag(self, request: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            tags = self._tagged(request).tags
            for name in request["tagKeys"]:
                tags.pop(name, None)
        return {}

    def list_tags(self, request: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            return {"tags": dict(self._tagged(request).tags)}

    def _tagged(self, request: dict[str, Any]) -> Pipe:
        arn = request["resourceArn"]
        if arn not in self._pipes:
            raise ApiError("NotFoundException", f"Resource {arn} does not exist.")
        return self._pipes[arn]

    def _arn(self, name: str) -> str:
        region, account = self._scope()
        return f"arn:aws:pipes:{region}:{account}:pipe/{name}"

    def _named(self, name: str) -> Pipe:
        pipe = self._pipes.get(self._arn(name))
        if pipe is None:
            raise ApiError("NotFoundException", f"Pipe {name} does not exist.")
        return pipe

    def _still(self, name: str) -> Pipe:
        """The pipe, if it is not on its way from one state to another."""
        pipe = self._named(name)
        if pipe.state in CHANGING:
            raise ApiError("ConflictException", f"Pipe {name} is {pipe.state}; try again when it has settled.")
        return pipe


def _told(pipe: Pipe) -> dict[str, Any]:
    """What every answer about one pipe has."""
    return {
        "Arn": pipe.arn,
        "Name": pipe.name,
        "DesiredState": pipe.desired,
        "CurrentState": pipe.state,
        "CreationTime": pipe.created_at,
        "LastModifiedTime": pipe.modified_at,
    }


def _summary(pipe: Pipe) -> dict[str, Any]:
    reason = {"StateReason": pipe.reason} if pipe.reason else {}
    return {**_told(pipe), **{name: pipe.asked[name] for name in SUMMARY}, **reason}


def _matches(pipe: Pipe, request: dict[str, Any]) -> bool:
    return (
        pipe.name.startswith(request.get("NamePrefix", ""))
        and pipe.source.startswith(request.get("SourcePrefix", ""))
        and pipe.target.startswith(request.get("TargetPrefix", ""))
        and pipe.desired == request.get("DesiredState", pipe.desired)
        and pipe.state == request.get("CurrentState", pipe.state)
    )
