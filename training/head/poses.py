"""Random weights that cover what speech and faces do; the same distribution for every network of the head."""

from __future__ import annotations

import numpy as np

from engine.shared.arkit import ARKIT_NAMES
from engine.shared.tongue import with_tongue_in_place
from engine.shared.weights import WEIGHT_NAMES
from training.head.ict import named_weights

NEUTRAL_SHARE, FEW_SHAPES_SHARE = 0.10, 0.30
MOUTH_SHAPES = (
    "mouthFunnel",
    "mouthPucker",
    "mouthLeft",
    "mouthRight",
    "mouthSmile",
    "mouthFrown",
    "mouthDimple",
    "mouthStretch",
    "mouthRollLower",
    "mouthRollUpper",
    "mouthShrugLower",
    "mouthShrugUpper",
    "mouthPress",
    "mouthLowerDown",
    "mouthUpperUp",
    "jawForward",
    "jawLeft",
    "jawRight",
    "cheekPuff",
)
LIP_SHAPES = (
    "mouthFunnel",
    "mouthPucker",
    "mouthSmile",
    "mouthRollLower",
    "mouthRollUpper",
    "mouthShrugLower",
    "mouthShrugUpper",
    "mouthPress",
    "mouthClose",
    "mouthLowerDown",
    "mouthUpperUp",
)
UPPER_SHAPES = ("browDown", "browInnerUp", "browOuterUp", "eyeSquint", "eyeWide", "cheekSquint", "noseSneer")
GAZES = (
    ("eyeLookUpLeft", "eyeLookUpRight"),
    ("eyeLookDownLeft", "eyeLookDownRight"),
    ("eyeLookOutLeft", "eyeLookInRight"),
    ("eyeLookInLeft", "eyeLookOutRight"),
)
SYMMETRIC_SHAPES = tuple(
    dict.fromkeys(
        name.removesuffix("Left")
        for name in ARKIT_NAMES
        if (name != "tongueOut" and not name.endswith("Right")) or name in ("jawRight", "mouthRight")
    )
)
SHAPES = tuple({"jaw": "jawLeft", "mouth": "mouthLeft"}.get(name, name) for name in SYMMETRIC_SHAPES)

TONGUE_SHARE = 0.4
# How often a tongue that moves goes each way, and the jaw that it then needs (least and most).
TONGUE_WAYS = {
    "tongueUp": (0.30, None),
    "tongueOut": (0.22, (0.25, 0.75)),
    "tongueForward": (0.18, (0.10, 0.35)),
    "tongueBack": (0.14, None),
    "tongueWide": (0.08, (0.05, 0.5)),
    "tongueRoll": (0.08, (0.10, 0.5)),
}
SEALING = ("mouthClose", "mouthPress", "mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthPucker")

NAMED_POSES = {
    "neutral": {},
    "jawOpen 0.3": {"jawOpen": 0.3},
    "jawOpen 0.6": {"jawOpen": 0.6},
    "jawOpen 1": {"jawOpen": 1.0},
    "mouthFunnel": {"mouthFunnel": 1.0, "jawOpen": 0.15},
    "mouthPucker": {"mouthPucker": 1.0},
    "mouthSmile": {"mouthSmile": 1.0},
    "bilabial": {"jawOpen": 0.08, "mouthClose": 0.08, "mouthPress": 0.4, "mouthRollLower": 0.2, "mouthRollUpper": 0.2},
    "blink": {"eyeBlink": 1.0},
}


def random_weights(random: np.random.Generator) -> np.ndarray:
    """Weights (57,): 10 % neutral, 30 % one to three symmetric shapes, 60 % mixes as in speech."""
    kind = random.random()
    if kind < NEUTRAL_SHARE:
        return named_weights({})
    if kind < NEUTRAL_SHARE + FEW_SHAPES_SHARE:
        chosen = random.choice(SHAPES, random.integers(1, 4), replace=False)
        return _consistent(named_weights({name: random.uniform(0.2, 1.0) for name in chosen}))
    return speech_weights(random)


def speech_weights(random: np.random.Generator) -> np.ndarray:
    """Weights (57,) of one random moment of speech."""
    return _consistent(_speech_mix(random))


