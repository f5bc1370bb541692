"""Evaluate a bundle's performances: head, gaze, blinks, seeds, emotions and speed of movement.

    python -m evaluation.motion.performance --data DATA --output docs/evaluation

Speech: recordings of LJ Speech, which nothing was trained on; captured jaw: FACEGOOD, which the training knows. Writes
`performance.md` and `performance.json`.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np

from engine import Engine
from engine.motion.codes import ExpressionTake
from engine.shared.arkit import ARKIT_NAMES
from engine.shared.controls import CAPTURED, EMOTIONS, FILMED
from engine.shared.errors import EngineError
from engine.shared.lip_opening import lip_opening_mm
from engine.shared.options import DEVICE, STARTER
from engine.shared.pose import POSE_NAMES
from engine.shared.units import CODE_RATE, SAMPLE_RATE
from evaluation.motion import grid_lips, liveliness, metrics
from evaluation.motion.recordings import Recording, native_speech
from evaluation.shared.reports import paragraph, table, write_report
from training.data.corpus import load_recordings
from training.data.films import smoothed
from training.prior.captured_motion import capture_of
from training.run.options import exit_status

SEEDS = 4
EMOTION_RECORDINGS = 8
INTENSITIES = (1.0, 0.5)
SILENCE_SECONDS = 10.0
CAPTURED_SECONDS = 12.0
TIMED_SECONDS = 10.0


def weights_of(take: ExpressionTake) -> np.ndarray:
    """ARKit weights (N, W) of a take. Raises EngineError when its model tells none."""
    if take.weights is None:
        raise EngineError("This bundle's codes have no ARKit weights; run 'fit-arkit' on it first.")
    return take.weights


def opening_of(take: ExpressionTake) -> np.ndarray:
    """Lip opening (N,) of a take in mm. Raises EngineError when it cannot be measured."""
    if take.lip_opening_mm is None:
        raise EngineError("This bundle does not tell the lip opening; add its head.")
    return take.lip_opening_mm


def take_of(engine: Engine, audio: np.ndarray, seed: int, **controls: float) -> ExpressionTake:
    """A take of 16 kHz samples (S,)."""
    return engine.sample((audio, SAMPLE_RATE), seed=seed, controls=controls)


def closure_share(takes: list[ExpressionTake], recordings: list[Recording]) -> float:
    """Share of /p b m/ that close, by the surface of the mean head."""
    counts = [metrics.closures(opening_of(t), r.segments) for t, r in zip(takes, recordings, strict=True)]
    return sum(counts, metrics.Count(0, 0)).share


def face_figures(takes: list[ExpressionTake], audios: list[np.ndarray]) -> dict:
    """Blinks, gaze shifts and the head of takes."""
    seconds = sum(take.duration for take in takes)
    peaks = np.concatenate([liveliness.blink_peaks(weights_of(take)) for take in takes])
    figures = {
        "blinks_per_minute": len(peaks) / seconds * 60,
        "blinks_closed": float((peaks >= liveliness.CLOSED_LID).mean()) if len(peaks) else 0.0,
        "gaze_shifts_per_second": sum(liveliness.gaze_shifts(weights_of(take)) for take in takes) / seconds,
        "brow_p95": float(np.percentile(np.concatenate([_inner_brow(take) for take in takes]), 95)),
    }
    poses = [take.pose for take in takes if take.pose is not None]
    if not poses:
        return figures
    deviations = np.mean([pose.std(axis=0) for pose in poses], axis=0)
    figures |= dict(zip(("pitch_sd", "yaw_sd", "roll_sd"), map(float, deviations), strict=False))
    hits, total, chance = np.sum(
        [liveliness.nods_at_accents(pose, audio) for pose, audio in zip(poses, audios, strict=True)], axis=0
    )
    share = {"nods_at_accents": hits / max(total, 1), "nods_by_chance": chance / max(total, 1)}
    return figures | {"nods_per_second": total / seconds} | share


def _inner_brow(take: ExpressionTake) -> np.ndarray:
    return weights_of(take)[:, ARKIT_NAMES.index("browInnerUp")]


def seed_figures(engine: Engine, recordings: list[Recording], seed: int) -> dict:
    """How takes of other seeds differ, and whether they close the lips alike."""
    takes = [[take_of(engine, r.audio, seed + s) for r in recordings] for s in range(SEEDS)]
    pairs = [
        liveliness.mouth_likeness(weights_of(takes[s][i]), weights_of(takes[s + 1][i]))
        for s in range(SEEDS - 1)
        for i in range(len(recordings))
    ]
    return {"mouth_correlation": float(np.mean(pairs)), "closures": [closure_share(t, recordings) for t in takes]}


def emotion_figures(engine: Engine, recordings: list[Recording], seed: int) -> dict:
    """Closures under every emotion, whether its facial actions tell it, and how the head is held."""
    neutral = [take_of(engine, r.audio, seed + 100) for r in recordings]
    mean = np.concatenate([take.weights for take in neutral]).mean(axis=0)
    figures: dict[str, dict] = {"neutral": {"closures": closure_share(neutral, recordings)}}
    for emotion in EMOTIONS:
        row: dict[str, float | list[float]] = {}
        for intensity in INTENSITIES:
            takes = [take_of(engine, r.audio, seed + i, **{emotion: intensity}) for i, r in enumerate(recordings)]
            named = [liveliness.named_emotion(weights_of(take).mean(axis=0), mean) == emotion for take in takes]
            row[f"named_{intensity:g}"] = float(np.mean(named))
            if intensity == 1:
                row["closures"] = closure_share(takes, recordings)
                row["pitch"] = float(np.mean([take.pose[:, 0].mean() for take in takes if take.pose is not None]))
        figures[emotion] = row
    return figures


def speed_figures(engine: Engine, data: Path, seed: int) -> dict:
    """Power of jaw and lip opening over the capture's, by band, as the prior and as the captured speaker speaks."""
    corpus = load_recordings(data, "facegood")
    captures: list[list[np.ndarray]] = []
    powers: dict[str, dict] = {}
    kinds: dict[str, dict[str, float]] = {"default": {}}
    if CAPTURED in engine.info()["controls"]:
        kinds["captured speaker"] = {CAPTURED: 1.0}
    sums = {name: [np.zeros(4), np.zeros(4)] for name in kinds}
    correlations: dict[str, list[float]] = {name: [] for name in kinds}
    for clip in corpus.clips:
        audio, capture = corpus.audio(clip), capture_of(data, clip)
        length = int(CAPTURED_SECONDS * CODE_RATE)
        for start in range(0, min(len(capture), int(clip.duration * CODE_RATE)) - length, 4 * length):
            truth = capture[start : start + length]
            first = int(start * SAMPLE_RATE / CODE_RATE)
            part = audio[first : first + int(CAPTURED_SECONDS * SAMPLE_RATE)]
            captures.append([liveliness.band_powers(x) for x in _jaw_and_lips(truth)])
            for name, controls in kinds.items():
                take = take_of(engine, part, seed, **controls)
                found = _jaw_and_lips(weights_of(take))
                for i in range(2):
                    sums[name][i] += liveliness.band_powers(found[i])
                correlations[name].append(metrics.correlation(found[0], _jaw_and_lips(truth)[0]))
    true = np.sum(captures, axis=0)
    for name, (jaw, lips) in sums.items():
        powers[name] = {"jaw": list(jaw / true[0]), "lips": list(lips / true[1])}
        powers[name]["jaw_correlation"] = float(np.mean(correlations[name]))
    return powers


