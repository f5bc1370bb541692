"""Shape key names of many families of characters, with the channel that a rigger expects ("a|b": either, "-": none)."""

import json
import re
from pathlib import Path

import pytest
from repository import import_from_extension

from engine.shared.arkit import ARKIT_NAMES

coverage = import_from_extension("facetalk_blender.retargeting.coverage")
matching = import_from_extension("facetalk_blender.retargeting.matching")

REPORTS = Path(__file__).parents[2] / "fixtures" / "reports"
FAMILIES = {
    f"{path.stem}: {family}": names
    for path in sorted(REPORTS.glob("*shape_key_names.json"))
    for family, names in json.loads(path.read_text("utf-8")).items()
}
VISEMES = [f"viseme_{name}" for name in "sil PP FF TH DD kk CH SS nn RR aa E I O U".split()]


def channels(names):
    return {key: match.channel for key, match in matching.match_names([list(names)]).items()}


@pytest.mark.parametrize("family", FAMILIES)
def test_no_name_is_wrong(family):
    wanted, found = FAMILIES[family], channels(FAMILIES[family])
    assert {key: channel for key, channel in found.items() if channel not in wanted[key].split("|")} == {}


def test_nearly_all_names_are_right():
    """The rest would move a second time what another key of the same mesh moves."""
    with_channel = right = 0
    for wanted in FAMILIES.values():
        found = channels(wanted)
        for key, channel in wanted.items():
            if channel != "-":
                with_channel += 1
                right += found.get(key, "-") in channel.split("|")
    assert with_channel > 1000
    assert right / with_channel >= 0.97


@pytest.mark.parametrize("prefix", ["", "Kira_", "CC_Base_Body:", "AK_07_", "x3_face__", "head-", "MyChar Face "])
@pytest.mark.parametrize("suffix", ["", ".001", "_ncl1_1", "_div2", "_MyShape"])
def test_what_names_have_in_common_says_nothing(prefix, suffix):
    keys = ["jawOpen", "mouthClose", "eyeBlinkLeft", "eyeBlinkRight", "mouthUpperUp_L", "Brow_Inner_Up"]
    wanted = ["jawOpen", "mouthClose", "eyeBlinkLeft", "eyeBlinkRight", "mouthUpperUpLeft", "browInnerUp"]
    found = channels([f"{prefix}{key}{suffix}" for key in keys])
    assert found == {f"{prefix}{key}{suffix}": channel for key, channel in zip(keys, wanted, strict=True)}


def sided(name, left, right, form="{stem}{side}"):
    """An ARKit name with its side written otherwise."""
    match = re.match(r"(?!jaw|mouthLeft|mouthRight)(.*)(Left|Right)$", name)
    return form.format(stem=match[1], side=left if match[2] == "Left" else right) if match else name


def words(name):
    return re.sub(r"(?<!^)([A-Z])", r"_\1", name)


