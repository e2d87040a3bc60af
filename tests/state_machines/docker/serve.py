"""The embedded AWS on one port of every interface, as a container needs it: `python serve.py FOLDER PORT`.

Its engine reads mocked answers from the file that SFN_MOCK_CONFIG names, as Step Functions Local does.
"""

from __future__ import annotations

import socket
import sys
from pathlib import Path

from millrace.local import anchors, server
from millrace.local.options import Options


def listen_everywhere(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    listener.bind(("0.0.0.0", port))
    return listener


def main(folder: Path, port: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    Options(enforce_iam=False).write(folder)
    anchors.patch(server, "listen", lambda _: lambda: listen_everywhere(port), 'listener.bind(("127.0.0.1", 0))')
    server.main(folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
