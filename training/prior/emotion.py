"""Emotions of the prior: facial actions blended with speech, and what they do to head, gaze and lids.

The actions are the prototypes of the Facial Action Coding System (Ekman, Friesen and Hager, 2002, investigator's guide,
table 10-1; Ekman and Friesen, 1983, EMFACS), each with the ARKit weight that moves the same part: joy 6 + 12, anger
4 + 5 + 7 + 23/24, sadness 1 + 4 + 15 + 17, fear 1 + 2 + 4 + 5 + 20, disgust 9 + 10 + 17, surprise 1 + 2 + 5 + 26,
contempt unilateral 12 + 14. Onsets take 0.3 to 0.7 s and offsets longer (Ekman and Friesen, 1982; Schmidt and Cohn,
2001); an apex is never still. How the head is held and how much it moves follows Wallbott (1998) and Busso et al.
(2007): anger leans forward and moves much, sadness hangs and moves little, fear draws back, contempt tips up.

No free capture of emotional speech exists: all of this is written, not learned.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d

from engine.shared.controls import EMOTIONS
from engine.shared.lip_opening import OPENING_MM_PER_WEIGHT, REST_OPENING_MM, opening_slopes
from engine.shared.units import CODE_RATE
from engine.shared.weights import WEIGHT_NAMES
from training.prior.grid import slow_drift

# Weights at intensity 1; a name without a side stands for both.
ACTIONS: dict[str, dict[str, float]] = {
    "joy": {"mouthSmile": 0.62, "cheekSquint": 0.55, "eyeSquint": 0.30, "mouthDimple": 0.12, "mouthUpperUp": 0.10,
            "browOuterUp": 0.08},
    "anger": {"browDown": 0.80, "eyeSquint": 0.45, "eyeWide": 0.18, "noseSneer": 0.30, "mouthPress": 0.12,
              "mouthFrown": 0.22, "jawForward": 0.20, "mouthRollLower": 0.08, "mouthShrugLower": 0.10},
    "sadness": {"browInnerUp": 0.75, "browDown": 0.28, "mouthFrown": 0.55, "mouthShrugLower": 0.28, "eyeSquint": 0.22,
                "eyeBlink": 0.10},
    "fear": {"browInnerUp": 0.70, "browOuterUp": 0.22, "browDown": 0.30, "eyeWide": 0.75, "mouthStretch": 0.52,
             "mouthLowerDown": 0.12, "jawOpen": 0.04},
    "disgust": {"noseSneer": 0.80, "mouthUpperUp": 0.35, "browDown": 0.40, "eyeSquint": 0.40, "cheekSquint": 0.30,
                "mouthFrown": 0.20, "mouthShrugLower": 0.18},
    "surprise": {"browInnerUp": 0.75, "browOuterUp": 0.90, "eyeWide": 0.55, "jawOpen": 0.09},
    "contempt": {"mouthSmileLeft": 0.38, "mouthDimpleLeft": 0.60, "mouthPressLeft": 0.10, "eyeSquintLeft": 0.20,
                 "cheekSquintLeft": 0.25, "noseSneerLeft": 0.15, "browOuterUpRight": 0.25, "eyeBlink": 0.08},
}  # fmt: skip
# Degrees and millimetres by which the head is held otherwise: pitch (down), yaw, roll, x, y (back), z.
POSTURES = {
    "joy": (-1.5, 0.0, 2.5, 0.0, -1.0, 0.0),
    "anger": (4.0, 0.0, 0.0, 0.0, -6.0, -1.0),
    "sadness": (7.0, 3.0, 3.0, 0.0, 1.0, -3.0),
    "fear": (-1.0, 3.0, 0.0, 0.0, 7.0, 1.0),
    "disgust": (-1.5, 5.0, 2.0, 0.0, 5.0, 0.0),
    "surprise": (-4.0, 0.0, 0.0, 0.0, 3.0, 1.5),
    "contempt": (-5.0, 5.0, 3.5, 0.0, 2.0, 0.0),
}
HEAD_GAINS = {"joy": 1.2, "anger": 1.3, "sadness": 0.55, "fear": 0.8, "disgust": 0.9, "surprise": 1.1, "contempt": 0.8}
MOUTH_GAINS = {
    "joy": 1.06,
    "anger": 1.15,
    "sadness": 0.8,
    "fear": 0.95,
    "disgust": 0.95,
    "surprise": 1.08,
    "contempt": 0.9,
}
NEUTRAL_SHARE, TWO_SHARE = 0.4, 0.2  # of the performances; of the emotional ones that mix two
ONSET = (0.30, 0.70)  # seconds
CONTACT_MM = 1.2  # lips nearer than this count as closed
_CLOSE, _JAW = WEIGHT_NAMES.index("mouthClose"), WEIGHT_NAMES.index("jawOpen")
_ROUND = [WEIGHT_NAMES.index("mouthFunnel"), WEIGHT_NAMES.index("mouthPucker")]
_TUCK = WEIGHT_NAMES.index("mouthRollLower")
# What of an emotion gives way to speech: lips that close, round or tuck.
_YIELDS = np.array([name.startswith(("mouth", "jaw")) for name in WEIGHT_NAMES])


def action_table(side: float = 1.0) -> np.ndarray:
    """Weights (7, 57) of every emotion at intensity 1. side: 1, contempt on the left, or -1."""
    table = np.zeros((len(EMOTIONS), len(WEIGHT_NAMES)), np.float32)
    for row, emotion in enumerate(EMOTIONS):
        for name, value in ACTIONS[emotion].items():
            if side < 0 and name.endswith(("Left", "Right")):
                name = name[:-4] + "Right" if name.endswith("Left") else name[:-5] + "Left"
            whole = [name] if name in WEIGHT_NAMES else [name + "Left", name + "Right"]
            table[row, [WEIGHT_NAMES.index(n) for n in whole]] = value
    return table


@dataclass(frozen=True)
class Mood:
    """Emotions of one performance. asked: intensities (N, 7) as they are asked for; felt: as the face shows them."""

    asked: np.ndarray
    felt: np.ndarray
    side: float = 1.0

    @classmethod
    def neutral(cls, frames: int) -> Mood:
        """No emotion."""
        nothing = np.zeros((frames, len(EMOTIONS)), np.float32)
        return cls(nothing, nothing)

    @classmethod
    def draw(cls, frames: int, generator: np.random.Generator) -> Mood:
        """None, one or two emotions that come, stay, change and go."""
        asked = np.zeros((frames, len(EMOTIONS)))
        side = float(generator.choice([-1.0, 1.0]))
        if generator.random() >= NEUTRAL_SHARE:
            count = 2 if generator.random() < TWO_SHARE else 1
            peak = generator.uniform(0.35, 1.0) if generator.random() < 0.6 else 1.0
            for emotion, share in zip(generator.permutation(len(EMOTIONS))[:count], (1.0, 0.6), strict=False):
                asked[:, emotion] = share * peak * _course(frames, generator)
        return cls(asked.astype(np.float32), _felt(asked, generator), side)

    def mean(self, values: dict[str, float]) -> np.ndarray:
        """A gain per frame (N,): 1 without emotion, that of an emotion at intensity 1, in between for less."""
        return 1 + self.felt @ (np.array([values[name] for name in EMOTIONS]) - 1)


def _course(frames: int, generator: np.random.Generator) -> np.ndarray:
    """Intensity (N,) relative to the peak: there from the beginning or coming, staying or going, in smooth steps."""
    times = np.arange(frames) / CODE_RATE
    if generator.random() < 0.45:
        return np.ones(frames)
    length = times[-1] + 1 / CODE_RATE
    start = generator.uniform(-0.3, 0.6) * length
    end = start + generator.uniform(0.3, 1.2) * length
    level = ((times > start) & (times < end)).astype(float)
    if generator.random() < 0.4:  # a second level on the way
        level *= np.where(times > generator.uniform(start, max(end, start + 0.1)), generator.uniform(0.3, 0.9), 1.0)
    return gaussian_filter1d(level, generator.uniform(0.05, 0.25) * CODE_RATE, mode="nearest")


def _felt(asked: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """What the face makes of it: a slower onset, a still slower offset, and an apex that lives."""
    onset = generator.uniform(*ONSET)
    felt = np.array(asked)
    for frame in range(1, len(felt)):
        rising = felt[frame] > felt[frame - 1]
        rate = np.where(rising, 1 / onset, 0.5 / onset) / CODE_RATE * 2.2
        felt[frame] = felt[frame - 1] + np.clip(rate, 0, 1) * (felt[frame] - felt[frame - 1])
    drift = np.stack([slow_drift(10 * len(felt), 0.9, generator)[::10] for _ in range(felt.shape[1])], 1)
    return np.clip(felt * (1 + 0.10 * drift), 0, 1.1).astype(np.float32)


def with_emotion(weights: np.ndarray, mood: Mood, generator: np.random.Generator) -> np.ndarray:
    """Spoken weights (N, 57) with the mood: (N, 57) float32, lips that were closed as closed as before.

    The lips give way where they round, tuck or close; what still parts them is taken back by `mouthClose`.
    """
    if not mood.felt.any():
        return np.asarray(weights, np.float32)
    before = REST_OPENING_MM + weights @ opening_slopes()
    closed = np.clip((2 * CONTACT_MM - before) / CONTACT_MM, 0, 1)
    yielding = 1 - np.maximum.reduce([
        0.35 * closed,
        np.clip(weights[:, _ROUND].sum(1) / 0.5, 0, 1) * 0.6,
        np.clip((weights[:, _TUCK] - 0.15) / 0.25, 0, 1) * 0.7,
    ])  # fmt: skip
    one_sided = 1 + 0.10 * np.stack([slow_drift(10 * len(weights), 1.5, generator)[::10] for _ in range(2)], 1)
    actions = mood.felt @ action_table(mood.side)  # (N, 57)
    sides = np.ones((len(weights), len(WEIGHT_NAMES)))
    for index, side in enumerate(("Left", "Right")):
        columns = [i for i, name in enumerate(WEIGHT_NAMES) if name.endswith(side) and "Look" not in name]
        sides[:, columns] = one_sided[:, index : index + 1]
    actions = actions * sides * np.where(_YIELDS, yielding[:, None], 1.0)
    actions[:, _JAW] *= 1 - closed * 0.7
    felt = weights + actions * np.clip(1.15 - weights, 0, 1)  # two smiles do not add up to more than one
    parted = np.clip(REST_OPENING_MM + felt @ opening_slopes() - before, 0, None)
    felt[:, _CLOSE] += closed * parted / -OPENING_MM_PER_WEIGHT["mouthClose"]
    return np.clip(felt, 0, 1).astype(np.float32)