def with_blink(weights: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Weights (57,) with, three times in four, lids at a random height or fully closed."""
    if random.random() < 0.25:
        return weights
    return np.maximum(weights, named_weights({"eyeBlink": random.choice([random.uniform(0.1, 1.0), 1.0])}))


def with_lips(weights: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Weights (57,) with, four times in five, one to three of the lips' own shapes, strong ones among them."""
    if random.random() < 0.2:
        return weights
    chosen = random.choice(LIP_SHAPES, random.integers(1, 4), replace=False)
    return _consistent(np.maximum(weights, named_weights({name: random.uniform(0.2, 1.0) for name in chosen})))


def with_open_jaw(weights: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Weights (57,) with, twice in five times, a jaw at least as far open as speech rarely has it."""
    if random.random() < 0.6:
        return weights
    return np.maximum(weights, named_weights({"jawOpen": random.uniform(0.3, 1.0)}))


def with_tongue(weights: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Weights (57,) with, twice in five times, a tongue that moves, and a jaw that is open enough for it."""
    if random.random() > TONGUE_SHARE:
        return weights
    shares = np.array([share for share, _ in TONGUE_WAYS.values()])
    names = random.choice(list(TONGUE_WAYS), random.choice([1, 1, 2]), replace=False, p=shares / shares.sum())
    values = {name: 1.0 if random.random() < 0.3 else random.uniform(0.15, 1.0) for name in names}
    weights = np.maximum(weights, named_weights(values))
    jaw = WEIGHT_NAMES.index("jawOpen")
    for name in names:
        needed = TONGUE_WAYS[name][1]
        if needed:
            weights[jaw] = max(weights[jaw], random.uniform(*needed))
    if "tongueOut" in names or "tongueForward" in names:  # between the lips too
        sealing = named_weights(dict.fromkeys(SEALING, 1.0)) > 0
        weights[sealing] *= random.uniform(0.0, 0.3)
        weights[WEIGHT_NAMES.index("mouthClose")] = 0.0
    return with_tongue_in_place(_consistent(weights))


def _speech_mix(random: np.random.Generator) -> np.ndarray:
    """One moment of speech: jaw, mouth shapes or a closed bilabial, then eyes, gaze and brows."""
    values = {"jawOpen": float(random.beta(1.2, 3.0))}
    if random.random() < 0.2:
        values = {"jawOpen": random.uniform(0, 0.12), "mouthPress": random.uniform(0, 0.6)}
        values["mouthClose"] = values["jawOpen"]
        values["mouthRollLower"], values["mouthRollUpper"] = random.uniform(0, 0.5, 2)
    for name in random.choice(MOUTH_SHAPES, random.integers(1, 5), replace=False):
        values[name] = float(random.beta(1.2, 2.0)) if random.random() < 0.8 else random.uniform(0, 1)
    if random.random() < 0.15:
        values["mouthClose"] = random.uniform(0, values["jawOpen"])
    if random.random() < 0.35:
        values["eyeBlink"] = random.choice([random.uniform(0, 1), 1.0])
    for name in random.choice(UPPER_SHAPES, random.integers(0, 3), replace=False):
        values[name] = random.uniform(0, 1)
    weights = named_weights(values)
    if random.random() < 0.5:
        for pair in random.choice(len(GAZES), random.integers(1, 3), replace=False):
            weights = np.maximum(weights, named_weights(dict.fromkeys(GAZES[pair], random.uniform(0, 0.8))))
    if random.random() < 0.3:
        # A lopsided face: one side of every pair is weaker.
        side = random.choice(["Left", "Right"])
        fade = [random.uniform(0.3, 1.0) if name.endswith(side) and name[:3] != "eye" else 1.0 for name in WEIGHT_NAMES]
        weights = weights * np.array(fade, np.float32)
    return weights


def _consistent(weights: np.ndarray) -> np.ndarray:
    """Weights that a capture could hold: mouthClose undoes jawOpen and cannot exceed it; opposites do not add up."""
    weights = weights.copy()
    close, jaw_open = ARKIT_NAMES.index("mouthClose"), ARKIT_NAMES.index("jawOpen")
    weights[close] = min(weights[close], weights[jaw_open])
    for one, other in (("jawLeft", "jawRight"), ("mouthLeft", "mouthRight")):
        first, second = ARKIT_NAMES.index(one), ARKIT_NAMES.index(other)
        weights[first if weights[first] < weights[second] else second] = 0.0
    return weights.astype(np.float32)
