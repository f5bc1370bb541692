"""Training examples of the expression decoder: crops of scenes, with speech features and performed expression codes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from engine.motion.codes import CODE_DIMENSIONS, codes_from_weights, expression_basis
from engine.motion.speech import SpeechEncoder, normalise
from engine.shared.arkit import ARKIT_NAMES
from training.data.corpus import Corpus
from training.prior.captured_motion import capture_of
from training.prior.scenes import SCENE_FRAMES, SILENT_SHARE, Scene, SceneMaker
from training.speech_examples import SHARES

BATCH, CROP = 32, 48
CROPS_PER_SCENE = SCENE_FRAMES // CROP
# The paper scales codes by U(0.5, 3), which the network cannot know. On weights that mean something (1 = lid closed)
# that gives half-closed blinks and jaws beyond the anatomy, so the range is narrow and the styles give diversity.
AMPLITUDE = (0.9, 1.15)
# Rare events that everybody sees count more than their share of the frames: lips that close on a bilabial, a lower lip
# under the teeth, and blinks. With a plain mean the short training left four of ten bilabials closed and half of the
# blinks.
CLOSURE_WEIGHT, TUCK_WEIGHT, BLINK_WEIGHT = 6.0, 3.0, 3.0
FULL_PRESS = 0.2  # mouthPress of a bilabial; resting lips have a quarter of it
FULL_ROLL = 0.4  # mouthRollLower of a labiodental; a bilabial has less than a third of it


def make_scenes(data: Path, corpus: Corpus, seed: int, clips: int | None = None) -> list[Scene]:
    """Scenes of the training: recorded, synthesised and captured speech, and silence.

    clips: number of clips with phone labels, drawn at random; all when not given.
    """
    maker = SceneMaker(corpus, seed)
    labelled = [clip for name in SHARES for clip in corpus.select(name, held_out=False)]
    if clips is not None:
        labelled = [labelled[i] for i in np.random.default_rng((seed, 6)).permutation(len(labelled))[:clips]]
    scenes = maker.spoken(labelled)
    for clip in corpus.select("facegood"):
        scenes += maker.captured(clip, capture_of(data, clip))
    return scenes + maker.silent(round(SILENT_SHARE * len(scenes)))


@torch.no_grad()
def scene_features(encoder: SpeechEncoder, scenes: list[Scene]) -> Tensor:
    """Frozen speech features of every scene: (scenes, SCENE_FRAMES, A) half precision."""
    device = next(encoder.parameters()).device
    features = []
    for first in range(0, len(scenes), BATCH):
        audio = torch.from_numpy(np.stack([scene.audio for scene in scenes[first : first + BATCH]])).to(device)
        with torch.autocast(device.type, torch.bfloat16):
            features.append(encoder(normalise(audio), SCENE_FRAMES).half().cpu())
    return torch.cat(features)


class CropMaker:
    """Batches of feature and code crops; epoch and order follow from the seed and the step alone.

    augmented: whether codes are scaled and every epoch draws new performances; else a scene has one performance.
    """

    def __init__(self, scenes: list[Scene], features: Tensor, seed: int, augmented: bool = True) -> None:
        self.scenes, self.features, self.seed, self.augmented = scenes, features, seed, augmented
        self.basis = expression_basis()
        self.epoch = -1
        self.crops_per_epoch = len(scenes) * CROPS_PER_SCENE
        self.batches_per_epoch = max(1, self.crops_per_epoch // BATCH)
        sample = np.stack([scene.performance(seed) for scene in scenes[:: max(1, len(scenes) // 150)]])
        # Q has orthonormal columns, so codes have the length of their weights.
        self.code_scale = float(np.sqrt(np.square(sample).sum(axis=-1).mean() / CODE_DIMENSIONS))

    def batch(self, step: int) -> tuple[Tensor, Tensor, Tensor]:
        """Features (BATCH, CROP, A), normalised scaled codes (BATCH, CROP, D), weights of the frames (BATCH, CROP)."""
        epoch, place = divmod(step, self.batches_per_epoch)
        if epoch != self.epoch:
            self._start_epoch(epoch)
        generator = np.random.default_rng((self.seed, step, 1))
        features, codes, emphasis = [], [], []
        for crop in self.order[place * BATCH : (place + 1) * BATCH]:
            scene = crop // CROPS_PER_SCENE
            start = int(generator.integers(SCENE_FRAMES - CROP + 1))
            window = slice(start, start + CROP)
            features.append(self.features[scene, window].float())
            weights = self.performances[scene, window].astype(np.float32)
            emphasis.append(torch.from_numpy(frame_weights(weights)))
            if self.augmented:
                weights = weights * np.float32(generator.uniform(*AMPLITUDE))
            codes.append(torch.from_numpy(codes_from_weights(weights, self.basis) / np.float32(self.code_scale)))
        return torch.stack(features), torch.stack(codes), torch.stack(emphasis)

    def _start_epoch(self, epoch: int) -> None:
        self.epoch = epoch
        self.order = np.random.default_rng((self.seed, epoch)).permutation(self.crops_per_epoch)
        first_seed = (self.seed * 1000 + (epoch if self.augmented else 0)) * 100_000
        self.performances = np.stack(
            [scene.performance(first_seed + index).astype(np.float16) for index, scene in enumerate(self.scenes)]
        )


def frame_weights(weights: np.ndarray) -> np.ndarray:
    """How much each frame of a performance (N, 57) counts in the loss: (N,) float32, 1 for an ordinary frame."""

    def activation(name: str, rest: float, full: float) -> np.ndarray:
        return np.clip((weights[:, ARKIT_NAMES.index(name)] - rest) / (full - rest), 0, 1)

    result = 1 + (CLOSURE_WEIGHT - 1) * activation("mouthPressLeft", 0.25 * FULL_PRESS, FULL_PRESS)
    result *= 1 + (TUCK_WEIGHT - 1) * activation("mouthRollLower", 0.4 * FULL_ROLL, FULL_ROLL)
    return (result * (1 + (BLINK_WEIGHT - 1) * weights[:, ARKIT_NAMES.index("eyeBlinkLeft")])).astype(np.float32)
