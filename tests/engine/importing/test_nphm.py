"""Official NPHM folders become bundles that compute the reference numbers."""

import json

import numpy as np
import pytest
import torch
from dense_surfaces import assert_surface_of, dense_values
from official_heads import FULL, SMALL, full_size_folder, load
from repository import PARITY

from engine import Engine, EngineError
from engine.bundle import Bundle, merge_section
from engine.engine import blender_metres
from engine.head.surface.forward_surface import ForwardSurfaceExtractor
from engine.importing.nphm import LICENCES, import_nphm
from engine.motion.codes import ExpressionTake
from engine.shared.errors import Cancelled

FORWARD = "nphm_forward_small"
TOLERANCE = 1e-5


def assert_reference_numbers(head, reference):
    points = reference["points"]
    for number, (identity_row, expression_row) in enumerate(reference["cases"]):
        identity, expression = reference["id_codes"][identity_row], reference["exp_codes"][expression_row]

        def expected(key, number=number):
            return reference[f"case{number}_{key}"]

        np.testing.assert_allclose(head.anchors(identity), expected("anchors"), rtol=0, atol=TOLERANCE)
        moved = head.deformation(points, identity, expression)
        if head.deforms_forward:
            offsets, distances, values = "offsets_forward", "sdf_canonical", head.signed_distance(points, identity)
        else:
            np.testing.assert_allclose(moved[:, 3:], expected("hyper"), rtol=0, atol=TOLERANCE)
            offsets, distances, values = "offsets", "sdf", head.signed_distance(points, identity, expression)
        np.testing.assert_allclose(moved[:, :3], expected(offsets), rtol=0, atol=TOLERANCE)
        np.testing.assert_allclose(values, expected(distances), rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("name", [FORWARD, *SMALL])
def test_a_published_folder_becomes_a_bundle_with_the_reference_numbers(name, tmp_path):
    bundle = import_nphm([PARITY / name], tmp_path / "bundle")
    head = Engine.load(tmp_path / "bundle", "cpu").head
    assert_reference_numbers(head, load(name)[1])
    assert bundle.name == "bundle"
    assert bundle.licences["head"] in LICENCES.values()
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]


@pytest.mark.parametrize("name", FULL)
def test_full_official_sizes(name, tmp_path):
    folder, reference = full_size_folder(name, tmp_path / "published")
    import_nphm([folder], tmp_path / "bundle")
    assert_reference_numbers(Engine.load(tmp_path / "bundle", "cpu").head, reference)


def test_checkpoint_files_can_be_named_one_by_one(tmp_path):
    files = sorted((PARITY / FORWARD).rglob("*.tar"))
    import_nphm(files, tmp_path / "bundle", anchors=PARITY / FORWARD / "anchors_39.npy")
    assert_reference_numbers(Engine.load(tmp_path / "bundle", "cpu").head, load(FORWARD)[1])


def test_the_last_epoch_is_taken(backward, tmp_path):
    first = backward / "checkpoints" / "checkpoint_epoch_900.tar"
    first.write_bytes(b"older")
    import_nphm([backward], tmp_path / "bundle")


@pytest.mark.parametrize("reading", ["all", "offsets"])
def test_both_readings_of_the_smoothing_survive_the_bundle(reading, tmp_path):
    import_nphm([PARITY / "nphm_backward_small"], tmp_path / "bundle", smoothing=reading)
    head = Engine.load(tmp_path / "bundle", "cpu").head
    _, reference = load("nphm_backward_small")
    key = "sdf_smooth" if reading == "all" else "sdf_smooth_offsets_only"
    identity, expression = reference["id_codes"][0], reference["exp_codes"][0]
    values = head.signed_distance(reference["points"], identity, expression, mask=reference["smooth_weights"])
    np.testing.assert_allclose(values, reference[f"case0_{key}"], rtol=0, atol=TOLERANCE)
    assert head.mask_weights(torch.zeros(1, 3)) is not None


def test_code_books_come_along(tmp_path):
    import_nphm([PARITY / "nphm_backward_small"], tmp_path / "bundle")
    engine = Engine.load(tmp_path / "bundle", "cpu")
    _, reference = load("nphm_backward_small")
    rows = np.stack([engine.identity_code(f"subject:{row}") for row in range(5)])
    np.testing.assert_allclose(rows, reference["lookup_geo"], rtol=0, atol=1e-6)
    rows = np.stack([engine.head.expression_codes.row(row) for row in range(7)])
    np.testing.assert_allclose(rows, reference["lookup_exp"], rtol=0, atol=1e-6)
    with pytest.raises(EngineError, match="0 to 4"):
        engine.identity_code("subject:5")


