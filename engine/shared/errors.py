"""The exceptions that callers of the engine handle."""


class EngineError(Exception):
    """A failure that the user can put right: the message is one clear sentence that names the fix."""


class NotWritable(EngineError):
    """An output cannot be written: the disk is full, or the place is not to be written to."""


class UnreadableSound(EngineError):
    """A sound file that the engine cannot read as its player hears it; who can decode it may send its samples."""


class Cancelled(Exception):
    """Work was cancelled on request."""