def _jaw_and_lips(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return weights[:, ARKIT_NAMES.index("jawOpen")], np.clip(lip_opening_mm(weights), 0, None)


def silence_figures(engine: Engine, seed: int) -> dict:
    """Ten seconds in which nobody speaks."""
    audio = np.zeros(int(SILENCE_SECONDS * SAMPLE_RATE), np.float32)
    takes = [take_of(engine, audio, seed + s) for s in range(SEEDS)]
    opening = max(float(lip_opening_mm(weights_of(take)).max()) for take in takes)
    poses = [take.pose for take in takes if take.pose is not None]
    figures = face_figures(takes, [audio] * SEEDS) | {"largest_opening_mm": opening}
    if poses:
        figures["lift_sd"] = float(np.mean([pose[:, POSE_NAMES.index("z")].std() for pose in poses]))
        figures["drift"] = float(np.mean([np.ptp(pose[:, :3], axis=0).max() for pose in poses]))
    return figures


def lips_figures(engine: Engine, data: Path, seed: int) -> dict:
    """Lip opening of takes against GRID's tracked lips: mean correlation in a sentence, and power by band.

    Of takes that are asked for nothing and for the filmed speaker; each as it is and as the tracker would show it.
    """
    kinds: dict[str, dict[str, float]] = {"default": {}}
    if FILMED in engine.info()["controls"]:
        kinds["filmed speaker"] = {FILMED: 1.0}
    figures: dict = {}
    for kind, controls in kinds.items():
        sums: dict[str, tuple[list[float], np.ndarray, np.ndarray]] = {
            name: ([], np.zeros(4), np.zeros(4)) for name in ("as it is", "as tracked")
        }
        for number, (audio, truth) in enumerate(grid_lips.sentences(data)):
            weights = weights_of(take_of(engine, audio, seed + number, **controls))
            found = grid_lips.at_film_times(grid_lips.opening_of_weights(weights), len(truth))
            truth = truth[: len(found)]
            for name, values in (("as it is", found), ("as tracked", smoothed(found))):
                sums[name][0].append(metrics.correlation(values, truth))
                for place, course in enumerate((values, truth)):
                    sums[name][1 + place][:] += liveliness.band_powers(course, grid_lips.FILM_RATE)
        for name, (correlations, powers, true) in sums.items():
            if correlations:
                row = {"correlation": float(np.mean(correlations)), "powers": list(map(float, powers / true))}
                figures[f"{kind}, {name}"] = row | {"sentences": len(correlations)}
    return figures


def seconds_to_codes(engine: Engine, audio: np.ndarray, seed: int) -> float:
    """Seconds from ten seconds of sound to a take, models loaded; the best of three."""
    part = np.resize(audio, int(TIMED_SECONDS * SAMPLE_RATE))
    durations = []
    for _ in range(3):
        begun = time.perf_counter()
        take_of(engine, part, seed)
        durations.append(time.perf_counter() - begun)
    return min(durations)


def evaluate(engine: Engine, data: Path, seed: int) -> dict:
    """All figures of the report."""
    recordings = native_speech(data)
    takes = [take_of(engine, recording.audio, seed + i) for i, recording in enumerate(recordings)]
    figures = {
        "recordings": len(recordings),
        "speech": face_figures(takes, [r.audio for r in recordings]) | {"closures": closure_share(takes, recordings)},
        "silence": silence_figures(engine, seed),
        "seeds": seed_figures(engine, recordings[:EMOTION_RECORDINGS], seed),
        "speed": speed_figures(engine, data, seed),
        "lips": lips_figures(engine, data, seed),
        "seconds_to_codes": seconds_to_codes(engine, recordings[0].audio, seed),
    }
    if EMOTIONS[0] in engine.info()["controls"]:
        figures["emotions"] = emotion_figures(engine, recordings[:EMOTION_RECORDINGS], seed)
    return figures


ROWS = {
    "blinks_per_minute": ("blinks a minute", "10 to 25", "{:.1f}"),
    "blinks_closed": ("blinks whose peak is 0.95 or more", "95 %", "{:.0%}"),
    "gaze_shifts_per_second": ("gaze shifts a second", "1 to 3", "{:.2f}"),
    "brow_p95": ("inner brow, 95th percentile", "talks: 0.59, 0.81", "{:.2f}"),
    "pitch_sd": ("head pitch, standard deviation in a clip, degrees", "2 to 6", "{:.1f}"),
    "yaw_sd": ("head yaw", "2 to 6", "{:.1f}"),
    "roll_sd": ("head roll", "", "{:.1f}"),
    "nods_per_second": ("nods a second", "", "{:.2f}"),
    "nods_at_accents": ("nods within 80 ms of a pitch accent", "60 %", "{:.0%}"),
    "nods_by_chance": ("the same by chance", "", "{:.0%}"),
    "closures": ("/p b m/ that close", "", "{:.1%}"),
    "lift_sd": ("breath and drift: the head's height, mm", "alive", "{:.1f}"),
    "drift": ("and its widest turn in ten seconds, degrees", "alive", "{:.1f}"),
    "largest_opening_mm": ("largest lip opening, mm", "closed", "{:.2f}"),
}


def report_text(figures: dict) -> str:
    """The report as Markdown."""
    columns = (figures["speech"], figures["silence"])
    rows = [
        [text, wanted, *(form.format(column[key]) if key in column else "-" for column in columns)]
        for key, (text, wanted, form) in ROWS.items()
        if any(key in column for column in columns)
    ]
    seeds = figures["seeds"]
    closures = ", ".join(f"{share:.1%}" for share in seeds["closures"])
    lines = ["# Performance", ""]
    lines += paragraph(
        f"Takes of {figures['recordings']} recordings of LJ Speech and of silence, made by "
        "`python -m evaluation.motion.performance`. Pitch accents are peaks of prominence in the sound "
        "(`engine/motion/prosody.py`); a nod is a lowest point of the head at least 1 degree below its surroundings."
    )
    lines += ["", *table(["figure", "wanted", "speech", "silence"], rows), "", "## Seeds", ""]
    lines += paragraph(
        f"Mean correlation of the moving weights of the mouth between takes of two seeds: "
        f"{seeds['mouth_correlation']:.2f} (wanted: 0.80 to 0.95); /p b m/ closed by seed: {closures}. Ten seconds of "
        f"sound to a take: {figures['seconds_to_codes']:.2f} s."
    )
    lines += ["", "## Power against captured sentences", ""]
    lines += paragraph(
        "Takes of FACEGOOD's recordings, which the training knows, over the capture: wanted are 0.7 to 1.3 in each "
        "band. `captured speaker` asks for the way in which she speaks (control `captured`)."
    )
    header = ["takes", "of", *(f"{low:g} to {high:g} Hz" for low, high in liveliness.BANDS), "correlation of the jaw"]
    lines += ["", *table(header, _speed_rows(figures["speed"]))]
    if lips := figures.get("lips"):
        lines += ["", "## Filmed lips", ""]
        lines += paragraph(
            f"Takes of {next(iter(lips.values()))['sentences']} sentences of GRID's speaker s1 whose lips no training "
            "saw, against the tracked lips at the film's rate. MediaPipe's video mode smooths in time: of rendered "
            "heads it shows 0.90, 0.72, 0.54 and 0.50 of the power of the true lips by band, and correlates with them "
            "by 0.97 (`python -m evaluation.capture.tracker`). So takes are compared as they are, and as that tracker "
            "would show them (a frame keeps 0.35 of the one before). `filmed speaker` asks for this man's way to speak "
            "(control `filmed`). Wanted: correlation 0.85, power 0.7 to 1.3."
        )
        header = ["takes", "correlation", *(f"{low:g} to {high:g} Hz" for low, high in liveliness.BANDS)]
        rows = [
            [name, f"{row['correlation']:.2f}", *(f"{value:.2f}" for value in row["powers"])]
            for name, row in lips.items()
        ]
        lines += ["", *table(header, rows)]
    if "emotions" in figures:
        lines += ["", "## Emotions", ""]
        lines += paragraph(
            "Asked for at intensity 1 and 0.5; named by the prototype of facial actions nearest to the difference of "
            "the take's mean weights from those of neutral takes of another seed, seven ways (chance: 14 %)."
        )
        header = ["emotion", "named at 1", "named at 0.5", "/p b m/ closed", "head pitch, degrees"]
        lines += ["", *table(header, _emotion_rows(figures["emotions"]))]
    return "\n".join(lines) + "\n"


def _speed_rows(speed: dict) -> list[list[str]]:
    rows = []
    for name, powers in speed.items():
        for part in ("jaw", "lips"):
            shown = f"{powers['jaw_correlation']:.2f}" if part == "jaw" else "-"
            rows.append([name, part, *(f"{value:.2f}" for value in powers[part]), shown])
    return rows


def _emotion_rows(emotions: dict) -> list[list[str]]:
    rows = []
    for name, row in emotions.items():
        named = [f"{row[key]:.0%}" if key in row else "-" for key in ("named_1", "named_0.5")]
        pitch = f"{row['pitch']:+.1f}" if "pitch" in row else "-"
        rows.append([name, *named, f"{row['closures']:.1%}", pitch])
    return rows


def main(arguments: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser("python -m evaluation.motion.performance", description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="data folder")
    parser.add_argument("--output", type=Path, required=True, help="folder for the report")
    parser.add_argument("--bundle", default=STARTER)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default=DEVICE)
    options = parser.parse_args(arguments)
    figures = evaluate(Engine.load(options.bundle, options.device), options.data, options.seed)
    write_report(options.output, "performance", figures, report_text)


if __name__ == "__main__":
    sys.exit(exit_status(main))
