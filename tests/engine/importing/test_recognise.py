"""Folders and files that a person may choose are told apart by name, and anything else is refused."""

import pytest
from repository import PARITY, ROOT

from engine.importing.recognise import recognise
from engine.shared.errors import EngineError


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        (ROOT / "engine" / "starter", "bundle"),
        (PARITY / "nphm_forward_small", "nphm"),
        (PARITY / "nphm_backward_small" / "checkpoints" / "checkpoint_epoch_6000.tar", "nphm"),
        (PARITY / "wav2vec2_layernorm_small", "wav2vec2"),
        (PARITY / "wav2vec2_layernorm_small" / "faceformer_style_state_dict.pt", "wav2vec2"),
    ],
)
def test_kinds(source, kind):
    assert recognise(source) == kind


@pytest.mark.parametrize("name", ["empty", "none", "text.txt"])
def test_other_choices_are_refused(tmp_path, name):
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.txt").write_text("hello")
    with pytest.raises(EngineError, match="neither a model bundle nor"):
        recognise(tmp_path / name)
