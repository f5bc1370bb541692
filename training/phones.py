"""One phone inventory for every corpus: ARPABET without stress plus silence, with articulatory features.

Labels of other English sets (stress digits, lower case, MFA's `sp` and `spn`) map to the nearest phone of the
inventory; other languages have tables in `data.phone_sets`, so that one classifier and one articulation prior serve
them all.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from engine.shared.errors import EngineError

SILENCE = "sil"


@dataclass(frozen=True)
class Phone:
    """A speech sound as the lips and the jaw see it.

    manner: "silence", "vowel", "stop", "nasal", "fricative", "sibilant", "approximant" or "aspirate".
    place: where the sound is made, e.g. "bilabial", "labiodental", "alveolar", "postalveolar", "velar".
    opening: 0 (jaw up) to 1 (jaw of an open vowel).
    rounding, spreading: 0 to 1, lips forward and corners apart.
    glide: for a diphthong, the phone at which its movement ends.
    """

    symbol: str
    manner: str
    place: str
    opening: float = 0.0
    rounding: float = 0.0
    spreading: float = 0.0
    glide: str | None = None


_TABLE = (
    Phone(SILENCE, "silence", "none"),
    Phone("AA", "vowel", "back", 1.00),
    Phone("AE", "vowel", "front", 0.84, spreading=0.40),
    Phone("AH", "vowel", "central", 0.62),
    Phone("AO", "vowel", "back", 0.75, rounding=0.55),
    Phone("AW", "vowel", "back", 1.00, glide="UW"),
    Phone("AY", "vowel", "back", 1.00, spreading=0.10, glide="IY"),
    Phone("EH", "vowel", "front", 0.68, spreading=0.25),
    Phone("ER", "vowel", "central", 0.42, rounding=0.40),
    Phone("EY", "vowel", "front", 0.82, spreading=0.35, glide="IY"),
    Phone("IH", "vowel", "front", 0.45, spreading=0.30),
    Phone("IY", "vowel", "front", 0.28, spreading=0.65),
    Phone("OW", "vowel", "back", 0.65, rounding=0.65, glide="UW"),
    Phone("OY", "vowel", "back", 0.80, rounding=0.60, glide="IY"),
    Phone("UH", "vowel", "back", 0.42, rounding=0.50),
    Phone("UW", "vowel", "back", 0.24, rounding=0.95),
    Phone("B", "stop", "bilabial", 0.12),
    Phone("P", "stop", "bilabial", 0.12),
    Phone("M", "nasal", "bilabial", 0.12),
    Phone("F", "fricative", "labiodental", 0.16),
    Phone("V", "fricative", "labiodental", 0.16),
    Phone("DH", "fricative", "dental", 0.24),
    Phone("TH", "fricative", "dental", 0.24),
    Phone("D", "stop", "alveolar", 0.18),
    Phone("T", "stop", "alveolar", 0.16),
    Phone("N", "nasal", "alveolar", 0.20),
    Phone("L", "approximant", "alveolar", 0.36),
    Phone("S", "sibilant", "alveolar", 0.07, spreading=0.20),
    Phone("Z", "sibilant", "alveolar", 0.08, spreading=0.20),
    Phone("CH", "sibilant", "postalveolar", 0.10, rounding=0.55),
    Phone("JH", "sibilant", "postalveolar", 0.10, rounding=0.55),
    Phone("SH", "sibilant", "postalveolar", 0.10, rounding=0.60),
    Phone("ZH", "sibilant", "postalveolar", 0.10, rounding=0.60),
    Phone("R", "approximant", "postalveolar", 0.14, rounding=0.45),
    Phone("Y", "approximant", "palatal", 0.22, spreading=0.45),
    Phone("W", "approximant", "labial-velar", 0.05, rounding=1.00),
    Phone("G", "stop", "velar", 0.40),
    Phone("K", "stop", "velar", 0.42),
    Phone("NG", "nasal", "velar", 0.34),
    Phone("HH", "aspirate", "glottal", 0.42),
)
PHONES: dict[str, Phone] = {phone.symbol: phone for phone in _TABLE}
PHONE_INDEX: dict[str, int] = {phone.symbol: index for index, phone in enumerate(_TABLE)}
BILABIALS = frozenset(phone.symbol for phone in _TABLE if phone.place == "bilabial")
LABIODENTALS = frozenset(phone.symbol for phone in _TABLE if phone.place == "labiodental")
OPEN_VOWELS = frozenset({"AA", "AE", "AO", "AW", "AY"})
# Consonants that need no contact of the lips; /w/ only brings them near.
OPEN_CONSONANTS = frozenset(
    phone.symbol
    for phone in _TABLE
    if phone.manner not in ("vowel", "silence") and phone.place not in ("bilabial", "labiodental", "labial-velar")
)

# Speech that nobody transcribed counts as the neutral vowel: audible, neither closed nor rounded.
NEUTRAL = "AH"
_ALIASES = {
    **dict.fromkeys(("", "SP", "SIL", "PAU", "SSIL", "BRTH", "H#", "EPI", "<EPS>"), SILENCE),
    **{"AX": "AH", "AXR": "ER", "IX": "IH", "UX": "UW", "DX": "D", "NX": "N", "HV": "HH", "Q": "T"},
    **{"EL": "L", "EM": "M", "EN": "N", "ENG": "NG", "WH": "W", "OH": "AO", "SPN": NEUTRAL},
    **{"BCL": "B", "PCL": "P", "DCL": "D", "TCL": "T", "GCL": "G", "KCL": "K"},
}
_STRESS = re.compile(r"[012]$")


def to_phone(label: str) -> str:
    """The inventory's symbol nearest to an English label of any of the corpora; stress and case do not matter.

    Raises EngineError for a label that no table holds.
    """
    symbol = _STRESS.sub("", label.strip().upper())
    if symbol in PHONES:
        return symbol
    if symbol not in _ALIASES:
        raise EngineError(f"The phone label {label!r} is not in the inventory; use ARPABET or add an alias.")
    return _ALIASES[symbol]


def is_stressed(label: str) -> bool | None:
    """Whether a vowel label bears stress; None when the phone set does not say."""
    match = _STRESS.search(label.strip())
    return None if match is None else match.group() != "0"


@dataclass(frozen=True)
class Segment:
    """One phone of the inventory from `start` to `end` seconds; emphasis 1 is an ordinary, 1.2 a strong one."""

    phone: str
    start: float
    end: float
    emphasis: float = 1.0


def segments_from_labels(labels: list, duration: float, emphasis: list[float] | None = None) -> list[Segment]:
    """Segments that cover 0 to `duration` without gaps, from rows [label, start, end]; adjacent silences are merged."""
    segments: list[Segment] = []

    def add(phone: str, start: float, end: float, strength: float) -> None:
        if end - start < 1e-6:
            return
        if segments and phone == SILENCE == segments[-1].phone:
            segments[-1] = Segment(SILENCE, segments[-1].start, end)
        else:
            segments.append(Segment(phone, start, end, strength))

    position = 0.0
    for index, (label, start, end) in enumerate(labels):
        if start > position + 1e-3:
            add(SILENCE, position, start, 1.0)
        add(to_phone(label), max(start, position), end, 1.0 if emphasis is None else emphasis[index])
        position = max(position, end)
    if position < duration:
        add(SILENCE, position, duration, 1.0)
    return segments
