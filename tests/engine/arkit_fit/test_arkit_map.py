"""ARKit weights fitted to heads made without them: parts against closed forms, wholes against known weights."""

import json
import shutil

import numpy as np
import pytest
import torch
from official_heads import FORWARD_SMALL, load
from repository import PARITY, ROOT
from safetensors.torch import load_file, save_file
from scipy.optimize import nnls
from scipy.spatial.transform import Rotation

from engine import Engine, EngineError, ExpressionTake, Style
from engine.__main__ import main
from engine.arkit_fit import fit as fitting
from engine.arkit_fit.linear import WEIGHT_PENALTY_MM, Components, NonNegativeWeights, linear_motion
from engine.arkit_fit.samples import SPEECH_MOTION_MM, random_codes
from engine.arkit_fit.surface_registration import register_face
from engine.arkit_fit.template_face import TemplateFace
from engine.arkit_fit.tracking import PointTracker
from engine.bundle import Bundle, update_config
from engine.head import load_head
from engine.head.polygons import triangulated, vertex_normals
from engine.head.topology.lips import lip_opening
from engine.importing.nphm import import_nphm
from engine.motion.codes import codes_from_weights, expression_basis
from engine.shared.arkit import ARKIT_NAMES, conversion_text
from engine.shared.units import MILLIMETRES_PER_UNIT

SPOKEN = ("jawOpen", "mouthFunnel", "mouthSmileLeft", "mouthSmileRight", "eyeBlinkLeft", "browInnerUp")


@pytest.fixture(scope="module")
def starter():
    return load_head(Bundle.open("starter"))


@pytest.fixture(scope="module")
def face(starter):
    return TemplateFace.of(starter)


def random_weights(count, seed):
    """Weights (N, 52): some of SPOKEN at once, each between 0 and 0.6."""
    random, weights = np.random.default_rng(seed), np.zeros((count, len(ARKIT_NAMES)), np.float32)
    columns = [ARKIT_NAMES.index(name) for name in SPOKEN]
    weights[:, columns] = random.uniform(0, 0.6, (count, len(SPOKEN))) * (random.random((count, len(SPOKEN))) < 0.6)
    return weights


def test_normals_of_a_sphere_point_outwards():
    along, around = np.meshgrid(np.linspace(0.1, np.pi - 0.1, 20), np.linspace(0, 2 * np.pi, 41)[:-1], indexing="ij")
    points = np.stack([np.sin(along) * np.cos(around), np.sin(along) * np.sin(around), np.cos(along)], -1).reshape(
        -1, 3
    )
    number = np.arange(20 * 40).reshape(20, 40)
    corners = [number[:-1], number[1:], np.roll(number, -1, 1)[1:], np.roll(number, -1, 1)[:-1]]
    polygons = np.stack(corners, -1).reshape(-1, 4)
    normals = vertex_normals(points, triangulated(np.concatenate([polygons, [[0, 1, 41, -1]]])))
    assert (normals * points).sum(1).min() > 0.99


def test_the_face_is_found_on_another_head_of_another_size_and_turn(starter, face):
    """The truth is known: the template itself, of another identity, opened, turned, scaled and shifted."""
    random = np.random.default_rng(4)
    vertices = starter.template.vertices
    moves = starter.template.displacements().numpy()
    identity = starter.modes.random(3, 0.8, 2.0)
    shape = (
        starter.template.canonical(starter.modes.coefficients(torch.from_numpy(identity)[None])).numpy()
        + moves[:, -1]
        + 0.2 * moves[:, ARKIT_NAMES.index("jawOpen")]
    )
    turn = Rotation.from_rotvec(random.normal(0, 0.03, 3)).as_matrix()
    shape = (1.04 * shape @ turn.T + (0.01, -0.02, 0.015)).astype(np.float32)
    found = register_face(face, shape, triangulated(starter.template.polygons))
    # Template vertices of the mean face, in the face's order, say where its points truly are.
    mean = vertices.numpy() + moves[:, -1]
    same = {tuple(place): number for number, place in enumerate(mean)}
    numbers = [same[tuple(place)] for place in face.neutral[: face.upper.start]]
    error = MILLIMETRES_PER_UNIT * np.linalg.norm(found.points[: len(numbers)] - shape[numbers], axis=1)
    assert error.mean() < 1.5
    assert np.percentile(error, 95) < 4
    assert found.matched.mean() > 0.95
    assert found.distance.mean() < 0.5
    assert abs(found.jaw - 0.2) < 0.06
    jaw = ARKIT_NAMES.index("jawOpen")
    np.testing.assert_allclose(found.shapes[:, jaw], 1.04 * face.shapes[:, jaw] @ turn.T, atol=0.006)


