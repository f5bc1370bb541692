"""Names, visemes, resampling, key reduction and CSV: the parts of Expression Curves without Blender."""

import csv

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from repository import import_from_extension
from scipy.optimize import nnls

from engine.motion.codes import interpolated as reference_resample
from engine.shared.arkit import ARKIT_NAMES

channels = import_from_extension("facetalk_blender.retargeting.channels")
live_link = import_from_extension("facetalk_blender.exchange.live_link")
matching = import_from_extension("facetalk_blender.retargeting.matching")
names = import_from_extension("facetalk_blender.retargeting.names")
reduction = import_from_extension("facetalk_blender.retargeting.reduction")
visemes = import_from_extension("facetalk_blender.retargeting.visemes")
EngineError = import_from_extension("engine.shared.errors").EngineError

# Shape keys as each kind of character has them, and the channel that each must follow.
CONVENTIONS = {
    "Apple": {name: name for name in ARKIT_NAMES},
    "ICT-FaceKit": {
        "browInnerUp_L": "browInnerUp", "browInnerUp_R": "browInnerUp", "cheekPuff_L": "cheekPuff",
        "eyeBlink_L": "eyeBlinkLeft", "mouthSmile_R": "mouthSmileRight", "jawLeft": "jawLeft", "jawOpen": "jawOpen",
    },
    "MPFB": {"!ex-jawOpen": "jawOpen", "!ex-eyeBlinkLeft": "eyeBlinkLeft", "!ex-mouthPucker": "mouthPucker"},
    "FBX prefix": {"blendShape1.jawOpen": "jawOpen", "Head:EyeBlink_L": "eyeBlinkLeft", "body__mouth_smile_left":
        "mouthSmileLeft"},
    "Character Creator": {
        "Jaw_Open": "jawOpen", "Jaw_L": "jawLeft", "Mouth_L": "mouthLeft", "Brow_Raise_Inner_L": "browInnerUp",
        "Brow_Drop_R": "browDownRight", "Eye_L_Look_L": "eyeLookOutLeft", "Eye_L_Look_R": "eyeLookInLeft",
        "Eye_R_Look_L": "eyeLookInRight", "Eye_R_Look_Up": "eyeLookUpRight", "Cheek_Raise_L": "cheekSquintLeft",
        "Mouth_Pucker_Up_L": "mouthPucker", "Mouth_Pucker_Down_R": "mouthPucker",
        "Mouth_Up_Upper_R": "mouthUpperUpRight", "Mouth_Roll_In_Lower_L": "mouthRollLower",
        "V_Open": None, "Head_Turn_L": None, "Eyelash_Upper_Down_L": None,
    },
    "Character Creator visemes": {"V_Explosive": "viseme_PP", "V_Open": "viseme_aa", "V_Affricate": "viseme_CH"},
    "Ready Player Me": {
        "jawOpen": "jawOpen", "mouthSmileLeft": "mouthSmileLeft", "viseme_aa": None, "viseme_PP": None,
        "mouthSmile": None,
    },
    "Ready Player Me without ARKit": {"mouthOpen": "jawOpen", "mouthSmile": "mouthSmile", "eyesClosed": "eyeBlink"},
    "MetaHuman": {
        "CTRL_expressions_jawOpen": "jawOpen", "CTRL_expressions_jawFwd": "jawForward",
        "CTRL_expressions_eyeBlinkL": "eyeBlinkLeft", "CTRL_expressions_eyeLookLeftL": "eyeLookOutLeft",
        "CTRL_expressions_eyeLookLeftR": "eyeLookInRight", "CTRL_expressions_mouthCornerPullR": "mouthSmileRight",
        "CTRL_expressions_mouthLipsPurseUL": "mouthPucker", "CTRL_expressions_browRaiseInL": "browInnerUp",
    },
    "VRM": {
        "aa": "viseme_aa", "ih": "viseme_I", "ou": "viseme_U", "ee": "viseme_E", "oh": "viseme_O", "blink": "eyeBlink",
        "lookUp": "eyeLookUp", "lookLeft": "lookLeft", "happy": None,
    },
    "VRoid": {"Fcl_MTH_A": "viseme_aa", "Fcl_MTH_O": "viseme_O", "Fcl_EYE_Close": "eyeBlink", "Fcl_ALL_Neutral": None},
    "VRM with sides": {"blink": None, "blinkLeft": "eyeBlinkLeft", "blinkRight": "eyeBlinkRight"},
    "Oculus": {name: name for name in names.VISEMES},
    "VRChat": {"vrc.v_aa": "viseme_aa", "vrc.v_ou": "viseme_U", "vrc.v_pp": "viseme_PP", "vrc.blink": "eyeBlink"},
}  # fmt: skip


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_every_convention_is_known(convention):
    expected = CONVENTIONS[convention]
    found = matching.match_names([list(expected)])
    assert {key: found[key].channel if key in found else None for key in expected} == expected
    assert all(match.method != matching.FUZZY for match in found.values())


