"""Channels, which a shape key can follow, and the words that a name consists of.

A channel is one of the 52 ARKit weights or of the tongue's five, a weight of both sides at once (`eyeBlink`), a look to
a side of the room (`lookLeft`), or one of the 15 Oculus visemes (`viseme_aa`).

Spellings differ by case, separators and the way a side is written; `words_of` and `SIDES` remove that, so the tables of
`conventions` hold only words that really differ.
"""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

from ...engine.shared.arkit import ARKIT_NAMES
from ...engine.shared.weights import WEIGHT_NAMES

VISEMES: tuple[str, ...] = tuple(
    f"viseme_{name}" for name in "sil PP FF TH DD kk CH SS nn RR aa E I O U".split()
)  # the order of the Oculus lip sync documentation


def _pairs() -> dict[str, tuple[tuple[str, float], ...]]:
    found = {}
    for name in ARKIT_NAMES:
        stem = name.removesuffix("Left")
        # jawLeft and mouthLeft are movements to a side, no sides of a movement.
        if stem != name and stem not in ("jaw", "mouth"):
            found[stem] = ((name, 0.5), (f"{stem}Right", 0.5))
    return found


# Channels made of several ARKit weights: their mean.
COMBINED: dict[str, tuple[tuple[str, float], ...]] = _pairs() | {
    "lookLeft": (("eyeLookOutLeft", 0.5), ("eyeLookInRight", 0.5)),
    "lookRight": (("eyeLookInLeft", 0.5), ("eyeLookOutRight", 0.5)),
}
CHANNELS: tuple[str, ...] = (*WEIGHT_NAMES, *COMBINED, *VISEMES)


SIDES = {
    "l": "left", "left": "left", "lft": "left", "lf": "left", "sx": "left", "左": "left",
    "r": "right", "right": "right", "rgt": "right", "dx": "right", "右": "right",
}  # fmt: skip
FRONT_SIDES = {**SIDES, "lt": "left", "rt": "right"}  # at the end these are quarters of the lips
# Of lips in quarters: upper left, right bottom, ...
QUARTERS = {f"{first}{second}" for one in "udtb" for side in "lr" for first, second in ((one, side), (side, one))}


class Word(NamedTuple):
    """A word of a name in lower case. ends_part: whether a dot, colon, bar, slash or two underscores follow."""

    text: str
    ends_part: bool = False


def plain_letters(text: str) -> str:
    """Text without the accents of Latin letters."""
    letters = (unicodedata.normalize("NFD", letter) for letter in unicodedata.normalize("NFKC", text))
    plain = "".join(parts[0] if parts[0].isascii() else unicodedata.normalize("NFC", parts) for parts in letters)
    return plain.replace("ß", "ss").replace("œ", "oe")


def words_of(name: str) -> list[Word]:
    """The words of a name: "Head.eyeBlink_L.001" is head, eye, blink, l. Blender's number of a copy is no word."""
    name = re.sub(r"(\.\d{3})+$", "", plain_letters(name))
    name = re.sub(r"e?CTRL", "_ctrl_", name)  # in eCTRLvAA capitals end in the middle of a word
    parts = re.split(r"[.:|/]|__", name)
    found = []
    for part in filter(None, parts):
        words = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_A-Za-z]+", part)
        found += [Word(word.lower()) for word in words]
        if found:
            found[-1] = found[-1]._replace(ends_part=True)
    return _with_side_apart(found)


def _with_side_apart(words: list[Word]) -> list[Word]:
    """Part "left" and "右" from the word that they are written together with."""
    if words:
        last = words[-1]
        for side in ("left", "right", "左", "右"):
            stem = last.text.removesuffix(side)
            if stem and stem != last.text:
                return [*words[:-1], Word(stem), Word(side, last.ends_part)]
    return words


class Stem(NamedTuple):
    """What is expressed, in one lower-case word, and on which side: "left", "right" or ""."""

    text: str
    side: str


def stem_of(words: list[Word]) -> Stem:
    """The stem of words of which the last may be a side."""
    texts = [word.text for word in words]
    side = SIDES.get(texts[-1], "") if len(texts) > 1 else ""
    return Stem("".join(texts[:-1] if side else texts), side)


BY_STEM = {stem_of(words_of(name)): name for name in (*ARKIT_NAMES, *COMBINED)}


def channel_of(stem: Stem) -> str | None:
    """ARKit's or a combined channel; a half of one that has no sides follows the whole."""
    sided = BY_STEM.get(stem)
    if sided or not stem.side:
        return sided
    whole = BY_STEM.get(Stem(stem.text, ""))
    return whole if whole not in COMBINED else None
