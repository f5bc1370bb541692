"""The head's settings: sliders, presets, random heads, identity codes in files, and the preview."""

import time
from dataclasses import asdict
from types import SimpleNamespace

import numpy as np
import pytest
import scripted_shapes
from blender_scene import bpy
from repository import import_from_extension

Bundle = pytest.importorskip("engine.bundle").Bundle  # needs torch, which not every Blender's Python here has
head_identity = import_from_extension("facetalk_blender.settings.head")
head_preview = import_from_extension("facetalk_blender.generation.head_preview")
head_questions = import_from_extension("facetalk_blender.generation.head_questions")
preferences = import_from_extension("facetalk_blender.settings.preferences")
registration = import_from_extension("facetalk_blender.registration")
session = import_from_extension("facetalk_blender.generation.session").session


@pytest.fixture
def settings(scene, client, monkeypatch):
    """The scene's settings, with the extension registered and the scripted engine."""
    registration.register()
    chosen = SimpleNamespace(engine_python="", bundle="", device="cpu")
    monkeypatch.setattr(preferences, "preferences", lambda _context: chosen)
    monkeypatch.setattr(session, "client", lambda _python="": client)
    monkeypatch.setattr(session.preview, "problem", "")
    yield scene.facetalk
    registration.unregister()


def test_sliders_and_bundle_know_the_same_controls(settings, scene):
    section = Bundle.open("starter").section("head.controls")
    assert set(section["names"]) == set(head_identity.CONTROLS)
    sliders = scene.facetalk_head.bl_rna.properties
    for name, millimetres in zip(section["names"], section["millimetres"], strict=True):
        assert f" {round(millimetres, 1):g} mm" in sliders[name].description


@pytest.mark.parametrize("name", head_identity.PRESETS)
def test_presets_are_moderate_heads_of_the_starter(name):
    values = head_identity.PRESETS[name]
    assert set(values) <= set(head_identity.CONTROLS)
    assert all(0 < abs(value) <= 2 for value in values.values())
    bundle = Bundle.open("starter")
    names, directions = bundle.section("head.controls")["names"], bundle.tensors("head.controls")["directions"].numpy()
    coefficients = sum(value * directions[names.index(control)] for control, value in values.items())
    assert abs(coefficients).max() < 2.8


def test_settings_make_the_identity(settings, scene):
    assert settings.identity() == "mean"
    scene.facetalk_head.jaw_width = 1.25
    assert settings.identity() == "mean+jaw_width=1.25"
    assert bpy.ops.facetalk.random_head(seed=12) == {"FINISHED"}
    assert settings.identity() == "random:12"
    scene.facetalk_head.nose_length = -0.5
    assert settings.identity() == "random:12+nose_length=-0.5"
    assert bpy.ops.facetalk.head_preset(preset="Broad") == {"FINISHED"}
    assert settings.identity().startswith("mean+face_width=1.4,jaw_width=1.5")
    assert bpy.ops.facetalk.reset_head() == {"FINISHED"}
    assert settings.identity() == "mean"


def test_colors_reach_the_generation(settings, scene):
    scene.facetalk_head.skin_color = (0.2, 0.1, 0.05)
    made = settings.options(SimpleNamespace(device="cpu", bundle="", frame_limit=1000))
    np.testing.assert_allclose(made.skin_color, (0.2, 0.1, 0.05), rtol=1e-6)
    np.testing.assert_allclose(made.eye_color, scene.facetalk_head.eye_color)


def test_a_saved_head_is_loaded_again(settings, scene, tmp_path):
    scene.facetalk_head.lip_fullness = 2.0
    path = tmp_path / "face.npy"
    assert bpy.ops.facetalk.save_identity(filepath=str(path)) == {"FINISHED"}
    assert np.load(path, allow_pickle=False).astype(np.uint8).tobytes().decode() == "mean+lip_fullness=2"
    assert list(tmp_path.iterdir()) == [path]
    assert bpy.ops.facetalk.load_identity(filepath=str(path)) == {"FINISHED"}
    assert settings.identity() == str(path)


def test_a_file_is_never_replaced_unasked(settings, tmp_path):
    path = tmp_path / "face.npy"
    path.write_bytes(b"precious")
    with pytest.raises(RuntimeError, match="exists already"):
        bpy.ops.facetalk.save_identity(filepath=str(path))
    assert path.read_bytes() == b"precious"
    assert bpy.ops.facetalk.save_identity(filepath=str(path), overwrite=True) == {"FINISHED"}
    assert np.load(path, allow_pickle=False).ndim == 1


@pytest.mark.parametrize("name", ["face.txt", "missing/face.npy"])
def test_unusable_targets_are_refused(settings, tmp_path, name):
    with pytest.raises(RuntimeError, match=r"must end in \.npy|Cannot write to the folder"):
        bpy.ops.facetalk.save_identity(filepath=str(tmp_path / name))
    assert not list(tmp_path.iterdir())


def test_the_engines_refusal_is_reported_and_nothing_written(settings, tmp_path):
    settings.head_file = "/nobody.npy"
    settings.head = "FILE"
    with pytest.raises(RuntimeError, match="There is no such head"):
        bpy.ops.facetalk.save_identity(filepath=str(tmp_path / "face.npy"))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", ["pickle", "text", "matrix", "nan", "missing"])
