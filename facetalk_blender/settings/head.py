"""Who speaks: measured controls of the head, presets, skin and eye colour, as settings of a scene.

The controls are the starter model's: each moves one measurement by one standard deviation per unit and holds the
others nearly still. `python -m training.head controls` prints the measurements behind the names.
"""

from __future__ import annotations

from dataclasses import asdict, fields

import bpy

from ..generation import head_preview
from ..look import appearance, material, skin_traits
from ..look.appearance import DEFAULT_EYE_COLOR, DEFAULT_SKIN_COLOR
from ..look.skin_traits import SKIN_PRESETS
from ..outputs import result
from .preferences import engine_choice

# Sliders by the part of the head that they belong to.
GROUPS = {
    "Face": ("face_length", "face_width", "jaw_width", "chin_height", "chin_forward", "head_depth", "neck_width"),
    "Nose": ("nose_length", "nose_width", "nose_forward"),
    "Eyes and Brows": ("eye_width", "eye_opening", "eye_spacing", "brow_height", "brow_ridge"),
    "Mouth": ("mouth_width", "lip_fullness"),
}
OWN_SKIN = "OWN"  # no preset of the skin
TRAITS = tuple(skin_traits.TRAIT_LIMITS)
CONTROLS = tuple(name for names in GROUPS.values() for name in names)
PRESETS: dict[str, dict[str, float]] = {
    "Slender": {"face_width": -1.6, "jaw_width": -1.2, "neck_width": -1.4, "face_length": 0.9, "nose_width": -0.8},
    "Broad": {"face_width": 1.4, "jaw_width": 1.5, "neck_width": 1.4, "nose_width": 1.0, "mouth_width": 0.9},
    "Strong Jaw": {"jaw_width": 1.5, "chin_forward": 1.2, "chin_height": 1.0, "brow_ridge": 1.2, "lip_fullness": -0.8},
    "Delicate": {"jaw_width": -1.5, "chin_height": -1.0, "nose_length": -0.5, "nose_width": -1.0, "eye_width": 1.0,
                 "eye_opening": 0.6, "brow_ridge": -0.8, "brow_height": 0.7, "lip_fullness": 0.5, "neck_width": -1.0},
    "Full Lips": {"lip_fullness": 1.8, "mouth_width": 0.6, "nose_width": 0.9, "chin_forward": -0.4},
    "Long Nose": {"nose_length": 1.6, "nose_forward": 1.3, "face_length": 0.8, "lip_fullness": -0.8},
}  # fmt: skip


def refresh_preview(_self, context: bpy.types.Context) -> None:
    """Let the preview, if there is one, follow a setting that was changed."""
    head_preview.refresh(context.scene, engine_choice)


def show_colors(head: FaceTalkHead, context: bpy.types.Context) -> None:
    """Let the chosen take's heads, and the one that is shown while editing, have the colours."""
    colors = tuple(head.skin_color), tuple(head.eye_color)
    for item in _heads(head.id_data):
        appearance.set_colors(item, *colors)
        item.update_tag()
    material.show_colors(*colors)
    refresh_preview(head, context)


def show_traits(head: FaceTalkHead, _context: bpy.types.Context) -> None:
    """Let the chosen take's heads have the skin's traits."""
    for item in _heads(head.id_data):
        skin_traits.set_traits(item, head.traits())
        item.update_tag()


def _apply_skin(head: FaceTalkHead, _context: bpy.types.Context) -> None:
    if head.skin == OWN_SKIN:
        return
    color, traits = SKIN_PRESETS[head.skin]
    for name, value in asdict(traits).items():
        setattr(head, name, value)
    head.skin_color = color


def _trait(name: str, description: str) -> bpy.props.FloatProperty:
    key = name.lower().replace("-", "")
    default, (least, greatest) = getattr(skin_traits.SkinTraits(), key), skin_traits.TRAIT_LIMITS[key]
    return bpy.props.FloatProperty(
        name=name, description=description, default=default, min=least, max=greatest, step=5, update=show_traits
    )


