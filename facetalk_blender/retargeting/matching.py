"""Which channel each shape key of a character follows: by its exact name, by tables of names, then by likeness."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from .names import BY_NORMALIZED_NAME, COMBINED, STEMS, VISEMES, WHOLE_NAMES, NormalizedName

EXACT, SPELLING, FUZZY = "Exact", "Spelling", "Fuzzy"
LEAST_LIKENESS = 0.8  # of difflib's ratio; below it a proposal is more often wrong than right


@dataclass(frozen=True)
class Match:
    """One shape key and the channel that it follows.

    method: EXACT, SPELLING, the name of a convention, or FUZZY; likeness: 0..1, below 1 only for FUZZY.
    """

    key: str
    channel: str
    method: str
    likeness: float = 1.0


def match_names(meshes: Iterable[Sequence[str]]) -> dict[str, Match]:
    """Matches by key name, for the shape-key names of several meshes of one character.

    A mesh that has a channel under several kinds of names is driven by the best kind alone. Visemes are left out when
    the character has a jaw of its own, and a key of both sides when it has the sides: else they would move twice.
    """
    meshes = [list(names) for names in meshes]
    matches: dict[str, Match] = {}
    for names in meshes:
        for match in _best_kinds([match for name in names if (match := _known(name))]):
            matches.setdefault(match.key, match)
    matches = _without_doubles(matches)
    for names in meshes:
        unknown = [name for name in names if name not in matches and _known(name) is None]
        used = {matches[name].channel for name in names if name in matches}
        for match in _fuzzy(unknown, used):
            matches.setdefault(match.key, match)
    return _without_doubles(matches)


def _known(name: str) -> Match | None:
    """The match of a name by exact spelling or by tables."""
    if name in BY_NORMALIZED_NAME.values() or name in VISEMES:
        return Match(name, name, EXACT)
    normalized = NormalizedName.of(name)
    found = _channel(normalized.stem, normalized.side)
    if found:
        return Match(name, found, SPELLING)
    for convention in dict.fromkeys((*STEMS, *WHOLE_NAMES)):
        stem = STEMS.get(convention, {}).get(normalized.stem)
        found = _channel(stem, normalized.side) if stem else WHOLE_NAMES.get(convention, {}).get(normalized.whole)
        if found:
            return Match(name, found, convention)
    return None


def _channel(stem: str, side: str) -> str | None:
    """ARKit's or a combined channel; a half of one that has no sides follows the whole."""
    sided = BY_NORMALIZED_NAME.get(NormalizedName(stem, side))
    if sided or not side:
        return sided
    whole = BY_NORMALIZED_NAME.get(NormalizedName(stem, ""))
    return whole if whole not in COMBINED else None


def _best_kinds(found: list[Match]) -> list[Match]:
    kinds = [EXACT, SPELLING, *dict.fromkeys((*STEMS, *WHOLE_NAMES))]
    best: dict[str, int] = {}
    for match in found:
        best[match.channel] = min(kinds.index(match.method), best.get(match.channel, len(kinds)))
    return [match for match in found if kinds.index(match.method) == best[match.channel]]


def _without_doubles(matches: dict[str, Match]) -> dict[str, Match]:
    channels = {match.channel for match in matches.values()}
    doubles = {name for name, parts in COMBINED.items() if channels & {part for part, _ in parts}}
    if "jawOpen" in channels:
        doubles |= set(VISEMES)
    return {key: match for key, match in matches.items() if match.channel not in doubles}


def _fuzzy(names: list[str], used: set[str]) -> list[Match]:
    """The likeliest key for each channel that no key of the mesh follows yet, sides always equal."""
    proposals = []
    for name in names:
        normalized = NormalizedName.of(name)
        for known, channel in BY_NORMALIZED_NAME.items():
            if channel in used or known.side != normalized.side:
                continue
            likeness = SequenceMatcher(None, normalized.stem, known.stem).ratio()
            if likeness >= LEAST_LIKENESS:
                proposals.append(Match(name, channel, FUZZY, likeness))
    chosen: list[Match] = []
    for match in sorted(proposals, key=lambda proposal: -proposal.likeness):
        if not any(match.key == other.key or match.channel == other.channel for other in chosen):
            chosen.append(match)
    return chosen
