"""What the tests of faults count, shown when they have ended; FACETALK_FAULTS=long asks for many more of each."""

import os

LONG = os.environ.get("FACETALK_FAULTS") == "long"
COUNTS: list[str] = []


def count(text: str) -> None:
    """Show a line of counts in the end."""
    COUNTS.append(text)


def amount(short: int, long: int) -> int:
    """How many of something are tried. FACETALK_FAULT_SHARE, e.g. 0.1, takes that share of a long run."""
    share = float(os.environ.get("FACETALK_FAULT_SHARE", "1"))
    return max(int(long * share), short) if LONG else short
