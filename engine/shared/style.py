"""Strength and style of a take, as factors on its ARKit weights: nothing is sampled again.

Lips that are closed stay closed. The lip opening says how open a frame is: the mouth of a frame up to `CLOSED_MM`
keeps its weights bit for bit, one beyond `OPEN_MM` gets the whole change, and in between the change fades in. A lower
lip under the upper teeth counts as closed too. So bilabials are sealed and labiodentals touch however strong or smooth
the speech around them becomes.

Only NumPy is needed, so that Blender's process may use it too.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from dataclasses import dataclass, fields, replace

import numpy as np

from .arkit import FIT_COMMAND
from .errors import EngineError
from .lids import with_lids_in_place
from .pose import DEGREES_PER_LOOK, HELD_SECONDS, HELD_SHARE, POSE_NAMES, REFLEX
from .tongue import with_tongue_in_place
from .weights import WEIGHT_NAMES

LARGEST = dict.fromkeys(("articulation", "jaw", "smile", "brows", "blinks", "gaze", "head_motion"), 2.0) | {
    "smooth": 0.5
}
DESCRIPTIONS = {
    "articulation": "Factor on lips and jaw; lips that close stay closed",
    "jaw": "Factor on the jaw, besides articulation",
    "smile": "Factor on the corners of the mouth",
    "brows": "Factor on the brows",
    "blinks": "Factor on blinks; 0: none",
    "gaze": "Factor on the gaze; 0: straight ahead",
    "head_motion": "Factor on the head's own movement; 0: still",
    "smooth": "Smooth mouth, cheeks and brows in time over this many seconds; lips that close stay closed",
}
CLOSED_MM, OPEN_MM = 1.0, 3.0
UNTUCKED, TUCKED = 0.16, 0.4  # mouthRollLower: at most that of a bilabial, and that of a labiodental
NO_WEIGHTS = f"This model's codes have no reading as ARKit weights; fit one ('{FIT_COMMAND}'), or reset the style."
_WIDTHS_PER_DEVIATION = 2 * np.sqrt(2 * np.log(2))  # full width at half maximum of a Gaussian
_REACH = 4.0  # standard deviations, beyond which a Gaussian counts as zero

_ROLL = WEIGHT_NAMES.index("mouthRollLower")
_SMILE = ("mouthSmile", "mouthFrown", "mouthDimple", "cheekSquint")
_JAW = ("jaw", "mouthClose")  # mouthClose takes back what the jaw opens, so both grow together
_MOUTH = ("mouth", "jaw", "cheekPuff", "tongue", "noseSneer")


def _channels(*prefixes: str) -> np.ndarray:
    return np.array([name.startswith(prefixes) for name in WEIGHT_NAMES])


_ARTICULATES = _channels(*_MOUTH) & ~_channels(*_SMILE)
# Which weights a factor scales. Articulation scales the jaw as well.
_SCALED = {
    "articulation": _ARTICULATES,
    "jaw": _channels(*_JAW),
    "smile": _channels(*_SMILE),
    "brows": _channels("brow"),
    "blinks": _channels("eyeBlink"),
    "gaze": _channels("eyeLook"),
}
_AROUND_LIPS = _ARTICULATES | _SCALED["smile"]
# Lids and eyes are quick by nature: smoothing would leave half-closed blinks and a swimming gaze.
_SMOOTHED = _AROUND_LIPS | _SCALED["brows"]


@dataclass(frozen=True)
class Style:
    """How a take is shown; the defaults leave it as it is.

    articulation: factor on lips and jaw, 0..2.
    jaw: factor on the jaw alone, on top of articulation, 0..2.
    smile: factor on the corners of the mouth, 0..2.
    brows, blinks, gaze: factors on these, 0..2.
    head_motion: factor on the head's pose, 0..2; of the weights it changes the gaze alone, which counters the head.
    smooth: full width at half maximum of the Gaussian that smooths mouth, cheeks and brows in time, 0..0.5 seconds.

    Raises EngineError for a value out of range.
    """

    articulation: float = 1.0
    jaw: float = 1.0
    smile: float = 1.0
    brows: float = 1.0
    blinks: float = 1.0
    gaze: float = 1.0
    head_motion: float = 1.0
    smooth: float = 0.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value, largest = getattr(self, field.name), LARGEST[field.name]
            if not isinstance(value, (int, float)) or not 0 <= value <= largest:
                raise EngineError(f"The style's {field.name} is {value!r}; choose a number from 0 to {largest:g}.")

    @property
    def changes(self) -> bool:
        """Whether it changes anything."""
        return self != Style()

    @property
    def changes_weights(self) -> bool:
        """Whether it changes more than the head's pose."""
        return replace(self, head_motion=1.0) != Style()

    @property
    def changes_lips(self) -> bool:
        """Whether it changes anything that could open closed lips."""
        return (self.articulation, self.jaw, self.smile, self.smooth) != (1, 1, 1, 0)

    @property
    def changes_lids(self) -> bool:
        """Whether it changes anything that could open closed lids."""
        return (self.blinks, self.gaze) != (1, 1)

    def reach(self, rate: float) -> int:
        """How many frames away at `rate` Hz a frame still has an influence."""
        return _reach(self.smooth, rate)


