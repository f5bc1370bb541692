"""A bundle folder that appears complete or not at all."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..bundle import is_bundle
from ..shared.errors import EngineError
from ..shared.files import owned, sweep


@contextmanager
def staged_bundle(output: Path, replace: bool = False, add: bool = False) -> Iterator[Path]:
    """A temporary folder beside `output` that takes its name when the block ends without an exception.

    replace: an existing bundle of that name is exchanged; add: it is kept and what is written joins it.
    Raises EngineError when `output` is taken otherwise, or cannot be written.
    """
    existing = output.exists()
    if existing and not is_bundle(output):
        raise EngineError(f"{output} exists and is not a model bundle; choose another folder, which will be made.")
    if existing and not (replace or add):
        raise EngineError(
            f"The model bundle {output} exists; choose another folder, or --replace to exchange it, "
            "or --add to put this beside what it has."
        )
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        prefix = f".{output.name}."
        sweep(output.parent, prefix)
        stage = Path(tempfile.mkdtemp(prefix=owned(prefix), suffix=".importing", dir=output.parent))
    except OSError as error:
        raise EngineError(f"Cannot write to the folder {output.parent}; choose another output folder.") from error
    try:
        stage.chmod(0o755)
        if existing and add:
            shutil.copytree(output, stage, dirs_exist_ok=True)
        yield stage
        _exchange(stage, output)
    except OSError as error:
        raise EngineError(
            f"Cannot write the bundle {output} ({error.strerror or error}); free space or choose another folder."
        ) from error
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def _exchange(stage: Path, output: Path) -> None:
    """Give the staged folder its name; an older bundle comes back should that fail."""
    if not output.exists():
        stage.rename(output)
        return
    with tempfile.TemporaryDirectory(prefix=f".{output.name}.", suffix=".old", dir=output.parent) as aside:
        older = Path(aside) / output.name
        output.rename(older)
        try:
            stage.rename(output)
        except OSError:
            older.rename(output)
            raise
