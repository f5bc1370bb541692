"""The styles of hair and beard: lengths, how they are combed, how they clump and curl. Lengths are metres."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Style:
    """How the hair of a head is cut and combed.

    count: strands at full density; points: of each; width: radius at the root.
    top, sides, back: lengths by place; fringe: that of the front, None is that of the top.
    comb: "forward", "parted", "down", "out" or "bun"; part: x of the parting.
    lift: how far roots stand up, 0..1; layer: how thick the hair lies; gravity: how soon it falls, 0..1.
    clump: how much strands gather, 0..1; wave: amplitude of flat waves and their number a metre; curl: the same of
    spirals; frizz: how far strands wander; flyaways: share of strands that leave the others; jitter: how far each one
    leaves the comb; varied: how far lengths differ; tip: its radius, of the root's.
    cover: how far the scalp below has the hair's colour, 0..1.
    """

    count: int
    points: int
    top: float
    sides: float
    back: float
    fringe: float | None = None
    width: float = 0.00012
    comb: str = "down"
    part: float = 0.0
    lift: float = 0.3
    layer: float = 0.008
    gravity: float = 0.3
    clump: float = 0.5
    wave: tuple[float, float] = (0.0, 0.0)
    curl: tuple[float, float] = (0.0, 0.0)
    frizz: float = 0.0015
    flyaways: float = 0.03
    jitter: float = 0.22
    varied: float = 0.2
    tip: float = 0.3
    cover: float = 0.85


STYLES: dict[str, Style] = {
    "shaved": Style(15000, 2, 0.0015, 0.0012, 0.0012, width=0.00006, comb="forward", lift=0.6, layer=0.0, clump=0.0,
                    frizz=0.0, flyaways=0.0, cover=0.35),
    "buzz": Style(17000, 3, 0.007, 0.0045, 0.0045, width=0.00007, comb="forward", lift=0.55, layer=0.001, clump=0.0,
                  frizz=0.0006, flyaways=0.0, cover=0.6),
    "crew": Style(25000, 4, 0.022, 0.012, 0.012, fringe=0.026, comb="forward", lift=0.6, layer=0.004, gravity=0.05,
                  clump=0.3, frizz=0.0022, jitter=0.35, cover=1.0),
    "short": Style(21000, 6, 0.048, 0.028, 0.032, fringe=0.045, comb="forward", lift=0.45, layer=0.01, gravity=0.2,
                   clump=0.4, wave=(0.0016, 30.0), frizz=0.004, jitter=0.4, cover=1.0),
    "side_part": Style(21000, 7, 0.075, 0.03, 0.032, fringe=0.08, comb="parted", part=0.03, lift=0.4, layer=0.014,
                       gravity=0.2, clump=0.45, wave=(0.0015, 22.0), frizz=0.003, jitter=0.28),
    "bob": Style(16000, 10, 0.235, 0.15, 0.14, comb="parted", part=0.012, lift=0.3, layer=0.016, gravity=0.5, clump=0.5,
                 frizz=0.002, varied=0.07),
    "long_straight": Style(15000, 12, 0.37, 0.30, 0.27, comb="parted", lift=0.25, layer=0.014, gravity=0.55, clump=0.6,
                           wave=(0.002, 9.0), frizz=0.003, varied=0.12),
    "long_wavy": Style(15000, 18, 0.36, 0.30, 0.27, comb="parted", part=0.02, lift=0.26, layer=0.022, gravity=0.5,
                       clump=0.7, wave=(0.008, 15.0), frizz=0.005, varied=0.15),
    "curly": Style(13000, 20, 0.075, 0.075, 0.085, comb="out", lift=0.55, layer=0.02, gravity=1.3, clump=0.8,
                   curl=(0.005, 62.0), frizz=0.004, varied=0.25, flyaways=0.04),
    "afro": Style(15000, 16, 0.052, 0.046, 0.046, comb="out", lift=1.0, layer=0.0, gravity=0.0, clump=0.45,
                  curl=(0.0028, 170.0), frizz=0.006, varied=0.18, flyaways=0.05),
    "bun": Style(15000, 9, 0.2, 0.2, 0.18, comb="bun", lift=0.12, layer=0.006, gravity=0.0, clump=0.4, frizz=0.0016,
                 varied=0.04, flyaways=0.025),
}  # fmt: skip
BALD = "bald"


@dataclass(frozen=True)
class Beard:
    """How a beard is cut: count, length and points of strands by the places where they grow.

    parts: mask, strands and length of each; frizz and droop: how far strands wander and hang.
    """

    parts: tuple[tuple[str, int, float], ...]
    points: int
    width: float = 0.00008
    frizz: float = 0.002
    droop: float = 0.5


BEARDS: dict[str, Beard] = {
    "stubble": Beard((("beard", 8000, 0.0014), ("moustache", 1300, 0.0014), ("goatee", 1500, 0.0014)), 2,
                     width=0.000055, frizz=0.0, droop=0.3),
    "moustache": Beard((("moustache", 2200, 0.011),), 4, frizz=0.001, droop=0.7),
    "goatee": Beard((("goatee", 3000, 0.013), ("moustache", 1900, 0.009)), 4, frizz=0.0014),
    "full": Beard((("beard", 8500, 0.021), ("moustache", 2200, 0.013), ("goatee", 2500, 0.026)), 6, frizz=0.0032),
}  # fmt: skip
NO_BEARD = "none"
