"""The paper's ablations (Tables 2 and 4) at the starter's scale: equal short runs that differ in one thing each.

    python -m evaluation.studies.ablations --data DATA --cache CACHE --output RUNS --report docs/evaluation

Writes `ablations.md`, `ablations.json` and `ablations.png`. A run is a small part of the starter's training, so the
figures compare the variants and say nothing else. A stopped command continues when it is started again.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from engine.bundle import Bundle
from engine.motion import diffusion
from engine.motion.denoiser import ExpressionDecoder
from engine.motion.diffusion import CosineSchedule
from evaluation.motion import metrics
from evaluation.motion.figures import references_of, speech_figures
from evaluation.motion.performer import Motion, Performer
from evaluation.motion.recordings import Recording, recordings_of
from evaluation.shared.reports import write_report
from evaluation.studies.ablation_report import plot, report_text
from evaluation.studies.short_runs import check_settings, short_run_parser, trained_decoder
from evaluation.studies.smoothing import smoothing_figures
from training import motion, motion_examples
from training.data.corpus import Corpus, load_corpus
from training.prior.performance import perform
from training.run.options import exit_status

STEPS = 300
CLIPS = 1000  # clips with phone labels, so that a short run sees each scene several times
SAMPLING_STEPS, GUIDANCE = 8, 1.0
DIVERSITY_SEEDS, DIVERSITY_RECORDINGS = 8, 12


@dataclass(frozen=True)
class DirectRegression(CosineSchedule):
    """No diffusion: the only time step leaves nothing of the codes, so that the decoder has the audio alone."""

    steps: int = 1

    def add_noise(self, clean: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
        """Zeros in the place of noisy codes."""
        return torch.zeros_like(clean)


@dataclass(frozen=True)
class Variant:
    """A run: what differs in the network's config, whether codes are augmented, and the noise."""

    title: str
    sizes: dict = field(default_factory=dict)
    augmented: bool = True
    schedule: CosineSchedule = field(default_factory=CosineSchedule)

    def codes(self, decoder: ExpressionDecoder, features: Tensor, seed: int) -> np.ndarray:
        """A take (N, 200) for speech features (N, A)."""
        if not isinstance(self.schedule, DirectRegression):
            return diffusion.sample(decoder, features, seed=seed, steps=SAMPLING_STEPS, guidance=GUIDANCE).numpy()
        nothing = features.new_zeros(1, len(features), decoder.config.code_dimensions)
        with torch.inference_mode():
            codes = decoder(nothing, torch.zeros(1, dtype=torch.long, device=features.device), features[None])
        return (decoder.config.code_scale * codes[0]).cpu().numpy()


VARIANTS = {
    "full": Variant("full: FiLM, augmentation, alignment mask, diffusion"),
    "no-augmentation": Variant("without augmentation", augmented=False),
    "no-alignment-mask": Variant("without alignment mask", {"alignment_mask": False}),
    "no-diffusion": Variant("without diffusion", schedule=DirectRegression()),
    "input": Variant("without FiLM: time step added to the input", {"timestep_injection": "input"}),
    "scale-shift": Variant("time step by scale-shift", {"timestep_injection": "scale-shift"}),
    "squeeze-excitation": Variant("time step by squeeze-and-excitation", {"timestep_injection": "squeeze-excitation"}),
    "attention": Variant("time step by dot-product attention", {"timestep_injection": "attention"}),
}


