"""NPHM folders that are damaged, incomplete or hostile are refused in one sentence, and nothing is written."""

import shutil
from pathlib import Path, PosixPath

import numpy as np
import pytest
import torch
import yaml
from official_heads import FORWARD_SMALL, SMALL
from repository import PARITY

from engine import EngineError
from engine.importing.nphm import import_nphm

CHECKPOINT = Path("checkpoints", SMALL["nphm_backward_small"])
HOSTILE_SETTINGS = "!!python/object/apply:os.mkdir [executed]"


def assert_nothing_written(folder):
    assert sorted(path.name for path in folder.iterdir()) == ["model"]


def refuse(model, match, **options):
    """The import fails with a sentence that matches, and leaves nothing beside the model."""
    with pytest.raises(EngineError, match=match) as raised:
        import_nphm([model], model.parent / "bundle", **options)
    assert "\n" not in str(raised.value)
    assert_nothing_written(model.parent)


def test_wrong_anchor_count(backward):
    refuse(backward, r"anchors_39\.npy", anchors=PARITY / "mononphm_small" / "anchors_65.npy")


def test_missing_anchors(backward):
    (backward / "anchors_39.npy").unlink()
    refuse(backward, r"mean anchors are missing.*anchors_39\.npy")


@pytest.mark.parametrize("content", [b"", b"text", np.zeros(3)])
def test_anchors_of_another_kind(backward, content):
    file = backward / "anchors_39.npy"
    np.save(file, content) if isinstance(content, np.ndarray) else file.write_bytes(content)
    refuse(backward, r"anchors_39\.npy is not a readable|does not hold finite anchor")


def test_truncated_checkpoint(backward):
    file = backward / CHECKPOINT
    file.write_bytes(file.read_bytes()[:-2000])
    refuse(backward, "damaged, incomplete")


@pytest.mark.parametrize("content", [b"", b"version https://example.org/large-file\n", b"PK\x03\x04"])
def test_no_checkpoint_at_all(backward, content):
    (backward / CHECKPOINT).write_bytes(content)
    refuse(backward, "damaged, incomplete")


def change(folder, edit):
    file = folder / CHECKPOINT
    checkpoint = torch.load(file, weights_only=True)
    edit(checkpoint)
    torch.save(checkpoint, file)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize(
    ("part", "key"),
    [("id_decoder", "mlp_pos.0.bias"), ("ex_decoder", "defDeepSDF.lin6.bias")],
)
def test_weights_that_are_not_finite(backward, part, key, value):
    def poison(checkpoint):
        checkpoint[part][key][0] = value

    change(backward, poison)
    refuse(backward, f"NaN or infinity in '{key}'")


@pytest.mark.parametrize(
    ("part", "old", "new", "match"),
    [
        ("id_decoder", "mlp_pos.4.weight", "mlp.4.weight", "identity network"),
        ("id_decoder", "deepSDFensemble.layers.3.layers.2.weight", "other", "identity network"),
        ("ex_decoder", "compressor.0.weight", "other", "expression network"),
        ("ex_decoder", "defDeepSDF.lin4.weight", "defDeepSDF.lin4.v", "expression network"),
    ],
)
def test_other_key_names(backward, part, old, new, match):
    change(backward, lambda checkpoint: checkpoint[part].update({new: checkpoint[part].pop(old)}))
    refuse(backward, match)


def test_a_checkpoint_of_another_model(backward):
    change(backward, lambda checkpoint: checkpoint.pop("ex_decoder"))
    refuse(backward, "no NPHM network")


def test_networks_that_do_not_belong_together(backward):
    other = torch.load(PARITY / "mononphm_small" / "checkpoints" / SMALL["mononphm_small"], weights_only=True)
    change(backward, lambda checkpoint: checkpoint.update(ex_decoder=other["ex_decoder"]))
    refuse(backward, "belong together")


def test_half_of_the_released_model(tmp_path):
    model = Path(shutil.copytree(PARITY / FORWARD_SMALL, tmp_path / "model"))
    shutil.rmtree(model / "expression")
    refuse(model, "expression network as well")


@pytest.mark.parametrize(
    ("text", "match"),
    [
        (HOSTILE_SETTINGS, "not plain settings"),
        ("decoder: !foreign {id: 3}", "not plain settings"),
        ("decoder: {id: [", "not valid YAML"),
        ("[" * 3000, "not valid YAML"),
        ("- 1", "has no settings"),
        ("decoder: {id: {blend_std: 4.0}}", r"decoder\.id\.nneigh"),
        ("decoder: {id: {nneigh: 8.5, blend_std: 4.0}}", r"whole number in decoder\.id\.nneigh"),
        ("decoder: {id: {nneigh: 99, blend_std: 4.0}}", "99 of 39"),
        ("decoder: {id: {nneigh: 8, blend_std: -1}}", r"decoder\.id\.blend_std"),
    ],
)
def test_settings_that_cannot_be_used(backward, monkeypatch, text, match):
    monkeypatch.chdir(backward)
    (backward / "configs.yaml").write_text(text)
    refuse(backward, match)
    assert not (backward / "executed").exists()


def test_the_hostile_settings_of_this_test_do_run_when_trusted(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    yaml.unsafe_load(HOSTILE_SETTINGS)
    assert (tmp_path / "executed").exists()


def test_missing_settings(backward):
    (backward / "configs.yaml").unlink()
    refuse(backward, r"configs\.yaml is missing")


class Payload:
    def __reduce__(self):
        return (Path.touch, (Path("executed"),))


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("place", ["whole", "optimizer", "weights"])
def test_a_payload_is_never_run(backward, monkeypatch, place, zipped):
    monkeypatch.chdir(backward)
    file = backward / CHECKPOINT
    checkpoint = torch.load(file, weights_only=True)
    if place == "whole":
        checkpoint = Payload()
    else:
        (checkpoint if place == "optimizer" else checkpoint["id_decoder"])[place] = Payload()
    torch.save(checkpoint, file, _use_new_zipfile_serialization=zipped)
    refuse(backward, "would run code")
    assert not (backward / "executed").exists()
    trusted = [getattr, Path, PosixPath, Path.touch]
    with torch.serialization.safe_globals(trusted):
        torch.load(file, weights_only=True)  # the payload is real: it runs where its parts are trusted
    assert (backward / "executed").exists()


def test_pickled_anchors_are_never_run(backward, monkeypatch):
    monkeypatch.chdir(backward)
    np.save(backward / "anchors_39.npy", np.array([Payload()], dtype=object), allow_pickle=True)
    refuse(backward, "not a readable array")
    assert not (backward / "executed").exists()


def test_nothing_there(tmp_path):
    (tmp_path / "model").mkdir()
    refuse(tmp_path / "model", "no checkpoint_epoch")
    with pytest.raises(EngineError, match="There is no folder"):
        import_nphm([tmp_path / "none"], tmp_path / "bundle")
