"""What a face can do with the channels that its keys follow, in words."""

from __future__ import annotations

from collections.abc import Collection

from ...engine.shared.arkit import ARKIT_NAMES
from .names import COMBINED, VISEMES

# Channels that ARKit and visemes both shape.
LIPS = frozenset(
    name for name in (*ARKIT_NAMES, *COMBINED) if name.startswith("mouth") or name in ("jawOpen", "jawForward")
)
_VISEME_ABILITIES = {
    "opens": ("viseme_aa", "viseme_E", "viseme_O", "viseme_I"),
    "closes": ("viseme_PP",),
    "rounds": ("viseme_O", "viseme_U", "viseme_RR"),
    "spreads": ("viseme_I", "viseme_E", "viseme_SS"),
    "bites the lip": ("viseme_FF",),
}
_ARKIT_ABILITIES = {
    "opens": ("jawOpen",),
    "closes": ("mouthClose", "mouthPress", "mouthRollUpper", "mouthRollLower"),
    "rounds": ("mouthPucker", "mouthFunnel"),
    "spreads": ("mouthStretch", "mouthSmile"),
    "bites the lip": ("mouthRollLower",),
}
_OTHER_ABILITIES = {
    "blinks": ("eyeBlink",),
    "looks around": ("eyeLookUp", "eyeLookDown", "eyeLookIn", "eyeLookOut", "lookLeft", "lookRight"),
    "moves its brows": ("browInnerUp", "browDown", "browOuterUp"),
}
_LACKS = {"blinks": "no blink", "looks around": "no gaze", "moves its brows": "no brows"}


def abilities(channels: Collection[str]) -> list[str]:
    """What channels let a face do, the mouth first."""
    stems = {name.removesuffix("Left").removesuffix("Right") for name in channels} | set(channels)
    tables = (_ARKIT_ABILITIES, _VISEME_ABILITIES, _OTHER_ABILITIES)
    words = dict.fromkeys(word for table in tables for word in table)
    return [word for word in words if any(stems.intersection(table.get(word, ())) for table in tables)]


def description(channels: Collection[str]) -> str:
    """One line: "opens, closes, rounds, blinks; no gaze, no brows"."""
    can = abilities(channels)
    lacks = [text for word, text in _LACKS.items() if word not in can]
    does = ", ".join(can) or "nothing"
    return does + (f"; {', '.join(lacks)}" if lacks else "")


def is_mute(channels: Collection[str]) -> bool:
    """Whether nothing opens the mouth; all else that is missed is seen less."""
    return "opens" not in abilities(channels)


def warnings(channels: Collection[str]) -> list[str]:
    """What will be missed when such a face speaks, one sentence each that names the fix; see `is_mute`."""
    can = abilities(channels)
    if is_mute(channels):
        return ["Nothing opens the mouth, so it will not be seen to speak; assign jawOpen, a viseme or a jaw bone."]
    found = []
    if "closes" not in can and not set(channels) & set(VISEMES):
        found.append(
            "Nothing closes the lips, so p, b and m stay open; assign mouthClose or mouthPress if there is a key."
        )
    if "rounds" not in can:
        found.append("Nothing rounds the lips for o, u and w; assign mouthPucker or mouthFunnel if there is a key.")
    return found
