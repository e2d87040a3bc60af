"""An embedded AWS that runs as a process of its own: start it, find it again, talk to it, stop it.

Everything that it writes is inside its folder: `instance.json` (who and where it is), `options.json`, `log`,
`tmp/`.

* InstanceError        the embedded AWS did not do what was asked; the message holds the log's last lines
  - AlreadyStarted     the folder's embedded AWS is running
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from botocore.config import Config

from millrace.errors import MillraceError
from millrace.local import session
from millrace.local.options import Options
from millrace.local.process import Process

__all__ = ["AlreadyStarted", "Instance", "InstanceError", "Options"]

DETAILS = "instance.json"
LOG = "log"
ROOT_KEY = "test"
START_SECONDS = 60.0
STOP_SECONDS = 10.0
KEPT_VARIABLES = ("PATH", "HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "SYSTEMROOT")


class InstanceError(MillraceError):
    pass


class AlreadyStarted(InstanceError):
    pass


@dataclass(frozen=True)
class Instance:
    """A running embedded AWS. `started_at` is in seconds since the epoch."""

    folder: Path
    url: str
    region: str
    account: str
    process: Process
    started_at: float

    @classmethod
    def start(cls, folder: Path, options: Options = Options()) -> Instance:  # noqa: B008 (frozen)
        """Start an embedded AWS in the folder, and wait until it answers. Raises InstanceError, AlreadyStarted."""
        folder = Path(folder).resolve()
        running = cls.find(folder)
        if running is not None:
            raise AlreadyStarted(f"the embedded AWS of {folder} already runs at {running.url}; stop it first")
        (folder / "tmp").mkdir(parents=True, exist_ok=True)
        (folder / DETAILS).unlink(missing_ok=True)
        options.write(folder)
        with (folder / LOG).open("wb") as log:
            server = subprocess.Popen(
                [sys.executable, "-m", "millrace.local.server", str(folder)],
                cwd=folder,
                env=_environment_of_server(folder),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        _children[server.pid] = server
        try:
            return cls._await(folder, server)
        except BaseException:
            if server.poll() is None:
                os.killpg(server.pid, signal.SIGKILL)
                server.wait()
            raise

    @classmethod
    def _await(cls, folder: Path, server: subprocess.Popen[bytes]) -> Instance:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if server.poll() is not None:
                raise _not_started(folder, f"ended with code {server.returncode} while starting")
            instance = cls.find(folder)
            if instance is not None and instance.healthy():
                return instance
            time.sleep(0.02)
        raise _not_started(folder, f"did not answer within {START_SECONDS:.0f} s")

    @classmethod
    def find(cls, folder: Path) -> Instance | None:
        """The folder's embedded AWS, or None when it is not running."""
        folder = Path(folder).resolve()
        try:
            details = json.loads((folder / DETAILS).read_text(encoding="utf-8"))
            instance = cls(folder=folder, **{**details, "process": Process(**details["process"])})
        except FileNotFoundError:
            return None
        except (ValueError, TypeError, KeyError) as error:
            raise InstanceError(f"{folder / DETAILS} is damaged ({error}); remove the folder") from error
        return instance if instance.process.alive else None

    def write(self) -> None:
        """Leave the details in the folder for `find`. For the server itself."""
        details = asdict(self)
        del details["folder"]
        new = self.folder / f"{DETAILS}.new"
        new.write_text(json.dumps(details, indent=2) + "\n", encoding="utf-8")
        new.replace(self.folder / DETAILS)

    def stop(self) -> None:
        """End the process and all that it started. Does nothing when it has ended already."""
        self.process.signal(signal.SIGTERM)
        if not self._ended_within(STOP_SECONDS):
            self.process.kill_group()
            if not self._ended_within(STOP_SECONDS):
                raise InstanceError(f"the embedded AWS (process {self.process.pid}) cannot be ended")
        details = self.folder / DETAILS
        with contextlib.suppress(OSError):
            if json.loads(details.read_text(encoding="utf-8"))["process"] == asdict(self.process):
                details.unlink()

    def _ended_within(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while self.process.alive:
            if time.monotonic() > deadline:
                return False
            if self.process.pid in _children:
                _children[self.process.pid].poll()
            time.sleep(0.01)
        return True

    def healthy(self) -> bool:
        try:
            self._call("GET", "/_millrace/status", seconds=2)
        except InstanceError:
            return False
        return True

    def status(self) -> dict[str, Any]:
        """`{"url", "port", "region", "account", "pid", "uptimeSeconds", "log"}`. Raises InstanceError."""
        said = self._call("GET", "/_millrace/status")
        return {**said, "url": self.url, "pid": self.process.pid, "log": str(self.log)}

    def calls(self) -> list[dict[str, Any]]:
        """What was asked of IAM, in order: `[{"principal", "action", "resource", "allowed", "count"}]`."""
        return self._call("GET", "/_millrace/calls")

    def forget_calls(self) -> None:
        self._call("DELETE", "/_millrace/calls")

    def order_fault(self, action: str, **rule: Any) -> int:
        """Order a fault for the calls of an IAM action; `rule` is the rest of a `faults.Rule`. Its id."""
        return self._call("PUT", "/_millrace/faults", {"action": action, **rule})

    def faults(self) -> list[dict[str, Any]]:
        """The ordered faults: `[{"id", "rule", "seen", "applied", "calls"}]`."""
        return self._call("GET", "/_millrace/faults")

    def forget_faults(self) -> None:
        self._call("DELETE", "/_millrace/faults")

    def forget_fault(self, fault: int) -> None:
        self._call("DELETE", "/_millrace/faults", {"id": fault})

    def held_calls(self) -> list[dict[str, Any]]:
        """The calls that a rule holds: `[{"id", "action", "resource", "function", "execution", "state", "body"}]`."""
        return self._call("GET", "/_millrace/held")

    def let_go(self, call: int, **trouble: Any) -> None:
        """Let the held call of that id go; `trouble` are the fields of a `faults.Rule` that say what goes wrong."""
        self._call("PUT", "/_millrace/held", {"id": call, **trouble})

    def at_rest(self, execution: str, besides: Sequence[int] = (), seconds: float = 25.0) -> dict[str, Any]:
        """`{"status", "held": [...]}` of an execution, as soon as it makes a call that is held, `besides` those of
        these ids, or has ended. Raises InstanceError when it still moves after so many seconds.
        """
        asked = {"execution": execution, "besides": list(besides), "seconds": seconds}
        return self._call("POST", "/_millrace/rest", asked)

    def schedules(self) -> list[dict[str, Any]]:
        """`[{"name", "group", "nextAt", "fired", "outcome"}]`; `outcome` is OK or what went wrong the last time."""
        return self._call("GET", "/_millrace/schedules")

    def fire_schedule(self, name: str, *, group: str = "default") -> None:
        """Fire a schedule now, whether it is due, and enabled, or not. Raises InstanceError where there is none."""
        self._call("PUT", "/_millrace/schedules", {"name": name, "group": group})

    def evaluate_alarms(self) -> list[dict[str, Any]]:
        """Evaluate all alarms now, instead of at the end of the minute: `[{"name", "region", "state", "reason"}]`."""
        return self._call("PUT", "/_millrace/alarms")

    def streams(self) -> list[dict[str, Any]]:
        """`[{"mapping", "stream", "function", "waiting", "outcome"}]` of each enabled mapping of a stream: how many
        records are neither done nor given up, and what became of the last batch."""
        return self._call("GET", "/_millrace/streams")

    def tasks(self) -> list[dict[str, Any]]:
        """ECS's tasks, the stopped ones too: `[{"task", "cluster", "group", "status", "container", "pid", "exitCode",
        "reason"}]`, a row a container; `pid` is its program's, None when there is none."""
        return self._call("GET", "/_millrace/tasks")

    def kendra_statistics(self) -> dict[str, Any]:
        """`{"pace": {...}, "indices": {id: {operation: {"calls", "throttled", "perSecond"}}}}`."""
        return self._call("GET", "/_millrace/kendra")

    def set_kendra_pace(self, **pace: float) -> None:
        """Change `requests_per_second`, `indexing_seconds` or `creating_seconds` from now on."""
        self._call("PUT", "/_millrace/kendra", pace)

    def bedrock_statistics(self) -> dict[str, Any]:
        """`{"pace": {...}, "regions": {region: {operation: {"calls", "throttled", "perSecond"}}}}`."""
        return self._call("GET", "/_millrace/bedrock")

    def set_bedrock_pace(self, **pace: float) -> None:
        """Change how fast Bedrock is from now on; the settings are those of `bedrock.Pace`."""
        self._call("PUT", "/_millrace/bedrock", pace)

    def order_job(self, data_source_id: str, outcome: str = "COMPLETE", **order: Any) -> None:
        """Order how the next ingestion jobs of a data source go: they end with this outcome, COMPLETE, FAILED or
        STOPPED. `order` is the rest of a `bedrock.orders.Order`: `count` (1), `seconds`, `hold`, `reason`."""
        self._call("PUT", "/_millrace/bedrock/orders", {"data_source_id": data_source_id, "outcome": outcome, **order})

    def job_orders(self) -> list[dict[str, Any]]:
        """The orders that no ingestion job has taken yet."""
        return self._call("GET", "/_millrace/bedrock/orders")

    def forget_job_orders(self) -> None:
        self._call("DELETE", "/_millrace/bedrock/orders")

    def release_jobs(self, data_source_id: str) -> int:
        """Let the data source's held ingestion jobs go on; how many there were."""
        return self._call("POST", "/_millrace/bedrock/releases", {"dataSourceId": data_source_id})

    def jobs(self, data_source_id: str, *, covered: bool = False) -> list[dict[str, Any]]:
        """The data source's ingestion jobs, the oldest first: `[{"id", "status", "outcome", "token", "description",
        "started", "due", "ended", "held", "scanned", "statistics", "reasons", ...}]`, times in seconds since the epoch.
        With `covered` also the objects that each one's scan saw: `[{"key", "etag", "version_id"}]`."""
        return self._call("POST", "/_millrace/bedrock/jobs", {"dataSourceId": data_source_id, "covered": covered})

    @property
    def log(self) -> Path:
        return self.folder / LOG

    def environment(self) -> dict[str, str]:
        """What any AWS SDK or tool needs in its environment to talk to this instance and to nothing else."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": ROOT_KEY,
            "AWS_SECRET_ACCESS_KEY": ROOT_KEY,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_REGION": self.region,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def client(self, service: str, *, role: str | None = None, **settings: Any) -> Any:
        """A boto3 client, as root or as the role of that ARN; `settings` go into its botocore Config.

        Nothing is retried unless the settings say so: a test should see the first answer.
        """
        defaults = {
            "retries": {"total_max_attempts": 1, "mode": "standard"},
            "inject_host_prefix": False,
            "max_pool_connections": 64,
            "proxies": {},
            "s3": {"addressing_style": "path"},
        }
        keys = {"aws_access_key_id": ROOT_KEY, "aws_secret_access_key": ROOT_KEY}
        if role is not None:
            assumed = self.client("sts").assume_role(RoleArn=role, RoleSessionName="millrace")["Credentials"]
            keys = {
                "aws_access_key_id": assumed["AccessKeyId"],
                "aws_secret_access_key": assumed["SecretAccessKey"],
                "aws_session_token": assumed["SessionToken"],
            }
        config = Config(**{**defaults, **settings})
        with _making_clients:
            return session.of_our_own(self.region, **keys).client(service, endpoint_url=self.url, config=config)

    def _call(self, method: str, path: str, body: Any = None, *, seconds: float = 30) -> Any:
        request = urllib.request.Request(
            self.url + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"content-type": "application/json"},
        )
        try:
            with _opener.open(request, timeout=seconds) as answer:
                return json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            raise InstanceError(f"{method} {path}: {error.read().decode(errors='replace')}") from error
        except (OSError, http.client.HTTPException) as error:
            raise InstanceError(f"the embedded AWS at {self.url} does not answer: {error}") from error


# Servers that this very process started: it has to collect them when they end, or they stay as zombies.
_children: dict[int, subprocess.Popen[bytes]] = {}
_making_clients = threading.Lock()
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def _environment_of_server(folder: Path) -> dict[str, str]:
    kept = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
    return {**kept, "TMPDIR": str(folder / "tmp"), "PYTHONUNBUFFERED": "1"}


def _not_started(folder: Path, how: str) -> InstanceError:
    return InstanceError(f"the embedded AWS of {folder} {how}; its log says:\n{_tail(folder / LOG)}")


def _tail(log: Path, lines: int = 20) -> str:
    with contextlib.suppress(OSError):
        return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])
    return "(there is no log)"
