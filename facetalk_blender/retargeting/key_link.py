"""A row of the table: which shape key follows which channel."""

from __future__ import annotations

from dataclasses import dataclass

LARGEST_GAIN = 10.0


@dataclass(frozen=True)
class KeyLink:
    """A shape key that follows a channel, times `gain`."""

    key: str
    channel: str
    gain: float = 1.0
