"""Files that appear whole or not at all, and the temporary ones that are swept when their process was killed."""

from __future__ import annotations

import hashlib
import os
import platform
import re
import secrets
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path


def _system() -> str:
    """What tells this computer, or container, from others whose processes have the same numbers."""
    numbers = Path("/proc/self/ns/pid")
    name = platform.node() + (str(numbers.readlink()) if numbers.is_symlink() else "")
    return hashlib.sha256(name.encode()).hexdigest()[:8]


if sys.platform == "win32":
    import msvcrt

    def _lock(number: int) -> None:
        msvcrt.locking(number, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(number: int) -> None:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)


_HOST = _system()
_DEVICES = re.compile("con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\\$|conout\\$", re.IGNORECASE)


@contextmanager
def replaced(path: str | Path) -> Iterator[Path]:
    """A path beside `path` to write a file to; when the block ends well it takes the place of `path` in one step.

    When the block raises, what was written goes and `path` stays as it was. Two writers at once do not disturb each
    other: the last one wins. What killed processes have left beside it goes too. Raises OSError when the folder cannot
    be written to.
    """
    path = Path(path)
    _sweep_once(path.parent)
    part = path.with_name(f"{owned(f'.{path.name}.')}{secrets.token_hex(4)}.part")
    part.touch(exist_ok=False)
    # Some writers make private files; the result has the permissions of the file before, or of any new file.
    mode = (path if path.is_file() else part).stat().st_mode & 0o777
    try:
        yield part
        with suppress(OSError):  # not every file system has permissions
            part.chmod(mode)
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Keep other processes, and other blocks of this one, out of a block; the lock ends with the process.

    Raises BlockingIOError at once when another has the lock.
    """
    with path.open("ab") as file:
        try:
            _lock(file.fileno())
        except OSError as error:
            raise BlockingIOError(error.errno, "another process has the lock", str(path)) from error
        yield


def reserved_name(name: str) -> bool:
    """Whether Windows takes a file's name, with any ending, for a device."""
    return bool(_DEVICES.fullmatch(name.partition(".")[0].strip()))


def owned(prefix: str) -> str:
    """The beginning of a temporary name that says which process it belongs to, see `sweep`."""
    return f"{prefix}{_HOST}-{os.getpid()}-"


def sweep(folder: Path, prefix: str = ".") -> None:
    """Remove temporary files and folders, named by `owned`, of processes of this computer that are gone."""
    pattern = re.compile(rf"{re.escape(prefix)}.*{_HOST}-(\d{{1,10}})-\w+(\.\w+)?")
    try:
        matches = [(path, pattern.fullmatch(path.name)) for path in folder.iterdir()]
    except OSError:
        return
    left = [path for path, match in matches if match and _gone(int(match[1]))]
    for path in left:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            with suppress(OSError):
                path.unlink()


@lru_cache(64)
def _sweep_once(folder: Path) -> None:
    sweep(folder)


def _gone(process: int) -> bool:
    if os.name == "nt":  # there, signal 0 is none that only asks
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        return False
    return False
