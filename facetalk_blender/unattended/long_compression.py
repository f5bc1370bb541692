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
SHORT_MATCHES_LOG = 22  # places that are remembered for shorter matches
# Numbers of vertices and edges recur singly, so matches of three bytes count, and which ones is worth a look ahead: a
# fifth smaller than by level 3's own search, for five times its seconds.
LEAST_SHORT_MATCH, SEARCH_LOG, TARGET_LENGTH = 3, 2, 16


def available() -> bool:
    """Whether this Python has what it needs."""
    return importlib.util.find_spec("zstandard") is not None


def compress(source: Path, target: Path) -> None:
    """Write the content of a file compressed. Raises OSError."""
    import zstandard

    parameters = zstandard.ZstdCompressionParameters.from_level(
        LEVEL,
        strategy=zstandard.STRATEGY_BTOPT,
        min_match=LEAST_SHORT_MATCH,
        search_log=SEARCH_LOG,
        target_length=TARGET_LENGTH,
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