def test_all_arkit_names_are_recognised_in_every_spelling():
    def snake(name):
        return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)

    def short_side(name):
        sided = name.endswith(("Left", "Right")) and name not in ("jawLeft", "jawRight", "mouthLeft", "mouthRight")
        return name.replace("Left", "_L").replace("Right", "_R") if sided else name

    for spelling in (snake, short_side, str.capitalize, lambda name: name[0].upper() + name[1:]):
        written = {spelling(name): name for name in ARKIT_NAMES if spelling is not str.capitalize or name.islower()}
        found = matching.match_names([list(written)])
        assert {key: match.channel for key, match in found.items()} == written


def test_one_kind_of_names_wins_on_each_mesh():
    found = matching.match_names([["jawOpen", "Jaw_Open", "mouthOpen"], ["Jaw_Open"]])
    assert found["jawOpen"].method == matching.EXACT
    assert "mouthOpen" not in found
    assert found["Jaw_Open"].channel == "jawOpen"  # for the second mesh
    assert set(matching.match_names([["jawOpen", "Jaw_Open"]])) == {"jawOpen"}


def test_likely_names_are_proposed_with_the_same_side_only():
    found = matching.match_names([["eye_blnk_L", "mouthSmil_R", "tail_wag", "Basis", "jaw"]])
    assert found["eye_blnk_L"].channel == "eyeBlinkLeft"
    assert found["mouthSmil_R"].channel == "mouthSmileRight"
    assert all(match.method == matching.FUZZY and match.likeness < 1 for match in found.values())
    assert not {"tail_wag", "Basis", "jaw"} & set(found)


def test_visemes_are_the_nearest_mixture_of_their_poses():
    generator = np.random.default_rng(3)
    weights = generator.uniform(0, 0.5, (40, 52)) * (generator.random((40, 52)) < 0.3)
    found = visemes.visemes_from_weights(weights, list(ARKIT_NAMES))
    poses = visemes.pose_matrix(list(ARKIT_NAMES))
    mouth = poses.any(1)
    system = np.vstack([poses[mouth], np.sqrt(visemes.RIDGE) * np.eye(14)])
    for row, frame in zip(found, weights, strict=True):
        solution = np.minimum(nnls(system, np.append(frame[mouth], np.zeros(14)))[0], 1.0)
        speaking = [row[names.VISEMES.index(name)] for name in visemes.SPEAKING]
        np.testing.assert_allclose(speaking, solution, atol=2e-3)
        assert row[0] == pytest.approx(max(1 - solution.sum(), 0), abs=5e-3)