@dataclass(frozen=True)
class TestSet:
    """Recordings that no training has seen, their speech features (N, A) and the prior's lip openings (N,)."""

    recordings: list[Recording]
    features: list[Tensor]
    references: list[np.ndarray]

    @classmethod
    def of(cls, performer: Performer, recordings: list[Recording]) -> TestSet:
        """Features and references of recordings."""
        features = [performer.listener.encoder.features(recording.audio) for recording in recordings]
        return cls(recordings, features, references_of(performer, recordings))

    def figures(self, motions: list[Motion], takes: list[list[np.ndarray]]) -> dict:
        """Figures of one motion for every recording, and the diversity of several takes of some."""
        return speech_figures(self.recordings, motions, self.references) | {
            "diversity": asdict(metrics.Diversity.of(takes))
        }

    @property
    def varied(self) -> slice:
        """The recordings of which several takes are made, spread over all."""
        return slice(None, None, max(1, len(self.recordings) // DIVERSITY_RECORDINGS))


def variant_figures(
    variant: Variant, decoder: ExpressionDecoder, performer: Performer, test: TestSet, seed: int
) -> dict:
    """Figures of a trained variant on a test set."""
    motions = [performer.motion(variant.codes(decoder, features, seed)) for features in test.features]
    takes = [
        [variant.codes(decoder, features, seed + take) for take in range(DIVERSITY_SEEDS)]
        for features in test.features[test.varied]
    ]
    return test.figures(motions, takes)


def prior_figures(performer: Performer, test: TestSet, seed: int) -> dict:
    """Figures of the articulation prior's performances, which every variant was taught."""

    def performed(recording: Recording, take: int) -> Motion:
        return performer.from_weights(
            perform(recording.segments, recording.frames, seed + take, expressive=False).weights
        )

    motions = [performed(recording, index) for index, recording in enumerate(test.recordings)]
    takes = [[performed(r, take).codes for take in range(DIVERSITY_SEEDS)] for r in test.recordings[test.varied]]
    return test.figures(motions, takes)


def test_sets(performer: Performer, corpus: Corpus) -> dict[str, TestSet]:
    """Test sets by name: held-out speakers of speechocean762 and LJ Speech."""
    clips = {"speechocean762": corpus.select("so762", held_out=True), "LJ Speech": corpus.select("lj32")}
    return {name: TestSet.of(performer, recordings_of(corpus, chosen)) for name, chosen in clips.items()}


def kept(path: Path, compute: Callable[[], dict]) -> dict:
    """What a file holds, computed and written first where there is none."""
    if not path.is_file():
        path.write_text(json.dumps(compute()) + "\n", "utf-8")
    return json.loads(path.read_text("utf-8"))


def main(arguments: list[str] | None = None) -> None:
    """Command line."""
    options = short_run_parser("Compare the paper's ablations by short trainings.", STEPS).parse_args(arguments)
    seed = options.seed
    settings = {"steps": options.steps, "seed": seed, "clips": CLIPS, "bundle": options.bundle}
    check_settings(options.output, settings)
    performer = Performer(Bundle.open(options.bundle), options.device)
    corpus = load_corpus(options.data, options.cache)
    tests = test_sets(performer, corpus)
    scenes = motion_examples.make_scenes(options.data, corpus, seed, CLIPS)
    features = motion_examples.scene_features(performer.listener.encoder, scenes)

    def run(name: str, variant: Variant) -> dict:
        crops = motion_examples.CropMaker(scenes, features, seed, variant.augmented)
        sizes = replace(motion.SMALL, **variant.sizes)
        folder = options.output / name
        decoder = trained_decoder(folder, options.steps, crops, performer.device, sizes, variant.schedule)

        def figures() -> dict:
            rows = {key: variant_figures(variant, decoder, performer, test, seed) for key, test in tests.items()}
            codes = variant.codes(decoder, tests["LJ Speech"].features[0], seed)
            return rows | {"smoothing": smoothing_figures(performer.head, codes)}

        return {"title": variant.title} | kept(folder / "figures.json", figures)

    report = settings | {"bundle": performer.bundle.name}  # not where it lies
    report |= {"scenes": len(scenes), "batch": motion_examples.BATCH, "crop": motion_examples.CROP}
    report |= {"sampling_steps": SAMPLING_STEPS, "guidance": GUIDANCE}
    report["variants"] = {name: run(name, variant) for name, variant in VARIANTS.items()}
    report["prior"] = {key: prior_figures(performer, test, seed) for key, test in tests.items()}
    write_report(options.report, "ablations", report, report_text)
    plot(options.report / "ablations.png", report)


if __name__ == "__main__":
    sys.exit(exit_status(main))
