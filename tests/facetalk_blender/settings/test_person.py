"""The settings of the person: the table, drawn persons, and hair that follows them on a finished head."""

import bpy
import numpy as np
import pytest
from registered_extension import module
from repository import ROOT, import_from_extension

persons = import_from_extension("facetalk_blender.person.persons")
scalp = import_from_extension("facetalk_blender.hair.scalp").scalp()
safetensors = pytest.importorskip("safetensors.numpy")


@pytest.fixture
def head(settings):
    """The finished head of the chosen take, which is told where the starter's hair would grow."""
    (found,) = module("facetalk_blender.outputs.result").results_of_take(bpy.context.scene, settings.take)
    model = safetensors.load_file(str(ROOT / "engine/starter/head_template.safetensors"))["vertices"] * 0.25
    places = np.stack([model[:, 0], -model[:, 2], model[:, 1]], 1).astype(np.float32)
    module("facetalk_blender.hair.worn").remember_places(found, places)
    return found


def test_a_person_sets_head_colours_and_hair(settings):
    scene = bpy.context.scene
    scene.facetalk_person.person = "Kofi"
    kofi = persons.persons()["Kofi"]
    assert tuple(scene.facetalk_head.skin_color) == pytest.approx(kofi.skin)
    assert scene.facetalk_head.lip_fullness == pytest.approx(kofi.controls["lip_fullness"])
    wish = scene.facetalk_person.wish()
    assert (wish.style, wish.beard) == ("buzz", "goatee")
    assert wish.melanin == pytest.approx(kofi.cut.melanin)
    assert settings.identity().startswith("mean+")
    scene.facetalk_person.viewport, scene.facetalk_person.render = 10, 40
    made = settings.options(module("facetalk_blender.settings.preferences").preferences(bpy.context))
    assert made.cut == wish
    assert made.strands == (0.1, 0.4)


def test_every_person_has_an_item_and_its_controls_exist(settings):
    person, head = module("facetalk_blender.settings.person"), module("facetalk_blender.settings.head")
    assert [item[0] for item in person.person_items(None, None)] == [person.OWN, *persons.persons()]
    for one in persons.persons().values():
        assert set(one.controls) <= set(head.CONTROLS)
        assert set(one.traits) <= set(head.TRAITS)


def test_a_random_person_is_that_of_its_number(settings):
    assert bpy.ops.facetalk.random_person(seed=12) == {"FINISHED"}
    drawn = persons.drawn_person(12)
    assert settings.identity().split("+")[0] == drawn.identity
    assert bpy.context.scene.facetalk_person.style == drawn.cut.style
    assert bpy.context.scene.facetalk_person.person == "OWN"


def test_settings_act_on_the_finished_head(head):
    person = bpy.context.scene.facetalk_person
    worn = module("facetalk_blender.hair.worn")
    person.style = "crew"
    item = worn.worn_by(head)
    assert worn.cut_of(item).style == "crew"
    person.melanin = 0.1
    assert worn.worn_by(head) == item
    assert item["facetalk_melanin"] == pytest.approx(0.1)
    person.beard = "stubble"
    assert len(worn.worn_by(head).data.curves) > 25000
    person.use_hair = False
    assert worn.worn_by(head) is None
    assert not bpy.data.hair_curves


def test_removing_the_head_removes_its_hair(head):
    bpy.context.scene.facetalk_person.style = "crew"
    module("facetalk_blender.outputs.removal").remove_result(head)
    assert not bpy.data.hair_curves
    assert not [item for item in bpy.data.objects if "Hair" in item.name]
    assert not [mesh for mesh in bpy.data.meshes if mesh.users == 0]


def test_a_head_that_cannot_wear_hair_says_why(settings):
    cannot_wear = module("facetalk_blender.settings.person").cannot_wear
    assert "generate it again" in cannot_wear(bpy.context.scene)
    bpy.context.scene.facetalk_person.style = "bob"
    assert not bpy.data.hair_curves
