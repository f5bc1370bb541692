"""Training as in the paper on a tiny dataset in the paper's folder layout: right crops, resumed bit for bit, exported
for the engine; every kind of bad data is one sentence."""

import json
import shutil

import numpy as np
import pytest
import soundfile
import torch
from repository import PARITY

from engine import Engine
from engine.bundle import Bundle
from engine.importing.nphm import import_nphm
from engine.motion.audio import load as load_sound
from engine.shared.errors import EngineError
from training import paper, perform
from training.paper_dataset import TrackedSequence, read_sequences, split

ENCODER = PARITY / "wav2vec2_faceformer_small"
FRAMES, DIMENSIONS, RATE = 60, 12, 22050
NAMES = ["017_hello", "017_numbers", "030_hello", "101_hello_again"]


def write_sequence(folder, frames=FRAMES, dimensions=DIMENSIONS, seconds=FRAMES / 24, first=3, seed=0):
    generator = np.random.default_rng(seed)
    codes = folder / "nphm_tracking" / "nphm_expressions"
    codes.mkdir(parents=True)
    (folder / "audio").mkdir()
    soundfile.write(folder / "audio" / "cleaned_audio.wav", 0.1 * generator.standard_normal(int(seconds * RATE)), RATE)
    (folder / "audio" / "wave2vec_audio_feats.pkl").write_bytes(b"never read")
    for number, code in enumerate(generator.normal(0, 0.05, (frames, dimensions))):
        np.savez(codes / f"frame_{first + number}.npz", expression=code.astype(np.float32)[None])
    return codes


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / "data"
    for seed, name in enumerate(NAMES):
        write_sequence(folder / name, seed=seed)
    (folder / "notes").mkdir()
    return folder


@pytest.fixture
def train(data, tmp_path, monkeypatch):
    monkeypatch.setattr(paper, "BATCH", 4)

    def run(*options, output="run"):
        common = ["--data", str(data), "--speech-encoder", str(ENCODER), "--output", str(tmp_path / output)]
        return paper.main([*common, "--device", "cpu", *map(str, options)])

    return run


def checkpoint(folder):
    return torch.load(folder / "checkpoint.pt", weights_only=True)


def test_frames_are_read_in_the_order_of_their_numbers(data):
    sequences = read_sequences(data, 48)
    assert [sequence.name for sequence in sequences] == NAMES
    expected = np.random.default_rng(1)
    expected.standard_normal(int(FRAMES / 24 * RATE))
    # frame_3 ... frame_62: as text, frame_10 would come before frame_3.
    np.testing.assert_array_equal(sequences[1].codes, expected.normal(0, 0.05, (FRAMES, 12)).astype(np.float32))
    assert sequences[0].audio.name == "cleaned_audio.wav"


def test_whole_sequences_are_kept_out_for_validation(data):
    sequences = read_sequences(data, 48)
    training, validation = split(sequences, 0.25, seed=5)
    assert len(training) == 3
    assert len(validation) == 1
    assert {s.name for s in training} | {s.name for s in validation} == set(NAMES)
    assert [s.name for s in split(sequences, 0.25, seed=5)[1]] == [validation[0].name]
    assert len({split(sequences, 0.25, seed=seed)[1][0].name for seed in range(20)}) > 1
    assert [len(part) for part in split(sequences, 0.0, 0)] == [3, 1]
    assert [len(part) for part in split(sequences, 1.0, 0)] == [1, 3]


class CountingEncoder:
    """Its feature is the number of the frame, counted on from a start of its own for every sound."""

    def features(self, samples):
        frames = round(24 * len(samples) / 16000)
        return 1000 * round(float(abs(samples[0]) * 10)) + 1.0 + torch.arange(frames)[:, None]