def test_bad_identity_files_are_refused(settings, tmp_path, kind):
    path = tmp_path / "bad.npy"
    if kind == "pickle":
        np.save(path, np.array([{"a": 1}], object), allow_pickle=True)
    elif kind == "text":
        path.write_text("no array")
    elif kind == "matrix":
        np.save(path, np.zeros((3, 4)))
    elif kind == "nan":
        np.save(path, np.full(8, np.nan))
    with pytest.raises(RuntimeError, match=r"bad\.npy"):
        bpy.ops.facetalk.load_identity(filepath=str(path))
    assert settings.head == "MEAN"


def test_the_preview_shows_the_head_and_leaves_nothing_behind(settings, scene):
    objects, meshes = len(bpy.data.objects), len(bpy.data.meshes)
    assert bpy.ops.facetalk.preview_head() == {"FINISHED"}
    shown = head_preview.find(scene)
    assert shown.hide_render
    assert session.preview.problem == ""
    vertices = scripted_shapes.template()[1]["vertices"]
    np.testing.assert_allclose([vertex.co for vertex in shown.data.vertices], vertices, atol=1e-7)
    scene.facetalk_head.skin_color = (0.1, 0.05, 0.03)
    np.testing.assert_allclose(shown["facetalk_skin_color"][:3], (0.1, 0.05, 0.03), rtol=1e-6)
    assert len(bpy.data.meshes) == meshes + 1
    assert bpy.ops.facetalk.preview_head() == {"FINISHED"}
    assert (len(bpy.data.objects), len(bpy.data.meshes)) == (objects, meshes)


def test_without_a_preview_sliders_ask_nothing(settings, scene, monkeypatch):
    monkeypatch.setattr(head_questions, "ask", lambda *_arguments: pytest.fail("the engine was asked"))
    scene.facetalk_head.jaw_width = 1.0
    settings.head_seed = 3


def test_while_a_head_is_generated_the_engine_is_not_asked(settings, monkeypatch):
    monkeypatch.setattr(session, "busy", lambda: True)
    with pytest.raises(RuntimeError, match="being generated"):
        bpy.ops.facetalk.preview_head()


def test_the_batch_run_takes_colors_and_controls(tmp_path, monkeypatch):
    arguments = import_from_extension("facetalk_blender.unattended.arguments")
    np.testing.assert_allclose(arguments.colour("#ff8000"), (1.0, ((128 / 255 + 0.055) / 1.055) ** 2.4, 0.0), atol=1e-5)
    with pytest.raises(Exception, match="#c68863"):
        arguments.colour("red")
    np.save(tmp_path / "face.npy", np.zeros(4))
    monkeypatch.chdir(tmp_path)
    assert arguments.identity("face.npy+jaw_width=1.0") == f"{tmp_path / 'face.npy'}+jaw_width=1"
    assert arguments.identity("random:3") == "random:3"


class _WindowedBpy:
    """bpy as in a window: timers are kept, and run by hand."""

    def __init__(self):
        self.pending = {}
        timers = SimpleNamespace(
            register=lambda function, first_interval: self.pending.update({function: first_interval}),
            is_registered=lambda function: function in self.pending,
        )
        self.app = SimpleNamespace(background=False, timers=timers, version=bpy.app.version)

    def __getattr__(self, name):
        return getattr(bpy, name)

    def run(self, seconds=10.0):
        """Run timers until none is left."""
        end = time.monotonic() + seconds
        while self.pending:
            assert time.monotonic() < end
            for function in list(self.pending):
                if function() is None:
                    del self.pending[function]
            time.sleep(0.01)


def test_in_a_window_only_the_last_move_is_asked_for(settings, scene, client, monkeypatch):
    window = _WindowedBpy()
    monkeypatch.setattr(head_preview, "bpy", window)
    monkeypatch.setattr(head_questions, "bpy", window)
    asked, request = [], client.request

    def record(kind, fields, arrays=None):
        asked.append(fields["identity"])
        return request(kind, fields, arrays)

    monkeypatch.setattr(client, "request", record)
    bpy.ops.facetalk.preview_head()
    for value in (0.5, 1.0, 1.5):
        scene.facetalk_head.jaw_width = value
    assert not asked
    assert not len(head_preview.find(scene).data.vertices)
    window.run()
    assert asked == ["mean+jaw_width=1.5"]
    assert len(head_preview.find(scene).data.vertices) == 5
    assert not head_questions.pending()
    scene.facetalk_head.jaw_width = 2.0
    bpy.ops.facetalk.preview_head()  # gone before the answer
    window.run()
    assert head_preview.find(scene) is None
    assert session.preview.problem == ""


def test_a_skin_preset_sets_colour_and_traits_which_can_be_changed_afterwards(settings, scene):
    head = scene.facetalk_head
    for name, (color, traits) in head_identity.SKIN_PRESETS.items():
        head.skin = name
        assert tuple(head.skin_color) == pytest.approx(color)
        for trait, value in asdict(traits).items():
            assert getattr(head, trait) == pytest.approx(value)
    head.freckles = 0.25
    assert head.traits().freckles == 0.25
    head.skin = "OWN"
    assert head.traits().freckles == 0.25


def test_skin_presets_keep_to_the_sliders_ranges(settings, scene):
    sliders = scene.facetalk_head.bl_rna.properties
    assert len(head_identity.SKIN_PRESETS) == 5
    for color, traits in head_identity.SKIN_PRESETS.values():
        assert 1.0 > color[0] > color[1] > color[2] > 0.0  # skin is never bluer than red
        assert set(asdict(traits)) == set(head_identity.TRAITS)
        for name, value in asdict(traits).items():
            assert sliders[name].hard_min <= value <= sliders[name].hard_max