def test_a_head_without_motion_says_what_is_missing(tmp_path):
    import_nphm([PARITY / FORWARD], tmp_path / "bundle")
    engine = Engine.load(tmp_path / "bundle", "cpu")
    missing = engine.info()["missing"]
    assert missing["surfaces"] == []
    assert missing["sample"] == ["speech", "motion"]
    with pytest.raises(EngineError, match="no speech and no motion"):
        engine.sample((np.zeros(16000, np.float32), 16000))
    with pytest.raises(EngineError, match=r"no head\.template"):
        engine.shape_keys(ExpressionTake(np.zeros((1, 12), np.float32), 24.0))


def test_surfaces_of_a_forward_head_correspond(tmp_path):
    import_nphm([PARITY / FORWARD], tmp_path / "bundle")
    engine = Engine.load(tmp_path / "bundle", "cpu")
    _, reference = load(FORWARD)
    identity, codes = reference["id_codes"][1], reference["exp_codes"][:2]
    frames = list(engine.surfaces(ExpressionTake(codes, 24.0), identity=identity, resolution=20))
    canonical = ForwardSurfaceExtractor(engine.head, identity, 20).extract().canonical
    for frame, code in zip(frames, codes, strict=True):
        posed = canonical + engine.head.deformation(canonical, identity, code)
        np.testing.assert_allclose(frame.vertices, blender_metres(posed), atol=1e-6)
        np.testing.assert_array_equal(frame.faces, frames[0].faces)


@pytest.mark.parametrize("subject", [0, 1])
def test_a_forward_head_is_meshed_once_as_on_the_dense_grid(subject, monkeypatch):
    head, reference = load(FORWARD)
    identity, cells = reference["id_codes"][subject], 28
    extractor = ForwardSurfaceExtractor(head, identity, cells)
    surface = extractor.extract()
    values = dense_values(lambda points: head.signed_distance(points, identity), head.box, cells)
    assert_surface_of(surface.canonical, values, head.box)
    monkeypatch.setattr(head.identity, "evaluate", None)  # from here on only vertices move
    moved = extractor.extract(reference["exp_codes"][0])
    assert np.abs(moved.vertices - surface.vertices).max() > 1e-3


def test_existing_bundles_are_kept_unless_asked_otherwise(tmp_path):
    output = tmp_path / "bundle"
    merge_section(output, "motion", {"layers": 2}, {"weight": torch.eye(2)})
    before = (output / "config.json").read_bytes()
    with pytest.raises(EngineError, match="--replace"):
        import_nphm([PARITY / FORWARD], output)
    with pytest.raises(EngineError, match="mean anchors are missing"):
        import_nphm(sorted((PARITY / FORWARD).rglob("*.tar")), output, replace=True)
    assert (output / "config.json").read_bytes() == before
    added = import_nphm([PARITY / FORWARD], output, add=True)
    assert added.missing("sample") == ["speech"]
    assert added.section("motion") == {"layers": 2}
    replaced = import_nphm([PARITY / FORWARD], output, replace=True)
    assert replaced.missing("sample") == ["speech", "motion"]
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]


def test_other_folders_are_never_replaced(tmp_path):
    output = tmp_path / "holiday"
    output.mkdir()
    (output / "picture.png").write_bytes(b"mine")
    (output / "config.json").write_text(json.dumps({"not": "a bundle"}))
    for option in ({}, {"replace": True}, {"add": True}):
        with pytest.raises(EngineError, match="not a model bundle"):
            import_nphm([PARITY / FORWARD], output, **option)
    assert (output / "picture.png").read_bytes() == b"mine"


def test_cancelling_leaves_nothing(tmp_path):
    stages = []

    def cancelled():
        return len(stages) == 3

    with pytest.raises(Cancelled):
        import_nphm(
            [PARITY / FORWARD],
            tmp_path / "bundle",
            progress=lambda text, fraction: stages.append((text, fraction)),
            cancelled=cancelled,
        )
    assert not list(tmp_path.iterdir())
    assert [fraction for _, fraction in stages] == [0.0, 0.5, 0.6]


def test_bundles_keep_full_precision(tmp_path):
    import_nphm([PARITY / "nphm_backward_small"], tmp_path / "bundle")
    stored = Bundle.open(tmp_path / "bundle").tensors("head.identity")["anchor_network.0.weight"]
    file = PARITY / "nphm_backward_small" / "checkpoints" / SMALL["nphm_backward_small"]
    assert torch.equal(stored, torch.load(file, weights_only=True)["id_decoder"]["mlp_pos.0.weight"])
