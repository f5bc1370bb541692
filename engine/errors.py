"""The one exception that the engine shows to people."""


class EngineError(Exception):
    """A failure that the user can mend: the message is one clear sentence that names the fix."""