def has_head(scene: bpy.types.Scene) -> bool:
    """Whether the chosen take has a head."""
    return bool(_heads(scene))


def _heads(scene: bpy.types.Scene) -> list[bpy.types.Object]:
    text = scene.facetalk.chosen_take()
    return [] if text is None else result.results_of_take(scene, text)


def _control(name: str, description: str, millimetres: float) -> bpy.props.FloatProperty:
    """A slider in standard deviations, with what one unit was measured to change."""
    return bpy.props.FloatProperty(
        name=name,
        description=f"{description}; 1 is {millimetres:g} mm more than the average head",
        min=-3.0,
        max=3.0,
        soft_min=-2.0,
        soft_max=2.0,
        step=10,
        update=refresh_preview,
    )


class FaceTalkHead(bpy.types.PropertyGroup):
    """How the next head of this scene looks."""

    face_length: _control("Length", "From the root of the nose to the chin", 6.4)
    face_width: _control("Width", "Across the cheekbones", 7.7)
    jaw_width: _control("Jaw Width", "Between the corners of the jaw", 7.0)
    chin_height: _control("Chin Height", "From the lower lip to the chin", 3.5)
    chin_forward: _control("Chin Forward", "How far the chin stands out", 5.9)
    head_depth: _control("Head Depth", "From the root of the nose to the back of the head", 10.2)
    neck_width: _control("Neck Width", "Across the neck", 11.4)
    nose_length: _control("Length", "From the root of the nose to its base", 3.2)
    nose_width: _control("Width", "Between the wings of the nose", 2.7)
    nose_forward: _control("Forward", "How far the tip stands out from the wings", 3.5)
    eye_width: _control("Eye Width", "From corner to corner of an eye", 2.0)
    eye_opening: _control("Eye Opening", "Between the lids", 1.2)
    eye_spacing: _control("Eye Spacing", "From the middle of one eye to the other", 3.6)
    brow_height: _control("Brow Height", "From the eyes to the brows", 1.8)
    brow_ridge: _control("Brow Ridge", "How far the brows stand out over the eyes", 2.8)
    mouth_width: _control("Width", "From corner to corner of the mouth", 3.9)
    lip_fullness: _control("Lip Fullness", "Height of both lips together", 3.5)
    skin_color: bpy.props.FloatVectorProperty(
        name="Skin", description="Colour of the skin", subtype="COLOR", default=DEFAULT_SKIN_COLOR, min=0.0, max=1.0,
        update=show_colors,
    )  # fmt: skip
    eye_color: bpy.props.FloatVectorProperty(
        name="Eyes", description="Colour of the iris", subtype="COLOR", default=DEFAULT_EYE_COLOR, min=0.0, max=1.0,
        update=show_colors,
    )  # fmt: skip

    skin: bpy.props.EnumProperty(
        name="Preset",
        description="Colour and traits of the skin together; all of them can be changed afterwards",
        items=[(OWN_SKIN, "Own", "As it is set below"), *((name, name, "") for name in SKIN_PRESETS)],
        update=_apply_skin,
    )
    wrinkles: _trait("Wrinkles", "How deep skin folds where a face gathers it")
    age: _trait("Age", "Folds that stay when the face is at rest")
    redness: _trait("Redness", "How much blood shows in cheeks, nose and ears")
    freckles: _trait("Freckles", "On nose and cheeks")
    makeup: _trait("Make-Up", "Colour on lips, lids and cheeks")

    def traits(self) -> skin_traits.SkinTraits:
        """What the skin is like beside its colour."""
        return skin_traits.SkinTraits(
            **{item.name: getattr(self, item.name) for item in fields(skin_traits.SkinTraits)}
        )

    def controls(self) -> dict[str, float]:
        """The value of every control."""
        return {name: getattr(self, name) for name in CONTROLS}

    def set_controls(self, values: dict[str, float]) -> None:
        """Move the sliders; those that are not named go to zero."""
        for name in CONTROLS:
            setattr(self, name, values.get(name, 0.0))


CLASSES = (FaceTalkHead,)
