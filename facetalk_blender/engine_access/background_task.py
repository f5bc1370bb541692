"""Work that takes long and needs no Blender data: a thread that runs programs, asked for its progress from outside."""

from __future__ import annotations

import atexit
import subprocess
import tempfile
import threading
import traceback
from collections.abc import Callable
from pathlib import Path

from ...engine.shared.errors import Cancelled, EngineError

POLL_SECONDS = 0.1


class BackgroundTask:
    """`text` and `fraction` (0..1) say how it goes; `error` is set when it failed. Never touches bpy.

    Subclasses do their work in `work`, which runs in the thread.
    """

    def __init__(self):
        self.text = ""
        self.fraction = 0.0
        self.error = ""
        self.cancelled = False
        self._cancelling = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin."""
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        atexit.register(self._end_with_blender)

    @property
    def running(self) -> bool:
        """Whether it has not ended yet."""
        return self._thread is not None and self._thread.is_alive()

    def wait(self) -> None:
        """Block until it has ended. For background mode."""
        self._thread.join()

    def cancel(self) -> None:
        """End it: a program that runs is killed, which takes a moment."""
        self._cancelling.set()

    def work(self) -> None:
        """What the task does. Raises EngineError with one sentence that names the fix."""
        raise NotImplementedError

    def run_program(
        self,
        command: list[str],
        environment: dict[str, str],
        folder: Path,
        on_poll: Callable[[], None] = lambda: None,
    ) -> subprocess.CompletedProcess:
        """Run a program to its end. folder: its working directory, in which nobody else puts files.

        Raises Cancelled when the task is, OSError when the program cannot be started.
        """
        with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
            process = subprocess.Popen(
                command, env=environment, cwd=folder, stdin=subprocess.DEVNULL, stdout=output, stderr=errors
            )
            try:
                while process.poll() is None:
                    if self._cancelling.wait(POLL_SECONDS):
                        raise Cancelled
                    on_poll()
            finally:
                process.kill()
                process.wait()
            texts = []
            for file in (output, errors):
                file.seek(0)
                texts.append(file.read().decode("utf-8", "replace"))
            return subprocess.CompletedProcess(command, process.returncode, *texts)

    def check_cancelled(self) -> None:
        """Raises Cancelled when the task was."""
        if self._cancelling.is_set():
            raise Cancelled

    def _end_with_blender(self) -> None:
        self.cancel()
        self.wait()

    def _run(self) -> None:
        try:
            self.work()
            self.fraction = 1.0
        except Cancelled:
            self.cancelled = True
        except EngineError as error:
            self.error = str(error)
        except OSError as error:
            self.error = f"{error.strerror or error} ({error.filename}); correct that and try again."
        except Exception as error:  # a thread that ends must say how
            traceback.print_exc()
            self.error = f"It failed unexpectedly ({error}); see the system console for details."
        atexit.unregister(self._end_with_blender)
