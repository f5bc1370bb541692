"""What a bundle performs for a voice, and where the lips of its head are then."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from scipy.spatial import cKDTree
from torch import Tensor

from engine.bundle import SECTION_FILES, Bundle
from engine.devices import choose_device
from engine.head import NeuralHead, load_head
from engine.head.topology.lips import lip_opening
from engine.motion import diffusion
from engine.motion.codes import codes_from_weights, expression_basis, weights_from_codes
from engine.motion.denoiser import load_expression_decoder
from engine.motion.refinement import load_refinement
from engine.motion.sampling_defaults import SamplingDefaults
from engine.motion.temperature import load_temperature
from engine.motion.voice_activity import load_listener
from engine.shared.controls import control_rows, drawn_traits
from engine.shared.options import STARTER
from engine.shared.units import MILLIMETRES_PER_UNIT
from engine.shared.weights import WEIGHT_NAMES

HALF_WIDTH_MM = 8.0  # the incisors, either side of the mid-line
# A jaw that opens fully carries the lower lip this far at least, and the upper teeth at most.
LOWER_MOVES_MM, UPPER_MOVES_MM = 15.0, 1.0


@dataclass(frozen=True)
class Motion:
    """codes (N, 200), weights (N, 57), lip opening (N,) in mm, distance of lower lip and upper teeth (N,) in mm."""

    codes: np.ndarray
    weights: np.ndarray
    opening: np.ndarray
    lip_to_teeth: np.ndarray


class LipToTeeth:
    """Distances between the middle of the lower lip and the upper incisors of the mean head."""

    def __init__(self, head: NeuralHead) -> None:
        template, names = head.fixed_topology(), head.regions.names
        displacements = template.displacements(len(WEIGHT_NAMES)).cpu().numpy()  # (V, W + 1, 3)
        neutral = MILLIMETRES_PER_UNIT * (template.vertices.cpu().numpy() + displacements[:, -1])  # (V, 3)
        modes = MILLIMETRES_PER_UNIT * displacements[:, :-1]  # (V, W, 3)
        with_jaw = np.linalg.norm(modes[:, WEIGHT_NAMES.index("jawOpen")], axis=1)
        region = template.regions.argmax(axis=1)
        middle = np.abs(neutral[:, 0]) < HALF_WIDTH_MM
        teeth = middle & (region == names.index("teeth")) & (with_jaw < UPPER_MOVES_MM)
        lip = middle & (region == names.index("lips")) & (with_jaw > LOWER_MOVES_MM)
        self.teeth = cKDTree(neutral[teeth])
        self.lip, self.lip_modes = neutral[lip], modes[lip].transpose(1, 0, 2)  # (L, 3), (W, L, 3)

    def distance(self, weights: np.ndarray) -> np.ndarray:
        """Smallest distance (N,) in mm for weights (N, 57)."""
        posed = self.lip + np.tensordot(weights, self.lip_modes, axes=1)  # (N, L, 3)
        return np.array([self.teeth.query(points)[0].min() for points in posed])


class Performer:
    """Samples motion from a bundle.

    Lips are measured on its head, or on the starter's where the bundle has speech and motion only.
    """

    def __init__(self, bundle: Bundle, device: str) -> None:
        self.bundle, self.device = bundle, choose_device(device)
        self.listener = load_listener(bundle, self.device)
        self.decoder = load_expression_decoder(bundle, self.device)
        self.defaults = SamplingDefaults.of(bundle)
        self.basis = expression_basis()
        self.refinement = load_refinement(bundle, self.basis)
        self.temperature = load_temperature(bundle, self.basis)

    @cached_property
    def head(self) -> NeuralHead:
        """The head that lips are measured on."""
        complete = all((self.bundle.folder / name).is_file() for key, name in SECTION_FILES.items() if "head" in key)
        return load_head(self.bundle if complete else Bundle.open(STARTER), self.device)

    @cached_property
    def lip_to_teeth(self) -> LipToTeeth:
        """Where the head's lower lip and upper teeth are."""
        return LipToTeeth(self.head)

    def motion(self, codes: np.ndarray) -> Motion:
        """Weights and lips of codes (N, 200)."""
        weights = weights_from_codes(codes, self.basis)
        return Motion(codes, weights, lip_opening(self.head, codes), self.lip_to_teeth.distance(weights))

    def sample(
        self, audio: np.ndarray, seed: int, sampler: str | None = None, steps: int | None = None, refine: bool = True
    ) -> Motion:
        """Motion for 16 kHz samples (S,), refined as the bundle asks for, or as it was sampled."""
        codes = self.codes(self.features(audio), seed, sampler, steps)
        return self.motion(self.refinement.refined(codes) if refine and self.refinement else codes)

    def features(self, audio: np.ndarray) -> Tensor:
        """What the decoder hears of 16 kHz samples (S,): speech features and, where it takes them, prosody."""
        return self.listener.features(audio, bool(self.decoder.config.prosody_dimensions))

    def codes(self, features: Tensor, seed: int, sampler: str | None = None, steps: int | None = None) -> np.ndarray:
        """Sampled codes (N, 200) for what `features` gives (N, A)."""
        known = self.decoder.config.controls
        asked = torch.from_numpy(control_rows(known, drawn_traits(seed), len(features)))
        sampled = diffusion.sample(
            self.decoder,
            features,
            seed=seed,
            steps=steps or self.defaults.steps,
            sampler=sampler or self.defaults.sampler,
            guidance=self.defaults.guidance,
            controls=asked if known else None,
            control_guidance=self.defaults.control_guidance,
            temperature=self.temperature,
        )
        return sampled[:, : self.decoder.config.code_dimensions].numpy()

    def from_weights(self, weights: np.ndarray) -> Motion:
        """Motion of given weights (N, W)."""
        return self.motion(codes_from_weights(weights, self.basis))
