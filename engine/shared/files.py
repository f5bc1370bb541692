"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def replaced(path: str | Path) -> Iterator[Path]:
    """A path beside `path` to write a file to; when the block ends well it takes the place of `path` in one step.

    When the block raises, what was written goes and `path` stays as it was. Two writers at once do not disturb each
    other: the last one wins. Raises OSError when the folder cannot be written to.
    """
    path = Path(path)
    number, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    os.close(number)
    part = Path(name)
    try:
        yield part
        with suppress(OSError):  # not every file system has permissions
            part.chmod(_mode_of(path))
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _mode_of(path: Path) -> int:
    """Permissions of the file that is replaced, else those of any new file: temporary ones are private."""
    if path.is_file():
        return path.stat().st_mode & 0o777
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask
