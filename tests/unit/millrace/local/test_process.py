from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from millrace.local.process import Process, started

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]


@pytest.fixture
def child():
    process = subprocess.Popen(SLEEP, start_new_session=True)
    yield process
    process.kill()
    process.wait()


def test_a_living_process_is_alive():
    assert Process.current().alive
    assert Process.current() == Process.of(os.getpid())


def test_an_ended_process_is_not_alive_even_before_it_is_collected(child):
    process = Process.of(child.pid)
    process.signal(signal.SIGKILL)
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert not process.alive
    with pytest.raises(ProcessLookupError):
        Process.of(child.pid)


def test_another_process_of_the_same_pid_is_not_signalled(child):
    Process(child.pid, "another time").signal(signal.SIGKILL)
    Process(child.pid, "another time").kill_group()
    assert child.poll() is None


def test_a_group_ends_with_its_leader():
    leader = subprocess.Popen(
        [
            sys.executable,
            "-c",
            f"import subprocess, time; print(subprocess.Popen({SLEEP!r}).pid, flush=True); time.sleep(60)",
        ],
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert leader.stdout is not None
    member = Process.of(int(leader.stdout.readline()))
    Process.of(leader.pid).kill_group()
    leader.wait(5)
    leader.stdout.close()
    for _ in range(500):
        if not member.alive:
            break
        signal.sigtimedwait([], 0.01)
    assert not member.alive


def test_a_process_that_never_was_has_no_start():
    assert started(2**22 + 1) is None
