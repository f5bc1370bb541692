"""What the engine has sent of a result, kept on disk: an undo that takes the result away need not take the work."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import BinaryIO

from ...engine.shared.errors import EngineError
from ...engine.shared.protocol import Message, ProtocolError, read_message, write_message


class Spool:
    """Messages in the order in which they came, in a file without a name. Another thread writes them."""

    def __init__(self):
        self._worker: ThreadPoolExecutor | None = None
        self._file: BinaryIO | None = None
        self._writing: list[Future] = []

    def keep(self, message: Message) -> None:
        """Add a message."""
        if self._worker is None:
            self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="facetalk-spool")
        self._writing.append(self._worker.submit(self._write, message))

    def whole(self) -> bool:
        """Whether all that was added is there; a full disk takes some."""
        return all(written.exception() is None for written in self._writing)

    def messages(self) -> Iterator[Message]:
        """All that was added. Raises EngineError when it cannot be read again."""
        if not self._writing or self._file is None:
            return
        try:
            self._file.seek(0)
            for _ in self._writing:
                yield read_message(self._file)
            self._file.seek(0, 2)
        except (OSError, ProtocolError) as error:
            raise EngineError(f"The finished frames cannot be read again ({error}); generate again.") from error

    def clear(self) -> None:
        """Forget everything."""
        if self._worker is not None:
            self._worker.shutdown(wait=True, cancel_futures=True)
        if self._file is not None:
            with suppress(OSError):  # a full disk: what could not be written is not wanted any more
                self._file.close()
        self._worker, self._file, self._writing = None, None, []

    def _write(self, message: Message) -> None:
        if self._file is None:
            self._file = tempfile.TemporaryFile(prefix="facetalk-")
        self._file.seek(0, 2)
        write_message(self._file, message)
