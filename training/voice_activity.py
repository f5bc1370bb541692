"""Train the starter's voice activity: whether somebody speaks in a code frame, from the frozen encoder's features.

    python -m training.voice_activity --data DATA --cache CACHE --output RUN --bundle BUNDLE --add

Voices as they are, whispered, in other pitches and in noise, alone and over other sounds, against sounds that nobody
speaks (`training.data.voiceless`) and the babble of many. Pauses between words teach nothing. The scenes are made once
and kept beside the decoded audio. After the speech encoder was trained, this has to be run again: it takes minutes.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from engine.bundle import Bundle, merge_section
from engine.motion.speech import SpeechEncoder, load_speech_encoder
from engine.motion.voice_activity import SECTION, VoiceActivity, VoiceActivityConfig, encoder_digest
from engine.shared.options import STARTER
from training.data.corpus import Corpus, load_corpus
from training.run.loop import CHECKPOINT, Recipe, Run
from training.run.options import add_run_options, add_speech_options, exit_status, run_of
from training.voice_scenes import IGNORED, SceneMaker

BATCH = 32
RECIPE = Recipe(warm_up_steps=100, save_every=1000)
VOICE_WEIGHT = 2.0  # a word that is missed is worse than lips that move to a bark
ENCODER = "encoder"  # in the run's config: the digest of the encoder that it listens to
VALIDATED = 10  # every so many-th example


def scenes(corpus: Corpus, path: Path, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Audio (E, S) int16, scaled to its peak, and labels (E, N) of `count` scenes, from a file where it is there."""
    if not path.is_file():
        maker, audio, labels = SceneMaker(corpus, seed), [], []
        for index in range(count):
            samples, label = maker.scene(np.random.default_rng((seed, index)))
            audio.append(np.int16(32767 / max(np.abs(samples).max(), 1e-4) * samples))
            labels.append(label)
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(path, audio=np.stack(audio), labels=np.stack(labels))
    stored = np.load(path, allow_pickle=False)
    return stored["audio"], stored["labels"]


def features_of(audio: np.ndarray, encoder: SpeechEncoder) -> Tensor:
    """Speech features (E, N, H) float16 of scenes (E, S)."""
    return torch.stack([encoder.features(samples.astype(np.float32) / 32767).half() for samples in audio])


def forget_other_encoders(run: Run, encoder: str) -> None:
    """Let a run begin anew whose checkpoint listened to another encoder."""
    config = run.folder / "config.json"
    if run.begun and json.loads(config.read_text("utf-8")).get(ENCODER) != encoder:
        (run.folder / CHECKPOINT).unlink()
        (run.folder / "log.jsonl").unlink(missing_ok=True)


def losses(network: VoiceActivity, features: Tensor, labels: Tensor) -> dict[str, Tensor]:
    """Cross-entropy over labelled frames, and the shares of voiced and of other frames that are told right."""
    scores = network(features.float())
    known, voiced = labels != IGNORED, labels > 0.5
    errors = functional.binary_cross_entropy_with_logits(scores, labels.clamp_min(0.0), reduction="none")
    weights = known * (1 + (VOICE_WEIGHT - 1) * voiced)
    right = (scores > 0) == voiced
    return {
        "loss": (errors * weights).sum() / weights.sum(),
        "voices": right[voiced].float().mean(),
        "others": right[known & ~voiced].float().mean(),
    }


def train(run: Run, features: Tensor, labels: Tensor, encoder: str = "") -> None:
    """Train until the budget is used and export at every checkpoint. encoder: digest of what made the features."""
    torch.manual_seed(run.seed)
    network = VoiceActivity(VoiceActivityConfig(features=features.shape[-1], encoder=encoder))
    optimiser = torch.optim.AdamW(network.parameters(), weight_decay=0.1)
    validated = torch.arange(len(labels)) % VALIDATED == 0
    trained = (~validated).nonzero()[:, 0]

    def loss(step: int) -> tuple[Tensor, dict[str, Tensor]]:
        generator = np.random.default_rng((run.seed, step))
        chosen = trained[torch.from_numpy(generator.integers(len(trained), size=BATCH))]
        parts = losses(network, features[chosen], labels[chosen])
        return parts["loss"], parts

    @torch.no_grad()
    def at_checkpoint(average: VoiceActivity) -> dict[str, float]:
        section = json.loads(json.dumps(asdict(average.config)))
        merge_section(run.folder / "export", SECTION, section, average.state_dict())
        parts = losses(average, features[validated], labels[validated])
        return {f"held_out_{name}": value.item() for name, value in parts.items()}

    run.train(network, [optimiser], loss, RECIPE, at_checkpoint)


def main(arguments: list[str] | None = None) -> int:
    """Command line. Returns 0, or 2 after printing one line that says what to put right."""
    parser = argparse.ArgumentParser("python -m training.voice_activity", description="Train the voice activity.")
    add_speech_options(parser)
    add_run_options(parser, learning_rate=3e-3, steps=1200)
    parser.add_argument("--bundle", default=STARTER, help="bundle whose speech encoder is listened to")
    parser.add_argument("--add", action="store_true", help="put the trained network into that bundle")
    parser.add_argument("--examples", type=int, default=1800, help="of ten seconds (default: %(default)s)")
    options = parser.parse_args(arguments)

    def command() -> None:
        run = run_of(options)
        cache = options.cache or options.output / "cache"
        corpus = load_corpus(options.data, cache, options.synthesised)
        path = options.output / f"scenes_{run.seed}_{options.examples}.npz"
        audio, labels = scenes(corpus, path, options.examples, run.seed)
        bundle = Bundle.open(options.bundle)
        encoder = encoder_digest(bundle)
        forget_other_encoders(run, encoder)
        run.write_config({ENCODER: encoder, "bundle": bundle.name, "examples": options.examples})
        train(run, features_of(audio, load_speech_encoder(bundle)), torch.from_numpy(labels), encoder)
        if options.add:
            trained = Bundle.open(run.folder / "export")
            merge_section(bundle.folder, SECTION, trained.section(SECTION), trained.tensors(SECTION))

    return exit_status(command)


if __name__ == "__main__":
    sys.exit(main())
