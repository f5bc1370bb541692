"""What a performance is asked for besides the voice: emotion, energy, and how this take's speaker moves.

A bundle's section "motion" names the controls that its decoder knows, of CONTROL_NAMES. Each is a number for every code
frame; 0 is neutral. The traits are constant over a take: a seed draws them, so that takes of other seeds are other
performances.

Only NumPy is needed, so that Blender's process may use it too.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np

from .errors import EngineError

EMOTIONS = ("joy", "anger", "sadness", "fear", "disgust", "surprise", "contempt")  # intensity, 0 to 1
ENERGY = "energy"  # effort of voice and face, -1 (listless) to 1 (shouting)
# Standard deviations from the mean speaker, each -2 to 2.
TRAITS = (
    "opening", "speed", "rounding", "teeth", "contrast", "jaw_share", "lag", "mood", "asymmetry", "brow_motion", "head",
    "gaze_motion",
)  # fmt: skip
# 0: as the written prior speaks, 1: as one of the training's people does, a captured woman or a filmed man.
SPEAKERS = CAPTURED, FILMED = ("captured", "filmed")
CONTROL_NAMES = (*EMOTIONS, ENERGY, *TRAITS, *SPEAKERS)
# Of eyes, which every model with ARKit weights can be asked for, since they are turned after the sampling: how much the
# gaze is held on a target (0: free, 1: it stays there), where that is (degrees against the shoulders, to the head's own
# left and up), and how often the lids close (-1: never, 0: as sampled, 1: twice as often).
EYE_CONTROLS = GAZE_HOLD, GAZE_LEFT, GAZE_UP, BLINK_RATE = ("gaze_hold", "gaze_left", "gaze_up", "blink_rate")
ASKED = (*EMOTIONS, ENERGY, *EYE_CONTROLS)  # what people ask for; traits are drawn
LIMITS = dict.fromkeys(EMOTIONS, (0.0, 1.0)) | {ENERGY: (-1.0, 1.0)} | dict.fromkeys(SPEAKERS, (0.0, 1.0))
LIMITS |= dict.fromkeys(TRAITS, (-2.0, 2.0))
LIMITS |= {GAZE_HOLD: (0.0, 1.0), GAZE_LEFT: (-60.0, 60.0), GAZE_UP: (-40.0, 40.0), BLINK_RATE: (-1.0, 1.0)}
SINGLE_PRECISION = 1e-6  # that numbers stored so may be off
TRAIT_SEED = 9001  # apart from the stream of the sampler's noise

Curve = float | np.ndarray


def check_controls(
    controls: Mapping[str, Curve], frames: int, rate: float, known: Collection[str]
) -> dict[str, float | np.ndarray]:
    """Every control as a number or (frames,) numbers at `rate` Hz.

    controls: numbers, one for each code frame (frames,), or a curve (K, 2) of seconds and values, linear in between.
    known: those of the model.

    Raises EngineError for a control that is not known, has another form or leaves its limits.
    """
    checked: dict[str, float | np.ndarray] = {}
    for name, value in controls.items():
        if name not in LIMITS:
            raise EngineError(f"'{name}' is no control; use {', '.join(ASKED)} or a trait of the speaker.")
        if name not in known:
            raise EngineError(f"This model cannot be asked for {name}; leave it out, or use a model that can.")
        array = np.asarray(value)
        curve = array.ndim == 2 and array.shape[1:] == (2,) and len(array) > 0
        if array.dtype.kind not in "fiu" or not (curve or array.shape in ((), (frames,))):
            raise EngineError(f"The control {name} is neither a number, nor one for each of the {frames} code frames.")
        values = array[:, 1] if curve else array
        check_limits(name, values, SINGLE_PRECISION)
        if curve and not (np.isfinite(array[:, 0]).all() and (np.diff(array[:, 0]) >= 0).all()):
            raise EngineError(f"The times of the control {name} do not rise; sort them.")
        checked[name] = np.interp(np.arange(frames) / rate, *array.T) if curve else value
    return checked


def drawn_traits(seed: int) -> dict[str, float]:
    """The traits of a take: standard normal, limited to -2 to 2, the same for the same seed."""
    values = np.random.default_rng((TRAIT_SEED, abs(int(seed)))).standard_normal(len(TRAITS))
    return {name: float(np.clip(value, -2, 2)) for name, value in zip(TRAITS, values, strict=True)}


def check_limits(name: str, values: float | np.ndarray, slack: float = 0.0) -> None:
    """Raises EngineError when a value of a control is not finite or leaves its limits by more than `slack`."""
    low, high = LIMITS[name]
    array = np.asarray(values)
    if not np.isfinite(array).all() or array.min() < low - slack or array.max() > high + slack:
        raise EngineError(f"The control {name} goes from {low:g} to {high:g}; choose a value in between.")


def control_rows(known: tuple[str, ...], controls: Mapping[str, Curve], frames: int) -> np.ndarray:
    """Controls (frames, len(known)) float32 in the order in which a decoder knows them; what is not given is 0."""
    rows = np.zeros((frames, len(known)), np.float32)
    for column, name in enumerate(known):
        rows[:, column] = controls.get(name, 0.0)
    return rows
