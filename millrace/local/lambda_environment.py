"""One execution environment of a Python function: a process that holds the loaded function between invocations.

It differs from a bare subprocess where functions notice: it sees its own package, its layers, the standard library
and boto3, nothing else that happens to be installed here (an image's function sees all of that: it stands for what the
image would hold); it gets the variables that AWS documents and none of the host's; it reports the errors that AWS
reports, by the names that Retry and Catch match on.
"""

from __future__ import annotations

import json
import os
import secrets
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3

from millrace.local.images import Image
from millrace.local.unpacking import unpack

BOOTSTRAP = Path(__file__).with_name("lambda_bootstrap.py")
RUNTIME_PACKAGES = ("boto3", "botocore", "dateutil", "jmespath", "s3transfer", "six", "urllib3")
RUNTIME_FOLDER = Path(boto3.__file__).parents[1]
# Lambda's limits: the initialization phase and the answer of a synchronous invocation (6 MB and some framing).
INIT_SECONDS = 10.0
ANSWER_BYTES = 6_291_556
LOG_BYTES_KEPT = 1_000_000
KEPT_VARIABLES = ("PATH", "LD_LIBRARY_PATH")
HELPFUL = {
    "POWERTOOLS_TRACE_DISABLED": "true",
    "AWS_DISABLE_HOST_PREFIX_INJECTION": "true",
    "AWS_EC2_METADATA_DISABLED": "true",
    "TZ": ":UTC",
    "LANG": "C.UTF-8",
}
"""AWS has an X-Ray daemon beside each environment; here is none to send segments to. There are no host prefixes on
loopback either, and no metadata service. A function's or container's own settings win."""


@dataclass(frozen=True)
class Function:
    """What an environment must know of a function. Its code is a zip file, and so is each layer, or it is that of an
    image; seconds, megabytes."""

    name: str
    arn: str
    version: str
    handler: str
    runtime: str
    timeout: float
    memory: int
    log_group: str
    code: bytes | Image
    layers: Sequence[bytes] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    tracing: bool = False
    log_format: str = "Text"
    log_level: str = ""


@dataclass(frozen=True)
class Outcome:
    """How an invocation ended: `payload` is the JSON text of the result or, if `failed`, of AWS's error document."""

    payload: str
    failed: bool
    log: str
    cold: bool


@dataclass(frozen=True)
class Invocation:
    """One that is under way: of which function, in which process, and with which event (as JSON)."""

    function: str
    process: subprocess.Popen[bytes]
    event: str


@dataclass(frozen=True)
class Place:
    """Where a function's code stands, and what it can import besides: all that lies in the folders `beside`, and of
    what is installed here that which is offered, or everything."""

    task: Path
    beside: Sequence[str] = ()
    installed: Path = RUNTIME_FOLDER
    offered: Sequence[str] | None = None


class Stopped(Exception):
    """The process ended, or did not answer in time; `error` is AWS's name for it."""

    def __init__(self, error: str, reason: str) -> None:
        super().__init__(reason)
        self.error = error
        self.reason = reason


