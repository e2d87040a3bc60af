"""Lambda's Runtime API on loopback, for one function's process: it asks for the next event and posts its answer.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html"""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Empty, Queue
from typing import Any, NamedTuple

VERSION = "/2018-06-01/runtime"
INIT_ERROR = f"{VERSION}/init/error"
ASKED_SECONDS = 0.2
FUNCTION_ARN = "arn:aws:lambda:us-east-1:000000000000:function:millrace-test"


class Answer(NamedTuple):
    """What a function answered; of an error its `errorType` and `errorMessage`."""

    value: Any
    failed: bool


class RuntimeApi:
    """`asked` is set once the function's process has asked for an event: it has started well."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self._events: Queue[tuple[str, bytes, float]] = Queue()
        self._answers: Queue[tuple[str, Answer]] = Queue()
        self._over = threading.Event()
        self.address = ""

    def invoke(self, event: Any, *, seconds: float = 30.0) -> Answer:
        """The function's answer to an event. Raises AssertionError where none comes in time."""
        request = str(uuid.uuid4())
        self._events.put((request, json.dumps(event).encode(), time.time() + seconds))
        try:
            answered, answer = self._answers.get(timeout=seconds)
        except Empty:
            raise AssertionError(f"no answer within {seconds} s") from None
        assert answered in (request, INIT_ERROR), f"an answer to {answered}"
        return answer

    def _next(self) -> tuple[str, bytes, float] | None:
        self.asked.set()
        while not self._over.is_set():
            try:
                return self._events.get(timeout=ASKED_SECONDS)
            except Empty:
                continue
        return None

    @contextmanager
    def serving(self) -> Iterator[RuntimeApi]:
        api = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: Any) -> None:
                """Nothing: the answers tell."""

            def do_GET(self) -> None:
                assert self.path == f"{VERSION}/invocation/next", self.path
                found = api._next()
                if found is None:
                    # The process is gone, and nobody reads what is said.
                    self.close_connection = True
                    return
                request, event, deadline = found
                self._reply(
                    200,
                    event,
                    {
                        # The runtime client dies of an answer without a type.
                        "Content-Type": "application/json",
                        "Lambda-Runtime-Aws-Request-Id": request,
                        "Lambda-Runtime-Deadline-Ms": str(int(deadline * 1000)),
                        "Lambda-Runtime-Invoked-Function-Arn": FUNCTION_ARN,
                    },
                )

            def do_POST(self) -> None:
                said = json.loads(self.rfile.read(int(self.headers["Content-Length"])) or b"null")
                _, _, rest = self.path.partition(f"{VERSION}/invocation/")
                request, _, kind = rest.partition("/")
                api._answers.put((request or self.path, Answer(said, kind != "response")))
                self._reply(202)

            def _reply(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
                self.send_response(status)
                for name, value in (headers or {}).items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        self.address = f"127.0.0.1:{server.server_port}"
        try:
            yield self
        finally:
            self._over.set()
            server.shutdown()
            server.server_close()
            thread.join()
