"""Holds one container's program: started by `millrace.local.ecs.process` as `python -I -S holder.py FD PROGRAM ...`.

It writes the program's pid to the file descriptor FD, passes orders on, ends what the program leaves behind when it
ends, and ends everything when the host is gone: then nobody has the other end of its stdin any more. It knows the
standard library only. Its exit code is the container's.
"""

import os
import signal
import subprocess
import sys
import threading

ORDERS = {b"stop": signal.SIGTERM, b"kill": signal.SIGKILL}


def obey(program):
    """SIGTERM goes to the program alone, as to a container's first process; SIGKILL to all that it started."""
    for line in sys.stdin.buffer:
        if ORDERS[line.strip()] is signal.SIGTERM:
            program.send_signal(signal.SIGTERM)
        else:
            end(program)
    end(program)


def end(program):
    try:
        os.killpg(program.pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def main():
    # The first process of a container has no default for SIGTERM: who does not handle it does not notice it.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    program = subprocess.Popen(sys.argv[2:], stdin=subprocess.DEVNULL, process_group=0)
    with os.fdopen(int(sys.argv[1]), "w") as told:
        told.write(str(program.pid))
    threading.Thread(target=obey, args=(program,), daemon=True).start()
    code = program.wait()
    end(program)
    os._exit(code if code >= 0 else 128 - code)


if __name__ == "__main__":
    main()