def test_weights_are_the_least_squares_of_the_whole_motion():
    random = np.random.default_rng(0)
    shapes, moved = random.normal(size=(300, 12)), random.normal(size=(5, 300))
    mixture = NonNegativeWeights(shapes)
    stacked = np.concatenate([shapes / np.sqrt(100), WEIGHT_PENALTY_MM * np.eye(12)])
    expected = [nnls(stacked, np.r_[row / np.sqrt(100), np.zeros(12)])[0] for row in moved]
    np.testing.assert_allclose(mixture.of(moved), expected, atol=1e-8)
    truth = random.uniform(0, 1, (5, 12)) * (random.random((5, 12)) < 0.5)
    np.testing.assert_allclose(mixture.of(truth @ shapes.T), truth, atol=0.01)


def test_linear_motion_is_found_through_noise_and_missing_directions():
    random = np.random.default_rng(1)
    codes = random.normal(size=(80, 5)) @ random.normal(size=(5, 30))  # in 5 of 30 dimensions
    components = Components.of(codes)
    inputs = codes @ components.reading
    assert inputs.shape == (80, 5)
    np.testing.assert_allclose(inputs @ components.spread, codes, atol=1e-8)
    np.testing.assert_allclose(np.square(inputs).mean(0), 1, atol=1e-8)
    truth = random.normal(size=(5, 7))
    np.testing.assert_allclose(linear_motion(inputs, inputs @ truth), truth, atol=1e-4)
    # Pure noise has no motion to find: cross-validation shrinks it away.
    assert np.abs(linear_motion(inputs, random.normal(size=(80, 7)))).max() < 0.1


@pytest.mark.parametrize("name", ["nphm_backward_small", "mononphm_small", FORWARD_SMALL])
def test_points_are_followed_as_the_head_deforms(name):
    """Against the head's own functions, point by point: the same canonical point at rest and under every code."""
    head, _ = load(name)
    points = head.anchors().astype(np.float32)
    tracker = PointTracker(head, points)
    codes = np.random.default_rng(2).normal(0, 0.05, (3, head.expression_dimensions)).astype(np.float32)
    posed, lost = tracker.posed(codes)
    assert lost.mean() < 0.3
    for code, places, missing in zip(codes, posed, lost, strict=True):
        if head.deforms_forward:
            source = tracker.canonical
            np.testing.assert_allclose(source + head.deformation(source, None, np.zeros_like(code)), points, atol=1e-4)
            np.testing.assert_allclose(places, source + head.deformation(source, None, code), atol=1e-6)
        else:
            at_rest, under_code = points, places
            before = at_rest + head.deformation(at_rest, None, np.zeros_like(code))[:, :3]
            after = under_code + head.deformation(under_code, None, code)[:, :3]
            np.testing.assert_allclose(after[~missing], before[~missing], atol=1e-3)


def test_random_codes_move_the_lips_as_speech_does():
    head, _ = load(FORWARD_SMALL)
    tracker, lips = PointTracker(head, head.anchors()), np.arange(39) >= 30
    codes, _ = random_codes(tracker, lips)
    moved = MILLIMETRES_PER_UNIT * (tracker.posed(codes)[0] - tracker.rest.numpy())[:, lips]
    assert abs(np.sqrt(np.square(moved).sum(-1).mean()) / SPEECH_MOTION_MM - 1) < 0.25
    assert codes.shape == (480, head.expression_dimensions)
    assert abs(codes.mean()) < 0.05 * codes.std()
    head.expression.deformation.layers[-1].weight.zero_()
    with pytest.raises(EngineError, match="do not move its lips"):
        random_codes(PointTracker(head, head.anchors()), lips)


