"""Which channel each shape key of a character follows: by its exact name, by tables of names, then by likeness.

Decided mesh by mesh: the lips follow either ARKit's weights or visemes, whichever shapes more of speech there; on the
other meshes of a character as on its face, where they can.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher

from .coverage import LIPS, abilities
from .names import BY_STEM, COMBINED, VISEMES, Stem, stem_of, words_of
from .recognition import EXACT, FUZZY, SHARING, SPELLING, Habits, Meaning, conventions, meaning_of, spelt_mouths

LEAST_LIKENESS = 0.75  # of difflib's ratio; below it a proposal is more often wrong than right
PARTS = ("brow", "cheek", "eye", "jaw", "look", "mouth", "nose", "tongue")
KINDS = (EXACT, SPELLING, *conventions())


@dataclass(frozen=True)
class Match:
    """One shape key and the channel that it follows.

    method: EXACT, SPELLING, the name of a convention, or FUZZY; likeness: 0..1, below 1 only for FUZZY.
    gain: 1, or less where several keys share the channel; side: as the name gives it.
    """

    key: str
    channel: str
    method: str
    likeness: float = 1.0
    gain: float = 1.0
    side: str = ""


def match_names(meshes: Iterable[Sequence[str]]) -> dict[str, Match]:
    """Matches by key name, for the shape-key names of several meshes of one character.

    A key that has a channel on any mesh has it here; `match_meshes` says which.
    """
    merged: dict[str, Match] = {}
    for matches in match_meshes(meshes):
        merged = matches | merged
    return merged


def match_meshes(meshes: Iterable[Sequence[str]]) -> list[dict[str, Match]]:
    """Matches by key name for each mesh of one character.

    On a mesh only the best kind of names drives a channel. A key of both sides is left out when a side has its own,
    and visemes or the lips of ARKit are: else they would move twice.
    """
    known = [_recognized(list(names)) for names in meshes]
    main = max(known, key=lambda matches: len(abilities(_channels(matches))), default={})
    kind = _lip_kind(main, None)
    return [_chosen(matches, _lip_kind(matches, kind)) for matches in known]


def _recognized(names: list[str]) -> dict[str, Match]:
    """All that names of a mesh can mean, with guesses for the channels that no name has."""
    habits = Habits.of(names)
    meanings = {name: found for name in names if (found := meaning_of(name, habits))}
    visemes = [name for name, meaning in meanings.items() if meaning.channel in VISEMES]
    spelt = spelt_mouths([name for name in names if name not in meanings or name in visemes], habits)
    # A chart is taken as a whole, also where some of its names are another's.
    meanings |= spelt if len(spelt) > len(visemes) else {name: spelt[name] for name in spelt if name not in meanings}
    found = {name: _match(name, meaning) for name, meaning in meanings.items()}
    found = _shared(_best_kinds(found))
    used = {meaning.channel for meaning in meanings.values()}
    return found | {match.key: match for match in _fuzzy([name for name in names if name not in meanings], used)}


def _match(name: str, meaning: Meaning) -> Match:
    return Match(name, meaning.channel, meaning.method, side=meaning.side)


def _channels(matches: dict[str, Match]) -> set[str]:
    """Those that are known for sure: a guess never decides."""
    return {match.channel for match in matches.values() if match.method != FUZZY}


def _lip_kind(matches: dict[str, Match], preferred: str | None) -> str | None:
    """ "visemes" or "arkit" for a mesh's lips: the preferred one if it opens them, else what shapes more of speech."""
    channels = _channels(matches)
    parts = {"arkit": channels & LIPS, "visemes": channels & set(VISEMES)}
    if not (parts["arkit"] and parts["visemes"]):
        return next((kind for kind, part in parts.items() if part), None)
    can = {kind: abilities(part) for kind, part in parts.items()}
    if preferred and "opens" in can[preferred]:
        return preferred
    opening = [kind for kind in can if "opens" in can[kind]]
    if len(opening) == 1:
        return opening[0]
    return "visemes" if len(can["visemes"]) > len(can["arkit"]) else "arkit"


def _chosen(matches: dict[str, Match], kind: str | None) -> dict[str, Match]:
    """Without what would move twice."""
    channels = _channels(matches)
    doubles = {name for name, parts in COMBINED.items() if channels & {part for part, _ in parts}}
    doubles |= LIPS if kind == "visemes" else set(VISEMES) if kind == "arkit" else set()
    return {key: match for key, match in matches.items() if match.channel not in doubles}


def _best_kinds(found: dict[str, Match]) -> dict[str, Match]:
    """Of each channel the best kind alone, and no halves beside a whole."""
    best: dict[str, int] = {}
    for match in found.values():
        best[match.channel] = min(KINDS.index(match.method), best.get(match.channel, len(KINDS)))
    kept = {key: match for key, match in found.items() if KINDS.index(match.method) == best[match.channel]}
    whole = {match.channel for match in kept.values() if not match.side and match.channel in BY_STEM.values()}
    return {key: match for key, match in kept.items() if not (match.side and match.channel in whole)}


def _shared(found: dict[str, Match]) -> dict[str, Match]:
    counts = Counter((match.channel, match.side) for match in found.values())
    return {
        key: replace(match, gain=1.0 / counts[match.channel, match.side]) if match.method in SHARING else match
        for key, match in found.items()
    }


def _fuzzy(names: list[str], used: set[str]) -> list[Match]:
    """The likeliest key for each channel that no key of the mesh follows yet, sides and the part of the face equal."""
    proposals = []
    for name in names:
        stem = stem_of(words_of(name))
        for known, channel in BY_STEM.items():
            likeness = _likeness(stem, known) if channel not in used else 0.0
            if likeness >= LEAST_LIKENESS:
                proposals.append(Match(name, channel, FUZZY, min(likeness, 0.99), side=stem.side))
    chosen: list[Match] = []
    for match in sorted(proposals, key=lambda proposal: -proposal.likeness):
        if not any(match.key == other.key or match.channel == other.channel for other in chosen):
            chosen.append(match)
    return chosen


def _likeness(stem: Stem, known: Stem) -> float:
    """How alike two stems are in what follows the part of the face, 0..1; 0 if that or the side differs."""
    part = next(part for part in PARTS if known.text.startswith(part))
    if stem.side != known.side or not stem.text.startswith(part):
        return 0.0
    return SequenceMatcher(None, stem.text.removeprefix(part), known.text.removeprefix(part)).ratio()
