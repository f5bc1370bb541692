"""Results of the head's evaluation: pooled, told in the report, and taken up again after an interruption."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from evaluation.head import evaluate
from evaluation.head.report import report_text
from evaluation.head.results import Results
from evaluation.head.surface_groups import GROUPS


def measured_head(number: int, poses: int = 4, points: int = 60, error: float = 0.1) -> dict[str, np.ndarray]:
    """Arrays as `HeadEvaluation.measure` gives them, every distance `error` mm but for NaN at unseen points."""
    distance = np.full((poses, points), error, np.float16)
    distance[:, ::7] = np.nan
    cosine = np.where(np.isnan(distance), np.nan, 0.99).astype(np.float16)
    records = [
        {
            "identity": number,
            "pose": name,
            "floating": [],
            "true_opening": opening,
            "true_solid_opening": opening,
            "field_opening": opening + 0.3,
            "engine_opening": opening,
            "true_lids": [8.0, 8.0],
            "field_lids": [7.5, 8.0],
            "table_flipped": 2,
            "table_torn": 0,
            "roots_flipped": 0,
            "roots_torn": 1,
        }
        for name, opening in (("neutral", 0.0), ("jawOpen 1", 30.0), ("blink", 0.1), ("speech 1", 4.0))
    ][:poses]
    records[1] |= {"solid_in_air": 0.02, "air_in_solid": 0.0, "floating": [12.5]}
    canonical = {
        f"canonical_{name}": values[:1]
        for name, values in (("distance", distance), ("cosine", cosine), ("astray", 0 * cosine))
    }
    template = {
        f"template_{way}_{name}": np.full((poses, 6), error)
        for way in ("table", "roots")
        for name in ("to_field", "to_truth")
    }
    return (
        canonical
        | template
        | {
            "posed_distance": distance,
            "posed_cosine": cosine,
            "posed_astray": 0 * cosine,
            "extracted_distance": distance,
            "extracted_group": np.tile(np.arange(points) % len(GROUPS), (poses, 1)),
            "records": np.array(json.dumps(records)),
            "template": np.array(
                json.dumps({"vertices": 9, "polygons": 4, "quads": 0.75, "lip_triangles": 5, "milliseconds": 1.5})
            ),
        }
    )


def results() -> Results:
    """Two heads of 60 points in turn from all groups; the second is off by three times as much."""
    return Results(
        [measured_head(0), measured_head(1, error=0.3)],
        np.array(GROUPS * 10),
        np.repeat(["face", "lips", "eyelids"], 2),
    )


def test_summary_pools_points_and_keeps_speech_apart():
    summary = results().summary()
    assert (summary["identities"], summary["poses"]) == (2, 4)
    face = summary["surface"]["posed"]["face"]
    assert face["mean"] == pytest.approx(0.2, abs=1e-3)
    assert face["p95"] == pytest.approx(0.3, abs=1e-3)
    field = summary["lips"]["field"]  # neutral and the moment of speech
    assert field["mean"] == pytest.approx(0.3)
    assert field["poses"] == 4
    assert field["sealed_poses"] == 2
    assert field["sealed_share"] == 1.0
    assert field["sealed_largest"] == pytest.approx(0.3)
    assert summary["lids"]["mean"] == pytest.approx(0.25)
    assert summary["lids"]["blink_field"] == pytest.approx(7.75)
    assert summary["mouth"]["poses"] == 2
    assert summary["mouth"]["solid_in_air_mean"] == pytest.approx(0.02)
    assert summary["floating"] == {"surfaces": 8, "with_pieces": 2, "pieces": 2, "largest": 12.5}
    assert summary["template"]["table"]["flipped"] == {"all": 16, "most": 2}
    assert summary["by_head"][1]["lips"] == pytest.approx(0.3, abs=1e-3)


def test_report_shows_the_figures():
    text = report_text(results().summary() | {"resolution": 128})
    assert "2 heads in 4 of" in text
    assert "| mean | 0.200 |" in text
    assert "75.0 % quads" in text
    assert "The field holds 2 solid pieces" in text
    assert "nan" not in text


def test_interrupted_evaluation_goes_on_and_other_weights_start_anew(tmp_path, monkeypatch):
    calls = []

    class Evaluation:
        def __init__(self, *_):
            self.points = SimpleNamespace(group=np.array(GROUPS * 10))
            self.template = SimpleNamespace(group=np.repeat(["face", "lips", "eyelids"], 2), sample=np.arange(6))

        def measure(self, number: int, poses: int) -> dict[str, np.ndarray]:
            calls.append(number)
            if len(calls) == 2:
                raise KeyboardInterrupt
            return measured_head(number, poses)

    monkeypatch.setattr(evaluate, "HeadEvaluation", Evaluation)
    monkeypatch.setattr(evaluate, "error_maps", lambda *_: np.zeros((4, 4, 3)))
    arguments = (None, "starter", tmp_path / "report", tmp_path / "parts", 2, 4)
    with pytest.raises(KeyboardInterrupt):
        evaluate.evaluate_head(*arguments)
    assert evaluate.evaluate_head(*arguments)["identities"] == 2
    assert calls == [0, 1, 1]
    assert json.loads((tmp_path / "report" / "head.json").read_text())["identities"] == 2
    monkeypatch.setattr(evaluate, "_digest", lambda _: "others")
    evaluate.evaluate_head(*arguments, first=1)
    assert calls == [0, 1, 1, 1, 0]
