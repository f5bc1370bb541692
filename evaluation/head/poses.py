"""The expressions on which the starter's head is judged: named ones, moments of speech, and any mixtures."""

from __future__ import annotations

import numpy as np

from training.head.ict import named_weights
from training.head.poses import NAMED_POSES, random_weights, speech_weights

EVALUATION_SEED = 77001  # training draws its heads and poses from other seeds
JUDGED_POSES = NAMED_POSES | {"pressed lips": {"mouthPress": 1.0, "mouthRollLower": 0.4, "mouthRollUpper": 0.4}}
SPEECH_DRAWS, FREE_DRAWS = 9, 6
POSES = len(JUDGED_POSES) + SPEECH_DRAWS + FREE_DRAWS
SHOWN_POSES = ("neutral", "jawOpen 1", "mouthFunnel", "mouthSmile", "pressed lips", "blink")  # in the error maps
BEYOND_SPEECH = ("jawOpen 1", "blink")


def evaluation_poses(identity: int, count: int = POSES) -> dict[str, np.ndarray]:
    """ARKit weights (52,) of `count` of the POSES expressions by name, evenly chosen; each identity has its own."""
    poses = {name: named_weights(values) for name, values in JUDGED_POSES.items()}
    random = np.random.default_rng([EVALUATION_SEED, identity, 1])
    poses |= {f"speech {1 + number}": speech_weights(random) for number in range(SPEECH_DRAWS)}
    poses |= {f"mixture {1 + number}": random_weights(random) for number in range(FREE_DRAWS)}
    names = list(poses)
    return {names[place]: poses[names[place]] for place in np.linspace(0, POSES - 1, count).round().astype(int)}


def is_speech(pose: str) -> bool:
    """Whether a pose of this name is one that speech goes through."""
    return not pose.startswith("mixture") and pose not in BEYOND_SPEECH


def pose_kind(pose: str) -> str:
    """The name of a named pose; "speech" or "mixture" for the random ones."""
    return pose.rstrip(" 0123456789") if pose.startswith(("speech", "mixture")) else pose
