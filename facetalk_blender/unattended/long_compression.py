"""A .blend file compressed as a whole, so that what its frames have in common is stored once.

Blender compresses a megabyte at a time, in which nothing comes twice. It opens both: a .blend may be any Zstandard
stream. `zstandard` comes with Blender.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

LEVEL = 3
WINDOW_LOG = 27  # 128 MB: the most that readers take without being asked
LEAST_MATCH = 16  # bytes
MATCHES_SOUGHT_LOG = 4  # at every 16th byte
SHORT_MATCHES_LOG = 22  # places that are remembered for shorter matches: about those of a frame


def available() -> bool:
    """Whether this Python has what it needs."""
    return importlib.util.find_spec("zstandard") is not None


def compress(source: Path, target: Path) -> None:
    """Write the content of a file compressed. Raises OSError."""
    import zstandard

    parameters = zstandard.ZstdCompressionParameters.from_level(
        LEVEL,
        window_log=WINDOW_LOG,
        hash_log=SHORT_MATCHES_LOG,
        chain_log=SHORT_MATCHES_LOG,
        enable_ldm=True,
        ldm_min_match=LEAST_MATCH,
        ldm_hash_rate_log=MATCHES_SOUGHT_LOG,
        ldm_hash_log=23,
    )
    with source.open("rb") as whole, target.open("wb") as packed:
        zstandard.ZstdCompressor(compression_params=parameters).copy_stream(whole, packed)