def test_crops_keep_sound_and_codes_together_and_scale_each_by_a_factor_of_its_own(tmp_path):
    sequences = []
    for number, frames in enumerate((48, 60, 90), start=1):
        path = tmp_path / f"{number}.wav"
        soundfile.write(path, np.tile([0.1 * number, -0.1 * number], round(frames * 8000 / 24)), 16000, "FLOAT")
        codes = 1000.0 * number + 1.0 + np.arange(frames, dtype=np.float32)[:, None]
        sequences.append(TrackedSequence(str(number), path, codes))
    encoder = CountingEncoder()
    crops = paper.Crops(lambda sequence: encoder.features(load_sound(sequence.audio)), sequences)
    batches = [crops.batch(0, step) for step in range(20)]
    features, codes = (torch.cat(parts) for parts in zip(*batches, strict=True))
    factors = codes / features
    # Features are kept in half precision, hence the tolerance.
    torch.testing.assert_close(factors, factors[:, :1].expand_as(factors), rtol=2e-3, atol=0)
    assert features.shape == (20 * paper.BATCH, paper.CROP, 1)
    assert 0.49 < factors.min() < 0.6
    assert 2.9 < factors.max() < 3.01
    assert abs(factors.mean() - 1.75) < 0.15
    lengths = [(codes // 1000 == number).float().mean().item() for number in (1,)]
    assert lengths[0] < 0.2  # the shortest sequence has one crop of 57
    torch.testing.assert_close(crops.batch(0, 7)[1], batches[7][1], rtol=0, atol=0)
    assert not torch.equal(crops.batch(1, 7)[1], batches[7][1])


def test_the_trained_decoder_is_the_papers_and_speaks_through_the_engine(train, data, tmp_path, capsys):
    assert train("--steps", 2, "--validation", 0.25) == 0
    run = tmp_path / "run"
    lists = json.loads((run / "config.json").read_text())
    assert sorted(lists["training"] + lists["validation"]) == NAMES
    section = Bundle.open(run / "export").section("motion")
    published = {"layers": 8, "width": 256, "heads": 8, "feed_forward": 1024, "window": 48, "causal": True}
    assert published.items() <= section.items()
    files = [path for name in lists["training"] for path in (data / name).rglob("frame_*.npz")]
    codes = np.stack([np.load(path)["expression"] for path in files])
    assert section["code_scale"] == pytest.approx(np.sqrt(np.mean(codes.astype(float) ** 2)), rel=1e-6)
    (entry,) = map(json.loads, (run / "log.jsonl").read_text().splitlines())
    assert entry["step"] == 2
    assert 0.5 < entry["validation"] < 5

    import_nphm([PARITY / "nphm_backward_small"], run / "export", add=True)
    engine = Engine.load(run / "export", "cpu")
    assert engine.info()["missing"]["sample"] == []
    take = engine.sample((np.sin(np.arange(16000)), 16000), steps=2)
    assert take.codes.shape == (24, DIMENSIONS)
    assert np.isfinite(take.codes).all()


@pytest.mark.slow
def test_a_stopped_run_goes_on_bit_for_bit(train, tmp_path):
    assert train("--steps", 3) == 0
    assert train("--steps", 1, output="stopped") == 0
    assert train("--steps", 3, output="stopped") == 0
    states = [checkpoint(tmp_path / name) for name in ("run", "stopped")]
    assert [state["step"] for state in states] == [3, 3]
    for part in ("network", "average"):
        for name, tensor in states[0][part].items():
            assert torch.equal(tensor, states[1][part][name]), name


def test_a_run_of_other_codes_is_not_continued(train, data, capsys):
    assert train("--steps", 1) == 0
    for name in NAMES:
        shutil.rmtree(data / name)
        write_sequence(data / name, dimensions=7)
    assert train("--steps", 2) == 2
    assert "other codes" in capsys.readouterr().err


def frame(folder, number=10):
    return folder / NAMES[1] / "nphm_tracking" / "nphm_expressions" / f"frame_{number}.npz"


def audio(folder):
    return folder / NAMES[1] / "audio"


def other_model(folder):
    shutil.rmtree(folder / NAMES[1])
    write_sequence(folder / NAMES[1], dimensions=7)


def shorter(folder, seconds):
    shutil.rmtree(folder / NAMES[1])
    write_sequence(folder / NAMES[1], frames=round(24 * seconds), seconds=seconds)


def two_sounds(folder):
    shutil.copy(audio(folder) / "cleaned_audio.wav", audio(folder) / "b.wav")
    (audio(folder) / "cleaned_audio.wav").rename(audio(folder) / "a.wav")


def keep_one(folder):
    for name in NAMES[1:]:
        shutil.rmtree(folder / name)


CODE = np.zeros(DIMENSIONS, np.float32)
BAD = {
    "lacks 1 frames of codes, the first is frame 10": lambda d: frame(d).unlink(),
    "lasts 60 frames at 24 Hz, but it has 57": lambda d: [frame(d, n).unlink() for n in (60, 61, 62)],
    "NaN or infinity": lambda d: np.savez(frame(d), expression=np.full(DIMENSIONS, np.nan, np.float32)),
    "has 5 numbers and the frames before it 12": lambda d: np.savez(frame(d), expression=CODE[:5]),
    "have 7 numbers and those of 017_hello 12": other_model,
    "not hold real numbers": lambda d: np.savez(frame(d), expression=np.array(["a"])),
    "damaged or not an .npz": lambda d: frame(d).write_bytes(b"PK\x03\x04 cut"),
    "damaged or not an .npz file": lambda d: np.savez(frame(d), expression=np.array([{}], object)),
    "holds expression, identity; name the code's array": lambda d: np.savez(frame(d), expression=CODE, identity=CODE),
    "has no codes": lambda d: shutil.rmtree(frame(d).parent),
    "has no sound": lambda d: (audio(d) / "cleaned_audio.wav").unlink(),
    "has 2 sounds": two_sounds,
    "not a sound file": lambda d: (audio(d) / "cleaned_audio.wav").write_bytes(b"RIFF"),
    "has 24 frames, but training takes 48": lambda d: shorter(d, 1.0),
    "has one sequence": keep_one,
    "has no sequences": shutil.rmtree,
}


@pytest.mark.parametrize("sentence", BAD)
def test_bad_data_is_one_sentence_and_nothing_is_written(train, data, tmp_path, capsys, sentence):
    BAD[sentence](data)
    assert train("--steps", 1) == 2
    error = capsys.readouterr().err
    assert sentence in error
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_the_codes_array_can_be_named(data):
    for path in (data / NAMES[0]).rglob("frame_*.npz"):
        code = np.load(path)["expression"]
        np.savez(path, expression=code, identity=np.zeros(40, np.float32))
    assert read_sequences(data, 48, key="expression")[0].codes.shape == (FRAMES, DIMENSIONS)


def write_landmarks(folder, frames=FRAMES):
    generator = np.random.default_rng(1)
    landmarks = 0.05 * generator.standard_normal((68, 3)) + 0.002 * generator.standard_normal((frames, 68, 3))
    (folder / "point_clouds").mkdir()
    np.savez(folder / "point_clouds" / "landmarks.npz", landmarks=landmarks.astype(np.float32))
    return landmarks


def test_landmarks_take_the_place_of_the_voice(train, data, tmp_path, capsys):
    assert train("--steps", 1, "--condition", "landmarks") == 2
    assert "run python -m training.capture points" in capsys.readouterr().err
    for name in NAMES:
        landmarks = write_landmarks(data / name)
    assert train("--steps", 1, "--condition", "landmarks") == 0
    export = tmp_path / "run" / "export"
    assert Bundle.open(export).section("motion")["audio_dimensions"] == 204
    import_nphm([PARITY / "nphm_backward_small"], export, add=True)
    engine = Engine.load(export, "cpu")
    take = engine.follow(landmarks, 48.0, steps=2)
    assert take.codes.shape == (FRAMES // 2, DIMENSIONS)
    np.testing.assert_array_equal(take.codes, engine.follow(landmarks, 48.0, steps=2).codes)
    with pytest.raises(EngineError, match="follows a voice, not landmarks"):
        Engine.load("starter", "cpu").follow(landmarks, 24.0)


def test_takes_of_a_bundle_are_a_dataset(train, data, tmp_path, capsys):
    assert train("--steps", 1) == 0
    kept_out = json.loads((tmp_path / "run" / "config.json").read_text())["validation"]
    export = str(tmp_path / "run" / "export")
    import_nphm([PARITY / "nphm_backward_small"], tmp_path / "head")
    common = [export, "--output", str(tmp_path / "takes"), "--workers", "1", "--device", "cpu"]
    assert perform.main([*common, "--data", str(data), "--only", str(tmp_path / "run")]) == 0
    (found,) = read_sequences(tmp_path / "takes", 48)
    assert [found.name] == kept_out
    assert found.codes.shape == (FRAMES, DIMENSIONS)
    assert np.std(found.codes) > 0
    sounds = tmp_path / "sounds" / "vocaset"
    sounds.mkdir(parents=True)
    soundfile.write(sounds / "hello.wav", 0.1 * np.random.default_rng(0).standard_normal(1400), 16000)
    meshes = ["--meshes", "32", "--identity", "zero", "--head", str(tmp_path / "head")]
    assert perform.main([*common, "--audio", str(tmp_path / "sounds"), *meshes]) == 0
    made = tmp_path / "takes" / "vocaset_hello" / "nphm_tracking"
    assert [path.name for path in sorted((made / "nphm_meshes").iterdir())] == ["frame_00000.ply", "frame_00001.ply"]
    assert perform.main([*common, "--audio", str(tmp_path / "run")]) == 2
    assert "has no recordings" in capsys.readouterr().err
    assert perform.main(common) == 2
    assert "Name the recordings" in capsys.readouterr().err


def test_flame_coefficients_take_the_place_of_codes(train, data, tmp_path, capsys):
    assert train("--steps", 1, "--target", "flame") == 2
    assert "run python -m training.capture flame" in capsys.readouterr().err
    for name in NAMES:
        (data / name / "flame_2023_tracking").mkdir()
        expression = np.random.default_rng(0).standard_normal((FRAMES, 9))
        np.savez(data / name / "flame_2023_tracking" / "parameters.npz", expression=expression, scale=np.array(1.0))
    assert train("--steps", 1, "--target", "flame") == 0
    section = Bundle.open(tmp_path / "run" / "export").section("motion")
    assert section["code_dimensions"] == 9
    assert section["code_scale"] == pytest.approx(1, abs=0.05)


def test_scalars_and_meshes_are_written_on_the_way(train, tmp_path, monkeypatch):
    accumulators = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    monkeypatch.setattr("training.paper_preview.FRAMES", 2)
    import_nphm([PARITY / "nphm_backward_small"], tmp_path / "head")
    meshes = ["--meshes-with", tmp_path / "head", "--meshes-every", 1, "--resolution", 32]
    assert train("--steps", 1, *meshes) == 0
    found = sorted(path.name for path in (tmp_path / "run" / "meshes").rglob("*.ply"))
    assert found == ["frame_00000.ply", "frame_00001.ply"]
    events = accumulators.EventAccumulator(str(tmp_path / "run" / "tensorboard"))
    events.Reload()
    (validation,) = events.Scalars("validation")
    assert validation.step == 1
    assert 0.5 < validation.value < 5


def test_a_folder_without_speech_encoder_is_refused(train, tmp_path, capsys):
    assert train("--steps", 1, "--speech-encoder", tmp_path) == 2
    assert "wav2vec 2.0" in capsys.readouterr().err
    assert not (tmp_path / "run" / "config.json").exists()
