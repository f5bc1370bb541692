"""One job: a sequence or a take, with the files that it makes."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex

from engine.shared.files import owned, sweep


@dataclass(frozen=True)
class Job:
    """Attributes:
    name: for people, unique among the jobs of a run.
    outputs: files or folders that the job makes, each whole or not at all.
    inputs: files that it reads; a job whose outputs are older than one of them runs again.
    settings: JSON values that its function understands.
    """

    name: str
    outputs: tuple[Path, ...]
    inputs: tuple[Path, ...] = ()
    settings: dict = field(default_factory=dict)

    @property
    def finished(self) -> bool:
        """Whether all outputs are there and none is older than an input."""
        if not all(path.exists() for path in self.outputs):
            return False
        made = min(path.stat().st_mtime_ns for path in self.outputs)
        return all(path.stat().st_mtime_ns <= made for path in self.inputs if path.exists())


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """A folder beside `path` to fill; when the block ends well it takes the place of `path`, which it replaces.

    When the block raises, or its process is killed, `path` stays as it was. Of two writers the last one wins.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    sweep(path.parent)
    part = path.with_name(f"{owned(f'.{path.name}.')}{token_hex(4)}.part")
    part.mkdir()
    try:
        yield part
        if path.exists():
            old = path.with_name(f"{owned(f'.{path.name}.')}{token_hex(4)}.old")
            path.rename(old)
            part.rename(path)
            shutil.rmtree(old, ignore_errors=True)
        else:
            part.rename(path)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