class Environment:
    """Not for two invocations at once; whoever holds a pool of environments sees to that."""

    def __init__(self, function: Function, folder: Path, *, endpoint: str, region: str, keys: Mapping[str, str]):
        """`keys` are the credentials' variables; in `folder` unpacked packages are shared by environments."""
        self._function = function
        self._folder = folder
        self._variables = {
            **keys,
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_REGION": region,
            "AWS_DEFAULT_REGION": region,
        }
        self._process: subprocess.Popen[bytes] | None = None
        self._answers = -1
        self._home: Path | None = None
        self._unread = b""
        self._log_read = 0

    def invoke(self, event: Any, request_id: str, function_arn: str | None = None) -> Outcome:
        """Run one invocation, in a new process if there is none. Never raises for what the function does.

        `function_arn` is the ARN that was called, with an alias or a version if it had one.
        """
        cold = self._process is None or self._process.poll() is not None
        try:
            failed = self._start() if cold else None
            answer = failed or self._run(event, request_id, function_arn or self._function.arn)
        except Stopped as stopped:
            self.close(keep_log=True)
            message = f"RequestId: {request_id} Error: {stopped.reason}"
            answer = {"fault": {"errorType": stopped.error, "errorMessage": message}}
        log = self._new_log()
        if "fault" in answer:
            return Outcome(json.dumps(answer["fault"], ensure_ascii=False), True, log, cold)
        if len(answer["result"].encode()) > ANSWER_BYTES:
            said = f"Response payload size exceeded maximum allowed payload size ({ANSWER_BYTES} bytes)."
            told = {"errorMessage": said, "errorType": "Function.ResponseSizeTooLarge"}
            return Outcome(json.dumps(told), True, f"{log}{said}\n", cold)
        return Outcome(answer["result"], False, log, cold)

    def _run(self, event: Any, request_id: str, function_arn: str) -> dict[str, Any]:
        trace = f"Root=1-{int(time.time()):08x}-{secrets.token_hex(12)}"
        parent = f"Parent={secrets.token_hex(8)};Sampled={int(self._function.tracing)}"
        assert self._process is not None
        running[trace.removeprefix("Root=")] = Invocation(self._function.name, self._process, json.dumps(event))
        seconds = self._function.timeout
        try:
            self._send(
                {
                    "event": event,
                    "requestId": request_id,
                    "functionArn": function_arn,
                    "traceId": f"{trace};{parent}",
                    "deadline": time.time() + seconds,
                }
            )
            return self._receive(seconds)
        except TimeoutError:
            raise Stopped("Sandbox.Timedout", f"Task timed out after {seconds:.2f} seconds") from None
        finally:
            del running[trace.removeprefix("Root=")]

    def _start(self) -> dict[str, Any] | None:
        """Start the process and load the function; the fault if that cannot be done."""
        self.close()
        function = self._function
        place = self._placed()
        self._home = Path(tempfile.mkdtemp(prefix=f"{function.name}-", dir=self._folder))
        (self._home / "tmp").mkdir()
        mine, its = os.pipe()
        try:
            with (self._home / "log").open("ab") as log:
                self._process = subprocess.Popen(
                    [sys.executable, "-I", "-S", "-X", "utf8", *_bytecode(), str(BOOTSTRAP)],
                    cwd=place.task,
                    env=self._environment(place.task),
                    stdin=subprocess.PIPE,
                    stdout=log,
                    stderr=log,
                    pass_fds=[its],
                )
        finally:
            os.close(its)
        self._answers, self._unread, self._log_read = mine, b"", 0
        self._send(
            {
                "answers": its,
                "path": [str(place.task), *place.beside],
                "installed": str(place.installed),
                "offered": place.offered,
            }
        )
        try:
            answer = self._receive(INIT_SECONDS + function.timeout)
        except TimeoutError:
            raise Stopped("Sandbox.Timedout", f"Task timed out after {function.timeout:.2f} seconds") from None
        return None if answer.get("ready") else answer

    def _placed(self) -> Place:
        code = self._function.code
        if isinstance(code, Image):
            return Place(code.code, installed=code.packages)
        opt = unpack(self._folder, "opt", self._function.layers) if self._function.layers else None
        task = unpack(self._folder, "task", [code])
        return Place(task, search_path(opt), installed=RUNTIME_FOLDER, offered=RUNTIME_PACKAGES)

    def _environment(self, task: Path) -> dict[str, str]:
        function = self._function
        tmp = f"{self._home}/tmp"
        image = function.code if isinstance(function.code, Image) else None
        of_image = image.variables(Path(tmp)) if image else {}
        own = {
            "_HANDLER": function.handler,
            **({} if image else {"AWS_EXECUTION_ENV": f"AWS_Lambda_{function.runtime}"}),
            "AWS_LAMBDA_FUNCTION_NAME": function.name,
            "AWS_LAMBDA_FUNCTION_VERSION": function.version,
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory),
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_LAMBDA_LOG_GROUP_NAME": function.log_group,
            "AWS_LAMBDA_LOG_STREAM_NAME": f"{time.strftime('%Y/%m/%d')}/[{function.version}]{uuid.uuid4().hex}",
            "AWS_LAMBDA_LOG_FORMAT": function.log_format,
            "AWS_LAMBDA_LOG_LEVEL": function.log_level,
            "LAMBDA_TASK_ROOT": str(task),
            "LAMBDA_RUNTIME_DIR": str(RUNTIME_FOLDER),
            "HOME": of_image.get("HOME", str(self._home)),
            "TMPDIR": tmp,
            **self._variables,
        }
        kept = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
        return {**kept, **HELPFUL, **of_image, **function.variables, **own}

    def _send(self, message: dict[str, Any]) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(message).encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise self._ended() from None

    def _receive(self, seconds: float) -> dict[str, Any]:
        """The process's next answer. Raises TimeoutError, Stopped."""
        deadline = time.monotonic() + seconds
        pieces = [self._unread]
        with selectors.DefaultSelector() as selector:
            selector.register(self._answers, selectors.EVENT_READ)
            while b"\n" not in pieces[-1]:
                if not selector.select(max(0.0, deadline - time.monotonic())):
                    raise TimeoutError
                piece = os.read(self._answers, 1 << 20)
                if not piece:
                    raise self._ended()
                pieces.append(piece)
        line, _, self._unread = b"".join(pieces).partition(b"\n")
        return json.loads(line)

    def _ended(self) -> Stopped:
        assert self._process is not None
        code = self._process.wait()
        if code < 0:
            name = (signal.strsignal(-code) or str(-code)).lower()
            return Stopped("Runtime.ExitError", f"Runtime exited with error: signal: {name}")
        if code == 0:
            return Stopped("Runtime.ExitError", "Runtime exited without providing a reason")
        return Stopped("Runtime.ExitError", f"Runtime exited with error: exit status {code}")

    def _new_log(self) -> str:
        """What the function has written since the last call."""
        if self._home is None:
            return ""
        path = self._home / "log"
        with path.open("rb") as log:
            log.seek(self._log_read)
            text = log.read()
            self._log_read += len(text)
        if self._log_read > LOG_BYTES_KEPT:
            os.truncate(path, 0)
            self._log_read = 0
        return text.decode("utf-8", errors="replace")

    def close(self, *, keep_log: bool = False) -> None:
        """End the process. The folder of the environment goes with it, or with the next close if the log is kept."""
        if self._process is not None:
            end(self._process)
            self._process = None
        if self._answers >= 0:
            os.close(self._answers)
            self._answers = -1
        if self._home is not None and not keep_log:
            shutil.rmtree(self._home, ignore_errors=True)
            self._home = None

    @property
    def process(self) -> subprocess.Popen[bytes] | None:
        return self._process


# The invocation of each trace id, the one thing that an API call says about the very process it is from.
running: dict[str, Invocation] = {}


def end(process: subprocess.Popen[bytes]) -> None:
    """End a process at once: what AWS does with an environment that timed out, and no state is kept in one."""
    process.kill()
    process.wait()
    if process.stdin is not None:
        try:
            process.stdin.close()
        except BrokenPipeError:
            return


def search_path(opt: Path | None) -> list[str]:
    """Where Python looks inside /opt: `python/lib/python3.x/site-packages`, then `python`."""
    if opt is None:
        return []
    versions = sorted((opt / "python" / "lib").glob("python3.*/site-packages"))
    return [*map(str, versions), str(opt / "python")]


def _bytecode() -> list[str]:
    return ["-X", f"pycache_prefix={sys.pycache_prefix}"] if sys.pycache_prefix else []
