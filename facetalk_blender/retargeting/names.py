"""Names of expressions: what a take can drive, and what the usual characters call it.

A channel is something that a shape key can follow: one of the 52 ARKit weights, a weight of both sides at once
(`eyeBlink`), a look to a side of the room (`lookLeft`), or one of the 15 Oculus visemes (`viseme_aa`).

Spellings differ by case, separators, prefixes and the way a side is written; `NormalizedName` removes that, so the
tables below hold only words that really differ.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ...engine.shared.arkit import ARKIT_NAMES

VISEMES: tuple[str, ...] = tuple(
    f"viseme_{name}" for name in "sil PP FF TH DD kk CH SS nn RR aa E I O U".split()
)  # the order of the Oculus lip sync documentation

SIDES = {"l": "left", "left": "left", "r": "right", "right": "right"}
# In front of the expression in names that exporters or conventions prefix.
PREFIXES = ("ctrlexpressions", "ex", "arkit", "blendshape", "fcl")


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
CHANNELS: tuple[str, ...] = (*ARKIT_NAMES, *COMBINED, *VISEMES)


@dataclass(frozen=True)
class NormalizedName:
    """A name without case, separators and prefixes. side: "left", "right" or "" as the name ends."""

    stem: str
    side: str

    @classmethod
    def of(cls, name: str) -> NormalizedName:
        """Normalize e.g. "Eye_Blink_L", "eyeBlinkLeft", "blendShape1.EyeBlink_L" to ("eyeblink", "left")."""
        # Exporters put the mesh in front of a dot, a colon or two underscores.
        last = re.split(r"[.:]|__", name)[-1] or name
        words = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_A-Za-z]+", last)
        words = [word.lower() for word in words]
        while len(words) > 1 and words[0] in ("ctrl", "expressions", *PREFIXES):
            words.pop(0)
        side = SIDES.get(words[-1], "") if len(words) > 1 else ""
        return cls("".join(words[:-1] if side else words), side)

    @property
    def whole(self) -> str:
        """Stem and side in one lower-case word."""
        return self.stem + self.side


BY_NORMALIZED_NAME = {NormalizedName.of(name): name for name in (*ARKIT_NAMES, *COMBINED)}

# Words of a convention for a stem of ARKit; the side stays. Several words for one stem move together.
STEMS: dict[str, dict[str, str]] = {
    "Character Creator": {
        "browraiseinner": "browinnerup", "browraiseouter": "browouterup", "browdrop": "browdown",
        "cheekraise": "cheeksquint", "mouthpuckerup": "mouthpucker", "mouthpuckerdown": "mouthpucker",
        "mouthfunnelup": "mouthfunnel", "mouthfunneldown": "mouthfunnel", "mouthrollinupper": "mouthrollupper",
        "mouthrollinlower": "mouthrolllower", "mouthupupper": "mouthupperup", "mouthdownlower": "mouthlowerdown",
    },
    "MetaHuman": {
        "browraisein": "browinnerup", "browraiseouter": "browouterup", "eyewiden": "eyewide",
        "eyesquintinner": "eyesquint", "eyecheekraise": "cheeksquint", "nosewrinkle": "nosesneer",
        "mouthcornerpull": "mouthsmile", "mouthcornerdepress": "mouthfrown", "mouthupperlipraise": "mouthupperup",
        "mouthlowerlipdepress": "mouthlowerdown", "mouthlipspress": "mouthpress",
        "mouthupperliprollin": "mouthrollupper", "mouthlowerliprollin": "mouthrolllower", "jawfwd": "jawforward",
        "mouthcheekblow": "cheekpuff",
    },
    "Ready Player Me": {
        "mouthopen": "jawopen", "eyesclosed": "eyeblink", "eyeslookup": "eyelookup", "eyeslookdown": "eyelookdown",
    },
    "VRM": {"blink": "eyeblink", "eyeclose": "eyeblink", "lookup": "eyelookup", "lookdown": "eyelookdown"},
}  # fmt: skip

# Whole names, lower case without separators, that follow no rule of sides.
WHOLE_NAMES: dict[str, dict[str, str]] = {
    "Character Creator": {
        "eyellookleft": "eyeLookOutLeft", "eyellookright": "eyeLookInLeft",
        "eyerlookleft": "eyeLookInRight", "eyerlookright": "eyeLookOutRight",
        "eyellookup": "eyeLookUpLeft", "eyellookdown": "eyeLookDownLeft",
        "eyerlookup": "eyeLookUpRight", "eyerlookdown": "eyeLookDownRight",
        "vopen": "viseme_aa", "vexplosive": "viseme_PP", "vdentallip": "viseme_FF", "vaffricate": "viseme_CH",
        "vtighto": "viseme_O", "vtight": "viseme_U", "vwide": "viseme_I", "vlipopen": "viseme_SS",
    },
    "MetaHuman": {
        "eyelookleftleft": "eyeLookOutLeft", "eyelookrightleft": "eyeLookInLeft",
        "eyelookleftright": "eyeLookInRight", "eyelookrightright": "eyeLookOutRight",
    }
    | {
        f"{word}{part}": name
        for word, name in {
            "mouthlipspurse": "mouthPucker", "mouthfunnel": "mouthFunnel", "mouthlipstowards": "mouthClose",
        }.items()
        for part in ("ul", "ur", "dl", "dr")
    }
    | {
        "jawchinraisedl": "mouthShrugLower", "jawchinraisedr": "mouthShrugLower",
        "jawchinraiseul": "mouthShrugUpper", "jawchinraiseur": "mouthShrugUpper",
    },
    "VRM": {
        "mtha": "viseme_aa", "mthi": "viseme_I", "mthu": "viseme_U", "mthe": "viseme_E", "mtho": "viseme_O",
        "a": "viseme_aa", "ee": "viseme_E", "lookleft": "lookLeft", "lookright": "lookRight",
    },
    "Oculus": {
        f"{prefix}{word}": name
        for prefix in ("viseme", "vis", "v", "")
        for word, name in {
            **{name.removeprefix("viseme_").lower(): name for name in VISEMES},
            "ih": "viseme_I", "oh": "viseme_O", "ou": "viseme_U",
        }.items()
    },
}  # fmt: skip