def test_a_deformation_that_is_not_finite_is_refused():
    head, _ = load("nphm_backward_small")
    head.expression.deformation.layers[-1].bias.fill_(torch.nan)
    with pytest.raises(EngineError, match="NaN or infinity"):
        PointTracker(head, head.anchors())


@pytest.fixture(scope="module")
def hidden(tmp_path_factory):
    """The starter's head without its basis and template, and codes that some of the weights make, as a file."""
    folder = tmp_path_factory.mktemp("hidden")
    shutil.copytree(ROOT / "engine" / "starter", folder / "bundle")
    path = folder / "bundle" / "head_expression.safetensors"
    tensors = load_file(path)
    del tensors["expression_basis"]
    save_file(tensors, path)
    parts = ("template", "regions", "controls")
    update_config(folder / "bundle", lambda config: [config["head"].pop(part) for part in parts])
    np.save(folder / "codes.npy", codes_from_weights(random_weights(50, 7), expression_basis()))
    return folder


@pytest.fixture(scope="module")
def recovered(hidden):
    patch = pytest.MonkeyPatch()
    patch.setattr(fitting, "TRIED_CODES", 4)
    fitting.fit_arkit(hidden / "bundle", [hidden / "codes.npy"], device="cpu")
    patch.undo()
    return Engine.load(hidden / "bundle", "cpu")


@pytest.mark.slow
def test_hidden_weights_of_the_starter_are_recovered(recovered, starter):
    weights = random_weights(40, 8)
    codes = codes_from_weights(weights, expression_basis())
    take = recovered.take_from_codes(codes, 24.0)
    for name in SPOKEN:
        found, true = take.weights[:, ARKIT_NAMES.index(name)], weights[:, ARKIT_NAMES.index(name)]
        # Rims of lids are hard to follow, so a blink shares its motion with the other shapes of the lids.
        error, correlation = (0.25, 0.8) if name.startswith("eye") else (0.08, 0.9)
        assert np.abs(found - true).mean() < error, name
        assert np.corrcoef(found, true)[0, 1] > correlation, name
    opening = lip_opening(starter, codes)
    assert np.abs(take.lip_opening_mm - opening).mean() < 1.5
    assert opening.max() > 15
    report = recovered.info()
    assert report["arkit_weights"] == "fitted"
    assert report["arkit_fit"]["codes"] == "given codes"
    errors = report["arkit_fit"]["to_weights"]
    assert 0.9 < errors["explained"] <= errors["explained_at_best"] + 0.01
    assert errors["lips_mean_mm"] < 1.0
    assert report["arkit_fit"]["to_codes"]["explained"] > 0.9


@pytest.mark.slow
def test_a_fitted_bundle_takes_styles(recovered, starter):
    weights = np.zeros((4, len(ARKIT_NAMES)), np.float32)
    weights[:, ARKIT_NAMES.index("jawOpen")] = (0.0, 0.2, 0.4, 0.5)
    take = recovered.take_from_codes(codes_from_weights(weights, expression_basis()), 24.0)
    halved = recovered.styled(take, Style(jaw=0.5))
    np.testing.assert_allclose(halved.codes[0], take.codes[0], atol=1e-3)  # closed lips stay as they are
    # The starter's own basis, which the fit did not see, says what the new codes mean.
    truth = starter.arkit_map.weights(halved.codes)[:, ARKIT_NAMES.index("jawOpen")]
    np.testing.assert_allclose(truth[2:], (0.2, 0.25), atol=0.06)
    assert recovered.styled(take, Style()) is take
    with pytest.raises(EngineError, match=r"no head\.template"):
        recovered.arkit_shapes()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["nphm_backward_small", FORWARD_SMALL])
