"""The weights that move the built-in head: ARKit's 52, then five of the tongue. Needs nothing: Blender reads it too.

ARKit knows `tongueOut` alone. The others are what speech does behind the teeth: the tip at the ridge (t d n l s), the
tip between the teeth (th), the back at the palate (k g ng), a flat and wide tongue, and one whose sides curl up.
"""

from __future__ import annotations

from .arkit import ARKIT_NAMES

TONGUE_NAMES: tuple[str, ...] = ("tongueUp", "tongueForward", "tongueBack", "tongueWide", "tongueRoll")
WEIGHT_NAMES: tuple[str, ...] = (*ARKIT_NAMES, *TONGUE_NAMES)
