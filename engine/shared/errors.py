"""The exceptions that callers of the engine handle."""


class EngineError(Exception):
    """A failure that the user can put right: the message is one clear sentence that names the fix."""


class NotWritable(EngineError):
    """An output cannot be written: the disk is full, or the place is not to be written to."""


class Cancelled(Exception):
    """Work was cancelled on request."""
