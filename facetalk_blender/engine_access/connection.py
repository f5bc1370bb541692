"""One engine process and the threads that read and write its pipes, so that nothing it does or leaves undone blocks.

The reader drops signs of life and what was cancelled; the writer takes requests of any size off the main thread.
No bpy here.
"""

from __future__ import annotations

import os
import queue
import re
import signal
import subprocess
import threading
import time
from collections import deque
from contextlib import suppress
from pathlib import Path

from ...engine.shared.protocol import ALIVE, FINAL_KINDS, Message, encoded, read_message

# The reader stops taking frames while this many wait, so a slow consumer slows the engine instead of filling memory.
QUEUED_MESSAGES = 16
CHUNK_BYTES = 1 << 20
TAKE = "take"  # the answer for which all networks of a bundle had to be loaded
# How long a process may be stopped, silent in the middle of a message, or silent between two: it sends a sign of life
# every second, but loading libraries from a slow disk can hold that up.
STOPPED_SECONDS, HALF_MESSAGE_SECONDS, SILENT_SECONDS, STARTING_SECONDS = 3.0, 3.0, 60.0, 300.0
LONGEST_STEP = 0.5  # counted between two looks: while Blender itself was asleep, so was the engine
EXIT_SECONDS = 1.0
UNRESPONSIVE = "The engine does not respond"
TELLING_LINE = re.compile(r"[\w.]*(Error|Exception|Interrupt)\b|Fatal Python error|The engine ")


class Connection:
    """A process that was started.

    death: why it has ended, once all that it had sent was received; "" until then. warm: whether it has sent a take,
    for which its networks had to be loaded.
    """

    def __init__(self, command: list[str], folder: Path, environment: dict[str, str]):
        """Raises OSError when the program cannot be started."""
        self.death = ""
        self.warm = False
        self._started_at = time.monotonic()
        self.process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self._pipe = _Pipe(self.process.stdout)
        self._received: queue.Queue[Message] = queue.Queue(QUEUED_MESSAGES)
        self._outgoing: queue.SimpleQueue[list[bytes]] = queue.SimpleQueue()
        self._unwanted: set[int] = set()
        self._lines: deque[str] = deque(maxlen=40)
        self._reason = ""
        self._stopping = False
        self._silence = _Silence(self.process.pid, self._pipe)
        self._error_reader = threading.Thread(target=self._read_errors, daemon=True)
        self._error_reader.start()
        for work in (self._read, self._write):
            threading.Thread(target=work, daemon=True).start()

    @property
    def alive(self) -> bool:
        """Whether the process runs and is heard."""
        return not self.death and self.process.poll() is None

    @property
    def silent_seconds(self) -> float:
        """How long nothing has been heard of the process while it was waited for."""
        return self._silence.seconds

    @property
    def age(self) -> float:
        """Seconds since the process was started."""
        return time.monotonic() - self._started_at

    @property
    def heard_at(self) -> float:
        """When something was heard last, on the clock of time.monotonic."""
        return self._pipe.heard_at

    def send(self, message: Message) -> None:
        """Have a message written. Raises ProtocolError for one that the protocol does not carry."""
        self._outgoing.put(encoded(message))

    def drop(self, request: int) -> None:
        """From now on all messages of a request but the last are dropped."""
        self._unwanted.add(request)

    def next(self, seconds: float) -> Message | None:
        """The next message, waiting at most so long; None when there is none."""
        try:
            return self._received.get(timeout=seconds) if seconds else self._received.get_nowait()
        except queue.Empty:
            return None

    def watch(self) -> None:
        """End the process if it is overdue: to be called again and again while a message is waited for."""
        overdue = self._silence.overdue()
        if overdue:
            self._end_for(f"{UNRESPONSIVE}: {overdue}")
        if self.process.poll() is not None and self.silent_seconds > EXIT_SECONDS and not self.death:
            # Something that it had started holds its pipe open, so that the reader waits on.
            self.death = self._death_message(self.process.returncode)

    def end(self) -> None:
        """End the process now and forget what it has not delivered.

        Waits for no lock: a signal's handler may call this while the same thread holds one.
        """
        self._stopping = True
        self.process.kill()
        with suppress(subprocess.TimeoutExpired):  # without a timeout it would wait for a lock
            self.process.wait(EXIT_SECONDS)

    def _end_for(self, reason: str) -> None:
        self._reason = self._reason or reason
        self.process.kill()

    def _write(self) -> None:
        stream = self.process.stdin
        while not self._stopping:
            try:
                for part in self._outgoing.get(timeout=LONGEST_STEP):
                    stream.write(part)
                stream.flush()
            except queue.Empty:
                if self.death:
                    return
            except (OSError, ValueError):  # it has closed its input: nothing can be asked any more
                self._end_after_exit()
                return

    def _read(self) -> None:
        try:
            while (message := read_message(self._pipe)) is not None:
                self._pipe.inside = False
                self.warm = self.warm or message.kind == TAKE
                if message.kind != ALIVE:
                    self._take(message)
                if self._stopping:
                    return
        except Exception as error:  # whatever it sends, Blender must hear that it was unusable
            self._reason = self._reason or f"what it sent cannot be read ({type(error).__name__}: {error})"
            self.process.kill()
        if not self._stopping:
            self._end_after_exit()
            self.death = self._death_message(self.process.returncode)

    def _take(self, message: Message) -> None:
        final = message.kind in FINAL_KINDS
        while not self._stopping and (final or message.request not in self._unwanted):
            try:
                self._received.put(message, timeout=0.1)
                return
            except queue.Full:
                continue

    def _end_after_exit(self) -> None:
        """Wait for the exit code of a process that ends, and end one that does not."""
        try:
            self.process.wait(EXIT_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def _read_errors(self) -> None:
        for line in self.process.stderr:
            self._lines.append(line[:1000].decode("utf-8", "replace").rstrip())

    def _death_message(self, exit_code: int) -> str:
        if self._reason.startswith(UNRESPONSIVE):
            return f"{self._reason}; it was ended, so start the job again."
        self._error_reader.join(timeout=EXIT_SECONDS)
        detail = self._reason or next((line for line in reversed(self._lines) if TELLING_LINE.match(line)), "")
        if detail.startswith(("ModuleNotFoundError", "ImportError")):
            return f"The engine's packages do not load ({detail}); install the engine runtime in the preferences."
        text = f"The engine process ended unexpectedly ({_manner(exit_code)})"
        if detail:
            text += f": {detail.rstrip('.')}"
        return f"{text}; start the job again, at a lower resolution if memory ran out."


class _Pipe:
    """What the process sends. inside: in the middle of a message; heard_at: when something came last."""

    def __init__(self, stream):
        self._stream = stream
        self.inside = False
        self.started = False
        self.heard_at = time.monotonic()

    def read(self, count: int) -> bytes:
        """So many bytes, or fewer at the end; memory is taken as they come, whatever a message claims."""
        parts = []
        while count and (part := self._stream.read1(min(count, CHUNK_BYTES))):
            self.heard_at, self.inside, self.started = time.monotonic(), True, True
            parts.append(part)
            count -= len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)


