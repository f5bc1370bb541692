"""What the panel promises before Generate: guessed at first, then what was measured on this computer."""

import pytest
from blender_scene import COUNT, bpy, speaking_strip
from registered_extension import module

COST = {"start": 10.0, "sampling": 2.0, "frame": 0.5, "size": 1e6}


def session_costs():
    return module("facetalk_blender.generation.session").session.costs


@pytest.fixture
def promised(registered, tmp_path, monkeypatch):
    """The estimate for a strip of 2 s, with costs kept in a folder of the test's own."""
    costs = module("facetalk_blender.generation.costs")
    monkeypatch.setattr(costs, "user_folder", lambda name: tmp_path / name)
    session_costs().clear()
    strip = speaking_strip(bpy.context.scene, tmp_path)
    settings = bpy.context.scene.facetalk
    settings.strip, settings.frames_in = strip.name, "FILE"

    def estimate():
        return module("facetalk_blender.generation.estimate").estimate(
            bpy.context.scene, strip, "auto", "", settings.frame_storage(1.0)
        )

    yield estimate
    session_costs().clear()


def test_time_and_size_follow_from_length_and_costs(promised):
    guess = promised()
    assert not guess.measured
    assert guess.frames == COUNT
    assert "guess" in str(guess)
    costs = module("facetalk_blender.generation.costs")
    session_costs().remember(costs.Workload("auto", "FRAME_MESHES", 128), costs.Cost(**COST))
    told = promised()
    assert told.measured
    assert (told.seconds, told.size) == (10 + 2 * 2 + 0.5 * COUNT, COUNT * 1e6)
    assert str(told) == "48 frames, about 38\u00a0s, 48\u00a0MB"


def test_a_run_replaces_the_guess(promised):
    guess = promised()
    assert bpy.ops.facetalk.generate() == {"FINISHED"}
    session = module("facetalk_blender.generation.session").session
    told, took = promised(), session.job.seconds
    assert told.measured
    assert 0 < told.size < guess.size  # of tiny meshes
    assert told.seconds == pytest.approx(took["sample"] + took["surfaces"])  # the engine runs already
    session.stop_engine()
    assert promised().seconds == pytest.approx(took["load"] + took["sample"] + took["surfaces"])


def test_a_run_with_a_warm_engine_keeps_what_its_start_took(promised):
    session = module("facetalk_blender.generation.session").session
    assert bpy.ops.facetalk.generate() == {"FINISHED"}
    start = session.job.seconds["load"]
    assert bpy.ops.facetalk.generate() == {"FINISHED"}
    took = session.job.seconds
    assert bpy.ops.facetalk.make_output() == {"FINISHED"}
    made = session.job.seconds
    session.stop_engine()
    assert promised().seconds == pytest.approx(start + took["sample"] + made["surfaces"])


def test_another_resolution_is_as_much_slower_as_the_measured_one(promised):
    costs, settings = module("facetalk_blender.generation.costs"), bpy.context.scene.facetalk
    pace = 0.5 / costs.ASSUMED["FRAME_MESHES", 128].frame
    session_costs().remember(costs.Workload("auto", "FRAME_MESHES", 128), costs.Cost(**COST))
    settings.resolution = "256"
    guess, assumed = promised(), costs.ASSUMED["FRAME_MESHES", 256]
    assert not guess.measured
    assert guess.size == COUNT * assumed.size
    assert guess.seconds == pytest.approx(10 + 2 * 2 + pace * assumed.frame * COUNT)
    settings.output = "SHAPE_KEYS"  # whose pace is another
    assert promised().seconds == pytest.approx(4 + 0.1 * 2 + 0.01 * COUNT)


def test_each_model_has_its_own_costs(promised):
    costs = module("facetalk_blender.generation.costs")
    session_costs().remember(costs.Workload("auto", "FRAME_MESHES", 128, "/models/large"), costs.Cost(**COST))
    assert not promised().measured