def test_a_random_head_is_fitted_and_its_error_stated(name, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(fitting, "RESOLUTION", 64)
    bundle = import_nphm([PARITY / name], tmp_path / "bundle")
    engine = Engine.load(bundle.folder, "cpu")
    assert "fit-arkit" in conversion_text(engine.info())
    assert engine.head.arkit_map.weights(np.zeros((1, 12))) is None
    codes = np.random.default_rng(3).normal(0, 0.02, (48, engine.head.expression_dimensions)).astype(np.float32)
    ExpressionTake(codes).save(tmp_path / "take.npz")
    assert main(["fit-arkit", str(bundle.folder), "--codes", str(tmp_path / "take.npz"), "--device", "cpu"]) == 0
    printed = capsys.readouterr().out
    engine = Engine.load(bundle.folder, "cpu")
    fitted = engine.info()["arkit_fit"]
    assert conversion_text(engine.info()) in printed
    assert "off by" in printed
    assert fitted["fitted_to"] == 48
    # Random weights are no face: the map must say that most of their motion is beyond the 52 shapes.
    assert fitted["to_weights"]["explained"] < 0.8
    assert fitted["to_weights"]["lips_mean_mm"] > 0.05
    take = engine.take_from_codes(codes, 24.0)
    assert take.weights.shape == (48, 52)
    assert (take.weights >= 0).all()
    assert np.isfinite(take.lip_opening_mm).all()
    assert np.isfinite(engine.styled(take, Style(jaw=0.5, smooth=0.1)).codes).all()


def refuse(folder, match, codes=()):
    """The fit fails with one sentence and leaves the bundle as it was."""
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(EngineError, match=match) as raised:
        fitting.fit_arkit(folder, codes, device="cpu")
    assert "\n" not in str(raised.value)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def change_expression(folder, key, change):
    path = folder / "head_expression.safetensors"
    tensors = load_file(path)
    tensors[key] = change(tensors[key])
    save_file(tensors, path)


@pytest.mark.slow
def test_what_cannot_be_fitted_is_refused_and_nothing_written(tmp_path, monkeypatch):
    monkeypatch.setattr(fitting, "RESOLUTION", 64)
    folder = import_nphm([PARITY / FORWARD_SMALL], tmp_path / "bundle").folder
    np.save(tmp_path / "few.npy", np.zeros((10, 12), np.float32))
    np.save(tmp_path / "other.npy", np.zeros((100, 7), np.float32))
    np.save(tmp_path / "still.npy", np.zeros((100, 12), np.float32))
    (tmp_path / "text.npy").write_text("no array")
    for name, match in [
        ("few.npy", "too few"),
        ("other.npy", r"\(N, 12\)"),
        ("still.npy", "do not move"),
        ("text.npy", "cannot be read"),
        ("none.npy", "cannot be read"),
    ]:
        refuse(folder, match, [tmp_path / name])
    last = max(key for key in load_file(folder / "head_expression.safetensors") if key.endswith("weight"))
    change_expression(folder, last, torch.zeros_like)
    refuse(folder, "do not move its lips")
    change_expression(folder, last, lambda weight: torch.full_like(weight, 1e38))
    refuse(folder, "no finite numbers")
    with pytest.raises(EngineError, match="exactly"):
        fitting.fit_arkit("starter")


@pytest.mark.slow
def test_a_backward_field_that_folds_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(fitting, "RESOLUTION", 64)
    folder = import_nphm([PARITY / "nphm_backward_small"], tmp_path / "bundle").folder
    np.save(tmp_path / "wild.npy", np.random.default_rng(0).normal(0, 30, (60, 12)).astype(np.float32))
    refuse(folder, "can be followed", [tmp_path / "wild.npy"])


@pytest.mark.slow
@pytest.mark.parametrize("damage", ["missing file", "other head", "no count"])
def test_a_damaged_map_is_refused(recovered, damage, tmp_path):
    folder = shutil.copytree(recovered.bundle.folder, tmp_path / "bundle")
    if damage == "missing file":
        (folder / "head_arkit.safetensors").unlink()
    elif damage == "other head":
        tensors = load_file(folder / "head_arkit.safetensors")
        save_file(tensors | {"basis": tensors["basis"][:-1].contiguous()}, folder / "head_arkit.safetensors")
    else:
        config = json.loads((folder / "config.json").read_text())
        config["head"]["arkit"]["upper_points"] = "many"
        (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(EngineError, match=r"head_arkit|fit it again"):
        _ = Engine.load(folder, "cpu").head
