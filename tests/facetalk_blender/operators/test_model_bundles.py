"""Model bundles in the preferences: added by the real engine in the background, chosen, removed."""

import os
import shutil
from pathlib import Path

import pytest
from blender_scene import bpy
from registered_extension import PACKAGE, CheckedLayout, module
from repository import PARITY, ROOT

pytestmark = pytest.mark.slow

STATED = {"mean": 0.42, "p95": 1.31}  # mm


@pytest.fixture
def bundles(registered, tmp_path, monkeypatch):
    """The preferences, with the real engine and the user's folder in a temporary one."""
    registered.engine_root = ROOT
    operator = module("operators.model_bundle")
    monkeypatch.setattr(operator, "user_folder", lambda name: tmp_path / "user" / name)
    preferences = bpy.context.preferences.addons[PACKAGE].preferences
    preferences.engine_python = os.environ.get("FACETALK_ENGINE_PYTHON", "")
    return preferences


def drawn(preferences):
    panel, layout = module("panels.model_bundle"), CheckedLayout()
    context = type("Context", (), {"preferences": bpy.context.preferences, "region": bpy.types.Region})()
    context.region = type("Region", (), {"width": 600})()
    panel.draw_model_bundles(layout, context, preferences)
    return " ".join(layout.shown)


def test_an_official_model_is_added_chosen_and_removed(bundles, tmp_path):
    assert "Can: speak recordings, Frame Meshes, Shape Keys" in drawn(bundles)
    assert "GPL" in drawn(bundles)
    assert "ARKit weights: exact both ways" in drawn(bundles)
    for _ in range(2):
        assert bpy.ops.facetalk.add_bundle(filepath=str(PARITY / "nphm_forward_small")) == {"FINISHED"}
    folders = [Path(entry.folder) for entry in bundles.bundles]
    assert [folder.name for folder in folders] == ["nphm_forward_small", "nphm_forward_small 2"]
    assert bundles.bundle == str(folders[1])
    shown = drawn(bundles)
    assert "Can: Frame Meshes" in shown
    assert "lacks speech, motion" in shown
    assert "NPHM data set" in shown
    assert "ARKit weights: none; 'python -m engine fit-arkit BUNDLE' fits them" in shown
    bpy.ops.facetalk.choose_bundle(folder=str(folders[0]))
    assert bundles.bundle == str(folders[0])
    bpy.ops.facetalk.remove_bundle(folder=str(folders[0]))
    assert bundles.bundle == ""
    assert not folders[0].exists()
    assert folders[1].exists()
    assert len(bundles.bundles) == 1


def test_a_fitted_bundle_shows_its_errors(bundles):
    errors = {f"{place}_{kind}_mm": value for place in ("lips", "face", "opening") for kind, value in STATED.items()}
    fit = {"to_weights": errors | {"explained": 0.9, "explained_at_best": 0.95}, "to_codes": errors}
    fit["registration"] = {"matched": 0.9}
    information = {"missing": {}, "arkit_weights": "fitted", "arkit_fit": fit}
    text = module("facetalk_blender.settings.model_bundles").abilities_text(information).splitlines()[-1]
    assert text.startswith("ARKit weights: fitted; of the face's motion 90 % is met, 95 % could be")
    assert "0.4 mm (95 %: 1.3) on the lips" in text


def test_a_finished_bundle_is_listed_where_it_lies(bundles, tmp_path):
    folder = Path(shutil.copytree(ROOT / "engine" / "starter", tmp_path / "mine"))
    assert bpy.ops.facetalk.add_bundle(filepath=str(folder)) == {"FINISHED"}
    assert bundles.bundle == str(folder)
    assert not (tmp_path / "user").exists()
    bpy.ops.facetalk.remove_bundle(folder=str(folder))
    assert folder.is_dir()
    assert not bundles.bundles


def test_what_cannot_be_added_says_why_and_leaves_nothing(bundles, tmp_path):
    source = Path(shutil.copytree(PARITY / "nphm_forward_small", tmp_path / "source"))
    (source / "anchors_39.npy").unlink()
    with pytest.raises(RuntimeError, match="mean anchors are missing"):
        bpy.ops.facetalk.add_bundle(filepath=str(source))
    assert "mean anchors are missing" in drawn(bundles)
    assert not bundles.bundles
    assert not list((tmp_path / "user" / "bundles").iterdir())
    anchors = str(PARITY / "nphm_forward_small" / "anchors_39.npy")
    assert bpy.ops.facetalk.add_bundle(filepath=str(source), anchors=anchors, bundle_name="a/b") == {"FINISHED"}
    assert bundles.bundles[0].name == "a_b"


def test_progress_and_cancelling(bundles, tmp_path):
    session = module("facetalk_blender.generation.session").session
    adding = module("facetalk_blender.engine_access.bundle_import").BundleImport(
        session.runtime(), ROOT, PARITY / "nphm_forward_small", tmp_path / "bundle"
    )
    session.set_bundle_import(adding)
    adding.start()
    assert "progress" in drawn(bundles)
    assert "facetalk.cancel_adding_bundle" in drawn(bundles)
    assert not bpy.ops.facetalk.add_bundle.poll()
    bpy.ops.facetalk.cancel_adding_bundle()
    adding.wait()
    assert adding.cancelled
    assert "nothing was added" in drawn(bundles)
    assert not list(tmp_path.glob("*bundle*"))


def test_switching_the_extension_off_ends_the_import(bundles, tmp_path):
    session = module("facetalk_blender.generation.session").session
    adding = module("facetalk_blender.engine_access.bundle_import").BundleImport(
        session.runtime(), ROOT, PARITY / "nphm_forward_small", tmp_path / "bundle"
    )
    session.set_bundle_import(adding)
    adding.start()
    registration = module("facetalk_blender.registration")
    registration.unregister()
    adding.wait()
    assert adding.cancelled
    assert session.bundle_import is None
    registration.register()


def test_the_bundle_folder_of_the_preferences_is_absolute(bundles):
    with pytest.warns(RuntimeWarning, match="blend relative"):
        bundles.bundle = "//models"
    assert "without '//'" in drawn(bundles)