def add_style_options(parser: ArgumentParser) -> None:
    """Give a command line one option for every field of `Style`."""
    for field in fields(Style):
        metavar = "SECONDS" if field.name == "smooth" else "FACTOR"
        text = f"{DESCRIPTIONS[field.name]}, 0 to {LARGEST[field.name]:g} (default: %(default)g)"
        parser.add_argument(
            f"--{field.name.replace('_', '-')}", type=float, metavar=metavar, default=field.default, help=text
        )


def style_of(options: Namespace) -> Style:
    """The style of options that `add_style_options` added. Raises EngineError for a value out of range."""
    return Style(**{field.name: getattr(options, field.name) for field in fields(Style)})


def styled_weights(weights: np.ndarray, rate: float, style: Style, lip_opening_mm: np.ndarray | None) -> np.ndarray:
    """The weights (N, W), the first of WEIGHT_NAMES, of a take at `rate` Hz in a style: (N, W) float32.

    lip_opening_mm: (N,), how far the lips of these weights are open. No weight is raised above one, the tongue goes no
    farther than the jaw then lets it, and nothing lifts a lid that closes where the style changes lids or gaze.

    Raises EngineError when the style changes the lips and their opening is not known.
    """
    weights = np.asarray(weights, np.float32)
    if not style.changes_weights:
        return weights
    share = np.ones(len(weights), np.float32)
    if style.changes_lips:
        if lip_opening_mm is None:
            raise EngineError(
                "This take does not tell its lip opening, so closed lips could not be kept; "
                "reset articulation, jaw, smile and smoothing, or generate it again with a model that measures it."
            )
        share = _openness(weights, np.asarray(lip_opening_mm, np.float32))
    known = weights.shape[1]
    shares = np.where(_AROUND_LIPS[:known], share[:, None], np.float32(1))  # (N, W)
    result = weights.copy()
    if style.smooth:
        change = smoothed(weights, rate, style.smooth) - weights
        result += np.where(_SMOOTHED[:known], shares * change, np.float32(0))
    for name, scaled in _SCALED.items():
        factor = np.float32(getattr(style, name))
        result = np.where(scaled[:known], result * (1 + shares * (factor - 1)), result)
    result = np.minimum(result, np.maximum(weights, 1))
    if style.changes_lids:
        result = with_lids_in_place(result)
    return with_tongue_in_place(result) if known == len(WEIGHT_NAMES) else result


def steadied(weights: np.ndarray, pose: np.ndarray, rate: float, head_motion: float) -> np.ndarray:
    """Weights (N, W) whose gaze fits a head that moves `head_motion` times as much as the pose (N, 6): (N, W) float32.

    Eyes counter what the head does; where it does less, there is less to counter.
    """
    weights = np.array(weights, np.float32)
    if head_motion == 1 or len(weights) < 2:
        return weights
    columns = [POSE_NAMES.index("yaw"), POSE_NAMES.index("pitch")]
    turned = np.asarray(pose, np.float32)[:, columns] * np.array([1, -1], np.float32)
    countered = turned - HELD_SHARE * smoothed(turned, rate, HELD_SECONDS)
    left, up = (1 - head_motion) * REFLEX / DEGREES_PER_LOOK * countered.T
    for toward, away, change in (("OutLeft", "InLeft", left), ("InRight", "OutRight", left), *(
        (f"Up{side}", f"Down{side}", up) for side in ("Left", "Right")
    )):  # fmt: skip
        plus, minus = (WEIGHT_NAMES.index(f"eyeLook{way}") for way in (toward, away))
        look = weights[:, plus] - weights[:, minus] + change
        weights[:, plus], weights[:, minus] = np.clip(look, 0, 1), np.clip(-look, 0, 1)
    return weights


def _openness(weights: np.ndarray, lip_opening_mm: np.ndarray) -> np.ndarray:
    """0 for closed lips or a tucked lower lip, 1 for open ones, smooth in between: (N,)."""
    tuck = np.clip((weights[:, _ROLL] - UNTUCKED) / (TUCKED - UNTUCKED), 0, 1)
    share = np.clip(((1 - tuck) * lip_opening_mm - CLOSED_MM) / (OPEN_MM - CLOSED_MM), 0, 1)
    return share * share * (3 - 2 * share)


def smoothed(values: np.ndarray, rate: float, seconds: float) -> np.ndarray:
    """Columns of values (N, C) at `rate` Hz under a symmetric Gaussian, without delay; the ends go on as they are.

    seconds: its full width at half maximum, above 0.
    """
    deviation, reach = seconds * rate / _WIDTHS_PER_DEVIATION, _reach(seconds, rate)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / deviation) ** 2)
    padded = np.pad(values, ((reach, reach), (0, 0)), mode="edge")
    columns = [np.convolve(column, kernel / kernel.sum(), "valid") for column in padded.T.astype(np.float64)]
    return np.stack(columns, axis=1).astype(np.float32)


def _reach(seconds: float, rate: float) -> int:
    return int(np.ceil(_REACH * seconds / _WIDTHS_PER_DEVIATION * rate))
