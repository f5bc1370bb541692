"""Training examples of the expression decoder: crops of scenes, with speech features and performed expression codes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from engine.motion.codes import CODE_DIMENSIONS, codes_from_weights, expression_basis
from engine.motion.prosody import prosody
from engine.motion.speech import SpeechEncoder, normalise
from engine.shared.arkit import ARKIT_NAMES
from training.data.corpus import Corpus
from training.prior.captured_motion import capture_of
from training.prior.filmed_motion import filmed_sentences
from training.prior.performance import Performance
from training.prior.scenes import SCENE_FRAMES, SILENT_SHARE, Scene, SceneMaker
from training.speech_examples import SHARES

BATCH, CROP = 32, 48
# Copies of the recordings of captured and filmed people, each in other noise and with another upper face: whether their
# way to speak is the usual one there. A voice like theirs moves as they do, and any other voice may be asked to.
CAPTURED_AS_USUAL, FILMED_AS_USUAL = (False, False, True), (False, True)
CROPS_PER_SCENE = SCENE_FRAMES // CROP
# The paper scales codes by U(0.5, 3), which the network cannot know. On weights that mean something (1 = lid closed)
# that gives half-closed blinks and jaws beyond the anatomy, so the range is narrow and the styles give diversity.
AMPLITUDE = (0.97, 1.05)
TURNS = 3  # epochs in which every scene gets a new performance
# What a unit of the head's pose is, degrees and millimetres: half of its standard deviation, so that the noise decides
# the pose about when it decides the larger movements of the face.
POSE_SCALE = (1.6, 2.0, 1.4, 1.2, 2.0, 1.2)
# Rare events that everybody sees count more than their share of the frames: lips that close on a bilabial, a lower lip
# under the teeth, and blinks. With a plain mean the short training left four of ten bilabials closed and half of the
# blinks.
CLOSURE_WEIGHT, TUCK_WEIGHT, BLINK_WEIGHT = 6.0, 3.0, 4.0
FULL_PRESS = 0.2  # mouthPress of a bilabial; resting lips have a quarter of it
FULL_ROLL = 0.4  # mouthRollLower of a labiodental; a bilabial has less than a third of it


def make_scenes(
    data: Path, corpus: Corpus, seed: int, clips: int | None = None, cache: Path | None = None
) -> list[Scene]:
    """Scenes of the training: recorded, synthesised and captured speech, and silence.

    clips: number of clips with phone labels, drawn at random; all when not given. cache: folder that keeps the fit of
        the filmed speaker, who is left out without it.
    """
    maker = SceneMaker(corpus, seed)
    labelled = [clip for name in SHARES for clip in corpus.select(name, held_out=False)]
    if clips is not None:
        labelled = [labelled[i] for i in np.random.default_rng((seed, 6)).permutation(len(labelled))[:clips]]
    scenes = maker.spoken(labelled)
    for clip in corpus.select("facegood"):
        for as_usual in CAPTURED_AS_USUAL:
            scenes += maker.captured(clip, capture_of(data, clip), as_usual)
    if cache is not None:
        filmed, _ = filmed_sentences(data, cache)
        for as_usual in FILMED_AS_USUAL:
            scenes += maker.filmed(filmed, as_usual)
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


def scene_prosody(scenes: list[Scene]) -> Tensor:
    """Prosody of every scene as it is heard: (scenes, SCENE_FRAMES, 6) half precision."""
    return torch.stack([torch.from_numpy(prosody(scene.audio, SCENE_FRAMES)).half() for scene in scenes])


class CropMaker:
    """Batches of crops; epoch and order follow from the seed and the step alone.

    augmented: whether codes are scaled and new performances are drawn, a share of them at every epoch; else a scene has
        one performance.
    prosody: of the scenes (scenes, SCENE_FRAMES, 6). With it crops are whole performances: features with prosody, codes
        with the head's pose, emotions and the controls that ask for them. Without, codes of neutral faces alone.
    """

    def __init__(
        self,
        scenes: list[Scene],
        features: Tensor,
        seed: int,
        augmented: bool = True,
        prosody: Tensor | None = None,
    ) -> None:
        self.scenes, self.features, self.seed, self.augmented = scenes, features, seed, augmented
        self.prosody = prosody
        self.basis = expression_basis()
        self.epoch = -1
        self.performances: list[Performance] = []
        self.crops_per_epoch = len(scenes) * CROPS_PER_SCENE
        self.batches_per_epoch = max(1, self.crops_per_epoch // BATCH)
        sample = np.stack([self._performed(i, seed).weights for i in range(0, len(scenes), max(1, len(scenes) // 150))])
        # Q has orthonormal columns, so codes have the length of their weights.
        self.code_scale = float(np.sqrt(np.square(sample.astype(np.float32)).sum(axis=-1).mean() / CODE_DIMENSIONS))

    def batch(self, step: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Features (BATCH, CROP, A), normalised codes (BATCH, CROP, D), weights of the frames (BATCH, CROP), controls.

        Controls are (BATCH, CROP, C); none, C = 0, without prosody.
        """
        epoch, place = divmod(step, self.batches_per_epoch)
        if epoch != self.epoch:
            self._start_epoch(epoch)
        generator = np.random.default_rng((self.seed, step, 1))
        crops = [
            self._crop(int(crop) // CROPS_PER_SCENE, generator)
            for crop in self.order[place * BATCH : (place + 1) * BATCH]
        ]
        features, codes, emphasis, controls = (torch.stack(part) for part in zip(*crops, strict=True))
        return features, codes, emphasis, controls

    def _crop(self, scene: int, generator: np.random.Generator) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        start = int(generator.integers(SCENE_FRAMES - CROP + 1))
        window = slice(start, start + CROP)
        performance = self.performances[scene]
        features = self.features[scene, window].float()
        weights = performance.weights[window].astype(np.float32)
        emphasis = torch.from_numpy(frame_weights(weights))
        if self.augmented:
            weights = weights * np.float32(generator.uniform(*AMPLITUDE))
        codes = torch.from_numpy(codes_from_weights(weights, self.basis) / np.float32(self.code_scale))
        if self.prosody is None:
            return features, codes, emphasis, torch.zeros(CROP, 0)
        features = torch.cat([features, self.prosody[scene, window].float()], dim=-1)
        pose = torch.from_numpy(performance.pose[window].astype(np.float32) / np.array(POSE_SCALE, np.float32))
        controls = torch.from_numpy(performance.controls[window].astype(np.float32))
        return features, torch.cat([codes, pose], dim=-1), emphasis, controls

    def _start_epoch(self, epoch: int) -> None:
        """Draw the performances of an epoch: all of them after a start, then the share whose turn it is."""
        turn = range(len(self.scenes))
        self.order = np.random.default_rng((self.seed, epoch)).permutation(self.crops_per_epoch)
        if epoch == self.epoch + 1 and self.performances:
            turn = range(epoch % TURNS, len(self.scenes), TURNS) if self.augmented else range(0)
        self.performances = self.performances or [Performance(*[np.zeros(0)] * 3)] * len(self.scenes)
        for index in turn:
            # That of the last epoch whose turn it was, so that a training that is continued has the same.
            last = epoch - (epoch - index) % TURNS
            seed = (self.seed * 1000 + (max(last, 0) if self.augmented else 0)) * 100_000 + index
            self.performances[index] = self._performed(index, seed)
        self.epoch = epoch

    def _performed(self, index: int, seed: int) -> Performance:
        whole = self.scenes[index].performance(seed, expressive=self.prosody is not None)
        return Performance(*(part.astype(np.float16) for part in (whole.weights, whole.pose, whole.controls)))


def frame_weights(weights: np.ndarray) -> np.ndarray:
    """How much each frame of a performance (N, 57) counts in the loss: (N,) float32, 1 for an ordinary frame."""

    def activation(name: str, rest: float, full: float) -> np.ndarray:
        return np.clip((weights[:, ARKIT_NAMES.index(name)] - rest) / (full - rest), 0, 1)

    # Angry or contemptuous lips press on each other while they rest, by less than those of a bilabial.
    result = 1 + (CLOSURE_WEIGHT - 1) * activation("mouthPressLeft", 0.9 * FULL_PRESS, 1.2 * FULL_PRESS)
    result *= 1 + (TUCK_WEIGHT - 1) * activation("mouthRollLower", 0.4 * FULL_ROLL, FULL_ROLL)
    return (result * (1 + (BLINK_WEIGHT - 1) * weights[:, ARKIT_NAMES.index("eyeBlinkLeft")])).astype(np.float32)
