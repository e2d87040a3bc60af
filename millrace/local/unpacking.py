"""Zip files, unpacked once for all who use them."""

from __future__ import annotations

import hashlib
import io
import shutil
import tempfile
import threading
import zipfile
from collections.abc import Sequence
from pathlib import Path

_unpacking = threading.Lock()


def unpack(folder: Path, kind: str, archives: Sequence[bytes]) -> Path:
    """Unpack the archives over each other, in order, as AWS does with layers; the same archives only once."""
    digest = hashlib.sha256(b"".join(hashlib.sha256(archive).digest() for archive in archives)).hexdigest()
    target = folder / f"{kind}-{digest[:16]}"
    with _unpacking:
        if not target.exists():
            partial = Path(tempfile.mkdtemp(prefix="unpacking-", dir=folder))
            for archive in archives:
                with zipfile.ZipFile(io.BytesIO(archive)) as opened:
                    opened.extractall(partial)
            try:
                partial.rename(target)
            except OSError:  # another process was faster
                shutil.rmtree(partial)
                if not target.exists():
                    raise
    return target
