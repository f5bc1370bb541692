"""wav2vec 2.0 weights become the speech encoder of a bundle, from every public form; anything doubtful is refused."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from repository import PARITY
from safetensors.torch import load_file, save_file

from engine.bundle import Bundle, merge_section
from engine.importing.wav2vec2 import import_wav2vec2, read_sizes
from engine.motion.speech import load_speech_encoder
from engine.shared.errors import EngineError

FOLDERS = ("wav2vec2_faceformer_small", "wav2vec2_layernorm_small")
TOLERANCE = 2e-5


@pytest.fixture
def model(tmp_path):
    """A copy of a Hugging Face folder that a test may damage."""
    return Path(shutil.copytree(PARITY / FOLDERS[0], tmp_path / "model"))


def refuse(source, folder, match, **options):
    with pytest.raises(EngineError, match=match) as raised:
        import_wav2vec2(source, folder / "bundle", **options)
    assert "\n" not in str(raised.value)
    assert sorted(path.name for path in folder.iterdir()) == ["model"]


@pytest.mark.parametrize("form", ["safetensors", "bin", "faceformer"])
@pytest.mark.parametrize("name", FOLDERS)
def test_every_public_form_gives_the_reference_features(name, form, tmp_path):
    source = Path(shutil.copytree(PARITY / name, tmp_path / "model"))
    options = {}
    if form == "bin":
        torch.save(load_file(source / "model.safetensors"), source / "pytorch_model.bin")
        (source / "model.safetensors").unlink()
    elif form == "faceformer":
        options["config"] = (source / "config.json").rename(tmp_path / "sizes.json")
        source = source / "faceformer_style_state_dict.pt"
    bundle = import_wav2vec2(source, tmp_path / "bundle", **options)
    reference = np.load(PARITY / name / "io.npz", allow_pickle=False)
    features = load_speech_encoder(Bundle.open(tmp_path / "bundle")).features(reference["waveform_raw"], 24)
    np.testing.assert_allclose(features, reference["24fps_last_hidden_state"], rtol=0, atol=TOLERANCE)
    assert "speech" in bundle.licences
    assert bundle.missing("sample") == ["head.identity", "head.expression", "motion"]


def test_speech_joins_an_existing_bundle_only_when_asked(tmp_path):
    output = tmp_path / "bundle"
    merge_section(output, "motion", {"layers": 2}, {"weight": torch.eye(2)})
    with pytest.raises(EngineError, match="--add"):
        import_wav2vec2(PARITY / FOLDERS[0], output)
    bundle = import_wav2vec2(PARITY / FOLDERS[0], output, add=True)
    assert bundle.section("motion") == {"layers": 2}
    assert bundle.section("speech")


def test_truncated_weights(model):
    file = model / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-100])
    refuse(model, model.parent, "damaged, incomplete")


@pytest.mark.parametrize("missing", ["model.safetensors", "config.json"])
def test_missing_files_are_named(model, missing):
    (model / missing).unlink()
    refuse(model, model.parent, missing.replace(".", r"\."))


def test_weights_that_are_not_finite(model):
    weights = load_file(model / "model.safetensors")
    weights["encoder.layer_norm.bias"][0] = float("nan")
    save_file(weights, model / "model.safetensors")
    refuse(model, model.parent, r"NaN or infinity in '.*encoder\.layer_norm\.bias'")


@pytest.mark.parametrize("content", ["", "[]", '{"hidden_size": "large"}', '{"hidden_size": 32000}'])
def test_sizes_that_make_no_network(model, content):
    (model / "config.json").write_text(content)
    refuse(model, model.parent, r"config\.json|hidden_size")


def test_other_key_names(model):
    save_file({"speech.weight": torch.eye(3)}, model / "model.safetensors")
    refuse(model, model.parent, "no named weights")


def test_sizes_beside_a_checkpoint_are_taken(model, tmp_path):
    bundle = import_wav2vec2(model / "faceformer_style_state_dict.pt", tmp_path / "bundle")
    assert bundle.section("speech")["hidden_size"] == read_sizes(model / "config.json").hidden_size


def test_a_checkpoint_of_other_sizes(model):
    (model / "config.json").unlink()
    refuse(model / "faceformer_style_state_dict.pt", model.parent, "does not fit the speech model's sizes")


class Payload:
    def __reduce__(self):
        return (Path.touch, (Path("executed"),))


@pytest.mark.parametrize("name", ["pytorch_model.bin", "checkpoint.pth"])
def test_a_payload_is_never_run(model, monkeypatch, name):
    monkeypatch.chdir(model)
    (model / "model.safetensors").unlink()
    torch.save({"audio_encoder.encoder.layer_norm.bias": torch.zeros(3), "state": Payload()}, model / name)
    refuse(model if name.endswith("bin") else model / name, model.parent, "would run code")
    assert not (model / "executed").exists()
