"""Takes of a trained bundle for recordings it has not heard, or for the sequences of a dataset.

    python -m training.perform RUN/export --audio test_set --output TAKES
    python -m training.perform RUN/export --data SET --only RUN --output TAKES
    python -m training.perform RUN/export --data SET --meshes 64 --identity zero --output TAKES

`--audio` is a folder of sound files, also in folders, as the paper's hybrid test set; `--data` a dataset, of which
`--only RUN` takes what that run kept out. A bundle that was trained on landmarks follows those of the dataset.

Every take is a sequence in the dataset's layout: `TAKES/<name>/audio/cleaned_audio.wav`,
`nphm_tracking/nphm_expressions/frame_<number>.npz` and, with --meshes, `nphm_tracking/nphm_meshes/frame_<number>.ply`.
"""

from __future__ import annotations

import argparse
import sys
from functools import lru_cache
from pathlib import Path

import numpy as np
import soundfile

from engine import Engine, ExpressionTake
from engine.bundle import Bundle
from engine.devices import choose_device
from engine.motion import audio, diffusion
from engine.motion.denoiser import load_expression_decoder
from engine.motion.landmarks import SECTION, LandmarkCondition
from engine.motion.sampling_defaults import SamplingDefaults
from engine.motion.speech import load_speech_encoder
from engine.ply import write_ply
from engine.shared.errors import EngineError
from engine.shared.options import DEVICE, STARTER
from engine.shared.units import SAMPLE_RATE
from farm.job import Job, whole_folder
from farm.run import add_place_options, place_of, run_jobs
from training.paper_dataset import CLEANED, CODES, read_landmarks
from training.run.loop import run_config
from training.run.options import exit_status

SOUNDS = {".wav", ".flac", ".ogg", ".opus", ".mp3"}
ZERO = "zero"  # the identity code of zeros, which the paper's README offers where there are no identity codes


class Performer:
    """Samples a bundle's codes of a voice or of landmarks; a head is not needed."""

    def __init__(self, folder: str, device: str) -> None:
        self.bundle, self.device = Bundle.open(folder), choose_device(device)
        self.decoder = load_expression_decoder(self.bundle, self.device)
        self.defaults = SamplingDefaults.of(self.bundle)
        follows = SECTION in self.bundle.config
        self.landmarks = LandmarkCondition.of_bundle(self.bundle) if follows else None
        self.encoder = None if follows else load_speech_encoder(self.bundle, self.device)

    def codes(self, sound: Path, sequence: Path | None, seed: int) -> np.ndarray:
        """Codes (N, D). Raises EngineError when landmarks are needed and there is no sequence of a dataset."""
        if self.encoder is not None:
            features = self.encoder.features(audio.load(sound))
        elif self.landmarks is not None and sequence is not None:
            features = self.landmarks.features(read_landmarks(sequence))
        else:
            raise EngineError("This bundle follows landmarks, which recordings have not; give a dataset with --data.")
        defaults = self.defaults
        return diffusion.sample(
            self.decoder,
            features.to(self.device),
            seed=seed,
            steps=defaults.steps,
            sampler=defaults.sampler,
            guidance=defaults.guidance,
        ).numpy()


def perform(job: Job) -> None:
    """Write the take of a job: settings bundle, sound, sequence, seed, meshes, identity, head, device."""
    settings = job.settings
    performer = _performer(settings["bundle"], settings["device"])
    sequence = Path(settings["sequence"]) if settings["sequence"] else None
    codes = performer.codes(Path(settings["sound"]), sequence, settings["seed"])
    rate = performer.decoder.config.code_rate
    with whole_folder(job.outputs[0]) as part:
        (part / "audio").mkdir()
        samples = audio.load(settings["sound"])[: round(len(codes) / rate * SAMPLE_RATE)]
        soundfile.write(part / "audio" / CLEANED, samples, SAMPLE_RATE)
        (part / CODES).mkdir(parents=True)
        for number, code in enumerate(codes):
            np.savez(part / CODES / f"frame_{number:05d}.npz", expression=code)
        if settings["meshes"]:
            _write_meshes(part / CODES.parent / "nphm_meshes", ExpressionTake(codes, rate), settings)


def jobs_of(options: argparse.Namespace) -> list[Job]:
    """A job for every recording or sequence. Raises EngineError when there are none."""
    if (options.audio is None) == (options.data is None):
        raise EngineError("Name the recordings: a folder with --audio, or a dataset with --data.")
    if options.audio is not None:
        paths = sorted(path for path in options.audio.rglob("*") if path.suffix.lower() in SOUNDS)
        names = [path.relative_to(options.audio).with_suffix("").as_posix().replace("/", "_") for path in paths]
        found: list[tuple[str, Path, str]] = [(name, path, "") for name, path in zip(names, paths, strict=True)]
    else:
        wanted = None if options.only is None else set(run_config(options.only).get("validation", []))
        sounds = sorted(options.data.glob(f"*_*/audio/{CLEANED}"))
        folders = [sound.parents[1] for sound in sounds if wanted is None or sound.parents[1].name in wanted]
        found = [(folder.name, folder / "audio" / CLEANED, str(folder.resolve())) for folder in folders]
    if not found:
        raise EngineError(
            f"{options.audio or options.data} has no recordings; name a folder of sound files or a dataset."
        )
    same = {
        "bundle": str(options.bundle.resolve()), "seed": options.seed, "meshes": options.meshes,
        "identity": options.identity, "head": options.head, "device": options.device,
    }  # fmt: skip
    return [
        Job(
            name,
            (options.output.resolve() / name,),
            settings=same | {"sound": str(sound.resolve()), "sequence": sequence},
        )
        for name, sound, sequence in found
    ]


def main(arguments: list[str] | None = None) -> int:
    """Command line. Returns 0, or 2 after printing one line that says what to put right."""
    plain = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser("python -m training.perform", description=__doc__, formatter_class=plain)
    add = parser.add_argument
    add("bundle", type=Path, help="bundle with motion, such as RUN/export")
    add("--audio", type=Path, help="folder of recordings")
    add("--data", type=Path, help="dataset")
    add("--only", type=Path, metavar="RUN", help="the sequences that this training kept out")
    add("--output", type=Path, required=True, help="folder of takes")
    add("--seed", type=int, default=0)
    add("--meshes", type=int, default=0, metavar="CELLS", help="mesh every frame, e.g. 64 cells a side")
    add("--identity", default="mean", help="of the meshes: mean, zero, random:SEED, subject:N or a .npy file")
    add("--head", help="bundle whose head is meshed (default: the bundle's own, else the starter's)")
    add("--device", default=DEVICE)
    add_place_options(parser)
    options = parser.parse_args(arguments)

    def command() -> None:
        run_jobs(perform, jobs_of(options), place_of(options), options.again).require()

    return exit_status(command)


def _write_meshes(folder: Path, take: ExpressionTake, settings: dict) -> None:
    folder.mkdir()
    engine = _head(settings["head"] or settings["bundle"], settings["device"])
    identity = settings["identity"]
    code = np.zeros(engine.head.identity_dimensions, np.float32) if identity == ZERO else identity
    for surface in engine.surfaces(take, identity=code, resolution=settings["meshes"]):
        write_ply(folder / f"frame_{surface.index:05d}.ply", surface)


@lru_cache(maxsize=1)
def _performer(bundle: str, device: str) -> Performer:
    return Performer(bundle, device)


@lru_cache(maxsize=1)
def _head(bundle: str, device: str) -> Engine:
    return Engine.load(STARTER if Bundle.open(bundle).missing("surfaces") else bundle, device)


if __name__ == "__main__":
    sys.exit(main())
