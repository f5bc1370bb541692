"""Takes in the .blend file: each is a text of JSON with the codes, so that nothing need be sampled again.

The text is the take: deleting, renaming or undoing it is what Blender does with any text, and no list can disagree.
Its custom properties say what a list of takes shows, without reading the codes.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Generator
from dataclasses import dataclass, field, replace
from datetime import datetime

import bpy
import numpy as np

from ...engine.shared.errors import EngineError
from ...engine.shared.hostile_files import UNREADABLE, number, parse_json
from ...engine.shared.pose import POSE_NAMES
from ...engine.shared.shapes import match_shapes
from ...engine.shared.style import Style, steadied, styled_weights
from ...engine.shared.weights import WEIGHT_NAMES
from ..blender_data.datablocks import resolve
from ..sound.strip_link import LINK_PROPERTY, SCENE_PROPERTY, STRIP_PROPERTY, connect

FORMAT = 1
LARGEST_TAKE = 1 << 29  # letters of its text
LETTERS_AT_ONCE = 1 << 19  # of it that are written in two milliseconds
TAKE_PROPERTY = "facetalk_take"  # on an object: the text of the take that it was made from
# These on the text, besides the three of its strip.
SEED_PROPERTY = "facetalk_seed"
DATE_PROPERTY = "facetalk_date"
SOUND_PROPERTY = "facetalk_sound"  # digest of the sound
PART_PROPERTY = "facetalk_part"  # from which to which second of it the strip was set to play
IMPORTED_PROPERTY = "facetalk_imported"  # on the text of a take that another program recorded: its file's name
STYLE_PROPERTY = "facetalk_style"  # on what was made of a take: the style that it is shown in, as JSON
ROTATIONS = tuple(f"{part}{axis}" for part in ("Head", "LeftEye", "RightEye") for axis in ("Yaw", "Pitch", "Roll"))
_ARRAYS = ("codes", "weights", "lip_opening_mm", "rotations", "pose")


@dataclass(frozen=True)
class Take:
    """What the engine sampled, or made of a recording.

    codes: (N, D) float32 expression codes; rate: codes per second; seed: the noise they came from.
    weights: (N, W) float32 of weight_names; lip_opening_mm: (N,) float32; None when the model does not tell them.
    settings: JSON values, what the take was asked for and made with; audio_start, duration: seconds of the sound file
    that it covers.
    rotations: (N, 9) float32 radians of ROTATIONS, or None when it has none. style: in which it is.
    pose: (N, 6) float32 head pose of the model (see `engine.shared.pose`), or None when it gives none.
    """

    codes: np.ndarray
    rate: float
    seed: int
    weights: np.ndarray | None
    weight_names: list[str]
    lip_opening_mm: np.ndarray | None
    settings: dict = field(default_factory=dict)
    rotations: np.ndarray | None = None
    style: Style = field(default_factory=Style)
    pose: np.ndarray | None = None

    @property
    def duration(self) -> float:
        """Seconds of speech that the take covers."""
        return len(self.codes) / self.rate

    def styled(self, style: Style) -> Take:
        """The take with weights and head pose in a style; the engine does so with codes.

        Raises EngineError, see the style.
        """
        if not style.changes:
            return self
        pose = None if self.pose is None else self.pose * np.float32(style.head_motion)
        if self.weights is None:
            return replace(self, pose=pose, style=style)
        places = [WEIGHT_NAMES.index(name) for name in self.weight_names]
        weights = np.zeros((len(self.weights), len(WEIGHT_NAMES)), np.float32)
        weights[:, places] = self.weights
        styled = styled_weights(weights, self.rate, style, self.lip_opening_mm)
        if self.pose is not None:
            styled = steadied(styled, self.pose, self.rate, style.head_motion)
        return replace(self, weights=styled[:, places], pose=pose, style=style)


def content_of(take: Take) -> str:
    """What a text keeps of a take. NumPy only: any thread may call it."""
    content = {"format": FORMAT, "rate": take.rate, "seed": take.seed, "settings": take.settings}
    content["weight_names"] = take.weight_names
    for name in _ARRAYS:
        if getattr(take, name) is None:
            continue
        array = np.ascontiguousarray(getattr(take, name), "<f4")
        lines = base64.encodebytes(array.tobytes()).decode("ascii").split()
        content[name] = {"shape": list(array.shape), "base64_float32": lines}
    return json.dumps(content, indent=1)


def store(
    content: str, seed: int, scene: bpy.types.Scene, strip_name: str, sound_digest: str, part: tuple[float, float]
) -> bpy.types.Text:
    """Keep a take in a new text, at once; see `storing`."""
    pieces = storing(content, seed, scene, strip_name, sound_digest, part)
    while True:
        try:
            next(pieces)
        except StopIteration as stored:
            return stored.value


def storing(
    content: str, seed: int, scene: bpy.types.Scene, strip_name: str, sound_digest: str, part: tuple[float, float]
) -> Generator[bool, None, bpy.types.Text]:
    """Keep a take in a new text, which it returns, in pieces of a few milliseconds. Until the last it is no take.

    content: see `content_of`. sound_digest: of the sound that was heard, see `SoundDigests`.
    part: seconds of it, see `sound_strip.heard_part`.

    Raises DataBlockLost when scene or text are gone in between; what was written until then is removed.
    """
    number = 1 + sum(text[STRIP_PROPERTY] == strip_name for text in takes_of(scene))
    text_id, scene_id = bpy.data.texts.new(f"{strip_name} Take {number}").session_uid, scene.session_uid
    try:
        for start in range(0, len(content), LETTERS_AT_ONCE):
            if start:
                yield True
            resolve(bpy.data.texts, text_id).write(content[start : start + LETTERS_AT_ONCE])
        text, scene = resolve(bpy.data.texts, text_id), resolve(bpy.data.scenes, scene_id)
    except BaseException:
        for text in [text for text in bpy.data.texts if text.session_uid == text_id]:
            bpy.data.texts.remove(text)
        raise
    text[SCENE_PROPERTY], text[STRIP_PROPERTY] = scene, strip_name
    text[LINK_PROPERTY] = connect(scene, strip_name)
    text[SEED_PROPERTY], text[SOUND_PROPERTY] = str(seed), sound_digest
    text[PART_PROPERTY] = part
    text[DATE_PROPERTY] = datetime.now().strftime("%Y-%m-%d %H:%M")
    return text


def is_take(text: bpy.types.Text, scene: bpy.types.Scene) -> bool:
    """Whether a text is a take of the scene."""
    return text.get(SCENE_PROPERTY) == scene and STRIP_PROPERTY in text


def takes_of(scene: bpy.types.Scene) -> list[bpy.types.Text]:
    """The takes of a scene."""
    return [text for text in bpy.data.texts if is_take(text, scene)]


def text_of(owner: bpy.types.Object) -> bpy.types.Text | None:
    """The take that an object was made from, if any."""
    text = owner.get(TAKE_PROPERTY)
    return text if isinstance(text, bpy.types.Text) else None


def load(holder: bpy.types.Text | bpy.types.Object) -> Take:
    """A take from its text, or from an object that was made of it.

    Raises EngineError when there is none or its text was changed beyond use.
    """
    text = holder if isinstance(holder, bpy.types.Text) else text_of(holder)
    if text is None:
        raise EngineError(f"{holder.name} has no take; generate it again.")
    try:
        content = parse_json(text.as_string(), LARGEST_TAKE)
        if content["format"] != FORMAT:
            raise ValueError("unknown format")
        arrays = {name: _array(content[name]) if name in content else None for name in _ARRAYS}
        if arrays["codes"] is None or not len(arrays["codes"]):
            raise ValueError("no codes")
        names = [str(name) for name in content["weight_names"]]
        rate, seed, settings = number(content, "rate", 1, 1000), int(content["seed"]), dict(content["settings"])
        check(arrays, names)
    except UNREADABLE as error:
        raise EngineError(f"The text {text.name} is not a readable take; generate the head again.") from error
    return Take(rate=rate, seed=seed, settings=settings, weight_names=names, **arrays)


def _array(stored: dict) -> np.ndarray:
    data = base64.b64decode("".join(stored["base64_float32"]), validate=True)
    return np.frombuffer(data, "<f4").reshape(stored["shape"]).copy()


def check(arrays: dict[str, np.ndarray | None], names: list[str]) -> None:
    """Raises ValueError unless the arrays of a take belong together."""
    expected = {"codes": ("N", "D"), "weights": ("N", len(names)), "lip_opening_mm": ("N",)}
    expected |= {"rotations": ("N", len(ROTATIONS)), "pose": ("N", len(POSE_NAMES))}
    found = {name: array for name in expected if (array := arrays.get(name)) is not None}
    if not len(found.get("codes", ())):
        raise ValueError("no codes")
    match_shapes({name: array.shape for name, array in found.items()}, {name: expected[name] for name in found})
    if not all(np.isfinite(array).all() for array in found.values()):
        raise ValueError("a number is not finite")
    if not set(names) <= set(WEIGHT_NAMES):
        raise ValueError("unknown weights")