class _Silence:
    """Counts how long a process was not heard while somebody waited for it."""

    def __init__(self, process: int, pipe: _Pipe):
        self._process, self._pipe = process, pipe
        self.seconds = self._stopped = 0.0
        self._looked_at = self._heard_at = time.monotonic()

    def overdue(self) -> str:
        """What is wrong with the process; "" while it may be waited for."""
        now, pipe = time.monotonic(), self._pipe
        step, self._looked_at = min(now - self._looked_at, LONGEST_STEP), now
        if pipe.heard_at != self._heard_at:
            self._heard_at, self.seconds = pipe.heard_at, 0.0
        self.seconds += step
        self._stopped = self._stopped + step if _is_stopped(self._process) else 0.0
        if self._stopped > STOPPED_SECONDS:
            return "its process was stopped"
        between = SILENT_SECONDS if pipe.started else STARTING_SECONDS
        limit = HALF_MESSAGE_SECONDS if pipe.inside else between
        return f"it was silent for {limit:.0f} s" if self.seconds > limit else ""


def _is_stopped(process: int) -> bool:
    if not hasattr(os, "waitid"):
        return False
    try:
        return os.waitid(os.P_PID, process, os.WSTOPPED | os.WNOHANG | os.WNOWAIT) is not None
    except OSError:  # it has ended
        return False


def _manner(exit_code: int) -> str:
    if exit_code >= 0:
        return f"exit code {exit_code}"
    try:
        return f"killed by {signal.Signals(-exit_code).name}"
    except ValueError:
        return f"killed by signal {-exit_code}"
