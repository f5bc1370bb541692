"""The command: chooses the kind of run, and turns every ending into an exit code."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from ...engine.shared.errors import EngineError
from ..generation.session import session
from ..outputs.frames import cache_folder
from . import arguments, output_files, person_library, scene_run, table_run
from .outcome import BAD_INPUT, INTERRUPTED, NOT_WRITABLE, OK, BatchError, leave
from .sound_run import SoundRun


def main(words: list[str] | None = None, enable: Callable[[], None] | None = None) -> int:
    """Run the job and return its exit code.

    words: of the command line; None takes what follows `--` on it. enable: registers the extension where Blender has
    not done so.
    """
    if words is None:
        words = sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else sys.argv[1:]
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _interrupt)
    try:
        if words[:1] == [table_run.WORD]:
            return table_run.run(words[1:], installed=enable is None)
        if words[:1] == [person_library.WORD]:
            person_library.run(words[1:])
        elif "--scene-settings" in words:
            scene_run.run(words, enable)
        else:
            options = arguments.parse(words)
            output_files.check(options)
            SoundRun(options).run()
    except BatchError as error:
        print(f"Error: {error}", file=sys.stderr)
        return error.code
    except EngineError as error:
        print(f"Error: {error}", file=sys.stderr)
        return BAD_INPUT
    except OSError as error:
        print(f"Error: {output_files.not_written(Path(error.filename or 'the outputs'), error)}", file=sys.stderr)
        return NOT_WRITABLE
    except SystemExit as leaving:  # --help
        return leaving.code or OK
    finally:
        session.stop_engine()
    return OK


def _interrupt(_number: int, _frame: object) -> None:
    # No exception: one raised while Blender renders would be printed and swallowed by its handlers. Nor anything that
    # takes a lock, as a print does: the signal may have come while the same thread holds it, and would wait for ever.
    if output_files.placing:  # a moment before the end
        return
    try:
        session.stop_engine()
        output_files.remove_parts()
        cache_folder.remove_unfinished()
        os.write(sys.__stderr__.fileno(), b"Interrupted; nothing was left behind.\n")
    finally:
        leave(INTERRUPTED)