SPELLINGS = {
    "JAW_OPEN": lambda name: words(name).upper(),
    "Jaw open": lambda name: words(name).replace("_", " ").capitalize(),
    "jaw.open": lambda name: words(name).replace("_", ".").lower(),
    "blendShape1.eyeBlink_L": lambda name: "blendShape1." + sided(name, "L", "R", "{stem}_{side}"),
    "head_geo_blendShape.jawOpen": lambda name: f"head_geo_blendShape.{name}",
    "eye_blink_lf": lambda name: words(sided(name, "Lf", "Rt")).lower(),
    "eyeBlink_Lt": lambda name: sided(name, "Lt", "Rt", "{stem}_{side}"),
    "eyeBlink_Sx": lambda name: sided(name, "Sx", "Dx", "{stem}_{side}"),
    "lf_eyeBlink": lambda name: sided(name, "lf", "rt", "{side}_{stem}"),
    "L_eyeBlink": lambda name: sided(name, "L", "R", "{side}_{stem}"),
    "eyeBlink (L)": lambda name: sided(name, "(L)", "(R)", "{stem} {side}"),
    "bsJawOpen": lambda name: f"bs{name[0].upper()}{name[1:]}",
    "jawOpen_24": lambda name: f"{name}_{ARKIT_NAMES.index(name)}",
    "24 - jawOpen": lambda name: f"{ARKIT_NAMES.index(name)} - {name}",
    "jawOpen_v2": lambda name: f"{name}_v2",
    "Bob_Head_01_jawOpen": lambda name: f"Bob_Head_01_{name}",
    "CH_Head_LOD0_jawOpen_target": lambda name: f"CH_Head_LOD0_{name}_target",
    "#jawOpen": lambda name: f"#{name}",
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_arkit_is_known_in_every_spelling(spelling):
    wanted = {SPELLINGS[spelling](name): name for name in ARKIT_NAMES}
    assert channels(wanted) == wanted


def test_copies_correctives_and_in_betweens_are_left_alone():
    more = ["jawOpen_mouthFunnel", "COR_jawOpen_mouthPucker", "jawOpen_50", "eyeBlinkLeft_in50", "jawOpen_old"]
    assert channels([*ARKIT_NAMES, *more, "jawOpen (copy)", "jawOpen.001"]) == {name: name for name in ARKIT_NAMES}


@pytest.mark.parametrize(
    ("face", "kind"),
    [
        (["jawOpen1", *VISEMES], "visemes"),
        (["mouthOpen", "mouthSmile", *VISEMES], "visemes"),
        (["mouthPucker", "mouthFunnel", "mouthPressLeft", *VISEMES], "visemes"),
        (["jawOpen", "mouthClose", "mouthPucker", "mouthSmileLeft", "mouthRollLower", *VISEMES], "arkit"),
        (["jawOpen", "mouthPucker", "viseme_aa"], "arkit"),
    ],
)
def test_lips_follow_arkit_or_visemes_as_a_whole(face, kind):
    found = set(channels(face).values())
    assert bool(found & set(VISEMES)) == (kind == "visemes")
    assert bool(found & coverage.LIPS) == (kind == "arkit")


def test_each_mesh_has_its_own_lips_and_follows_the_face_where_it_can():
    teeth, tongue = ["jawOpen"], ["jawOpen", "viseme_aa", "viseme_nn"]
    found = matching.match_meshes([VISEMES, teeth, tongue])
    assert [set(matches) for matches in found] == [set(VISEMES), {"jawOpen"}, {"viseme_aa", "viseme_nn"}]
    arkit = ["jawOpen", "mouthPucker", "mouthClose", "mouthStretchLeft"]
    found = matching.match_meshes([tongue, arkit])
    assert [set(matches) for matches in found] == [{"jawOpen"}, set(arkit)]


def test_keys_that_are_alike_share_their_channel_and_parts_do_not():
    found = matching.match_names([[f"viseme_{number}" for number in range(22)]])
    assert sum(match.gain for match in found.values() if match.channel == "viseme_aa") == pytest.approx(1.0)
    parts = matching.match_names([["jawOpen", "Mouth_Pucker_Up_L", "Mouth_Pucker_Down_L", "Mouth_Pucker_Up_R"]])
    assert {match.gain for match in parts.values()} == {1.0}


@pytest.mark.parametrize(
    ("keys", "text", "warned"),
    [
        (["jawOpen", "mouthClose", "mouthPucker", "eyeBlink"], "opens, closes, rounds, blinks; no gaze, no brows", ""),
        (VISEMES, "opens, closes, rounds, spreads, bites the lip; no blink, no gaze, no brows", ""),
        (["jawOpen", "browInnerUp"], "opens, moves its brows; no blink, no gaze", "closes the lips"),
        (["mouthPucker"], "rounds; no blink, no gaze, no brows", "opens the mouth"),
        ([], "nothing; no blink, no gaze, no brows", "opens the mouth"),
        (["viseme_aa", "viseme_I"], "opens, spreads; no blink, no gaze, no brows", "rounds the lips"),
    ],
)  # fmt: skip
def test_what_a_face_can_do_is_told(keys, text, warned):
    assert coverage.description(keys) == text
    assert warned in " ".join(coverage.warnings(keys))
    assert bool(coverage.warnings(keys)) == bool(warned)