@pytest.mark.parametrize("viseme", ["viseme_PP", "viseme_FF", "viseme_CH", "viseme_SS", "viseme_aa", "viseme_U"])
def test_a_viseme_of_its_own_pose_is_the_strongest(viseme):
    poses = visemes.pose_matrix(list(ARKIT_NAMES))
    pose = poses[:, visemes.SPEAKING.index(viseme)]
    (found,) = visemes.visemes_from_weights(pose[None], list(ARKIT_NAMES))
    assert names.VISEMES[int(found.argmax())] == viseme
    assert found.max() > 0.7
    (rest,) = visemes.visemes_from_weights(np.zeros((1, 52)), list(ARKIT_NAMES))
    np.testing.assert_allclose(rest, np.eye(15)[0], atol=1e-6)


def test_channels_of_both_sides_are_means_and_missing_ones_are_left_out():
    weights = np.array([[0.2, 0.6], [1.4, -0.5]])
    found = channels.channel_values(
        weights, ["eyeBlinkLeft", "eyeBlinkRight"], ["eyeBlink", "eyeBlinkLeft", "jawOpen", "lookLeft"]
    )
    assert set(found) == {"eyeBlink", "eyeBlinkLeft"}
    np.testing.assert_allclose(found["eyeBlink"], [0.4, 0.5])
    np.testing.assert_allclose(found["eyeBlinkLeft"], [0.2, 1.0])


@pytest.mark.parametrize("count", [1, 2, 3, 50])
def test_resampling_equals_the_engines_spline(count):
    values = np.random.default_rng(count).uniform(0, 1, (count, 4)).astype(np.float32)
    times = np.linspace(-0.5, count / 24 + 0.5, 200)
    expected = reference_resample(values, 24.0, times)
    np.testing.assert_allclose(channels.values_at(values, 24.0, times), expected, atol=2e-6)


@settings(max_examples=60)
@given(
    st.lists(st.floats(0, 1, width=32), min_size=1, max_size=120),
    st.sampled_from([0.001, 0.01, 0.05, 0.3]),
)
def test_reduction_keeps_its_bound(values, tolerance):
    values = np.array(values)
    keys = reduction.key_frames(values, tolerance)
    assert keys[0] == 0
    assert keys[-1] == len(values) - 1
    assert (np.diff(keys) > 0).all()
    assert np.abs(reduction.interpolated(values, keys) - values).max() <= tolerance


def test_smooth_curves_need_few_keys_and_a_still_one_two():
    values = 0.5 + 0.4 * np.sin(np.linspace(0, 4 * np.pi, 240))
    assert len(reduction.key_frames(values, 0.01)) < 24
    assert len(reduction.key_frames(np.full(240, 0.3), 0.01)) == 2


def test_csv_has_the_columns_of_live_link_face(tmp_path):
    path = tmp_path / "take.csv"
    values = np.linspace(0, 1, 70)
    live_link.write_csv(path, {"jawOpen": values, "jawRight": 1 - values}, 29.97, first_frame=29)
    rows = list(csv.reader(path.open()))
    assert rows[0][:5] == ["Timecode", "BlendShapeCount", "EyeBlinkLeft", "EyeLookDownLeft", "EyeLookInLeft"]
    assert rows[0][16:20] == ["JawForward", "JawRight", "JawLeft", "JawOpen"]
    assert rows[0][53] == "TongueOut"
    assert rows[0][-1] == "RightEyeRoll"
    assert {len(row) for row in rows} == {63}
    assert [row[0] for row in rows[1:4]] == ["00:00:00:29.000", "00:00:01:00.000", "00:00:01:01.000"]
    assert {row[1] for row in rows[1:]} == {"61"}
    assert set(rows[5][54:]) == {"0.000000"}
    np.testing.assert_allclose([float(row[19]) for row in rows[1:]], values, atol=1e-6)
    np.testing.assert_allclose([float(row[17]) for row in rows[1:]], 1 - values, atol=1e-6)
    with pytest.raises(EngineError, match="choose another place"):
        live_link.write_csv(tmp_path / "no" / "take.csv", {"jawOpen": values}, 24.0)
