"""Every difference between the supported Blender versions (4.5 LTS to 5.2 LTS), and nothing else."""

from __future__ import annotations

import bpy


def strip_collection(editor: bpy.types.SequenceEditor) -> bpy.types.bpy_prop_collection:
    """The top-level strips of a sequence editor, to add to."""
    return editor.strips if hasattr(editor, "strips") else editor.sequences


def new_text_strip(strips: bpy.types.bpy_prop_collection, name: str, channel: int, frame: int) -> bpy.types.TextStrip:
    """A text strip that is shown for one frame."""
    length = {"length": 1} if bpy.app.version >= (5, 0, 0) else {"frame_end": frame + 1}
    return strips.new_effect(name, "TEXT", channel, frame_start=frame, **length)


def sequencer_scene(context: bpy.types.Context) -> bpy.types.Scene:
    """The scene whose strips the sequencer shows: since 5.0 it may be another than the window's."""
    return getattr(context, "sequencer_scene", None) or context.scene


def show_in_sequencer(context: bpy.types.Context, scene: bpy.types.Scene) -> str:
    """Have the workspace's sequencer show a scene; the name of the scene that it showed instead, or nothing."""
    workspace = context.workspace
    if not hasattr(workspace, "sequencer_scene") or workspace.sequencer_scene == scene:
        return ""
    shown, workspace.sequencer_scene = workspace.sequencer_scene, scene
    return shown.name if shown else ""


def strip_timing_paths() -> dict[str, str]:
    """Properties of a sound strip that say when it is heard.

    start: frame at which the content would begin; trim: frames of content cut off there, on top of the handle offsets;
    delay: seconds by which the sound is late; left, right: first frame heard and the frame after the last; mute.
    """
    names = ("frame_start", "animation_offset_start", "frame_final_start", "frame_final_end")
    if bpy.app.version >= (5, 2, 0):
        names = ("content_start", "content_trim_start", "left_handle", "right_handle")
    return dict(zip(("start", "trim", "left", "right"), names, strict=True)) | {"delay": "sound_offset", "mute": "mute"}


def content_start(strip: bpy.types.Strip) -> float:
    """Frame at which the strip's content would begin if nothing were trimmed."""
    return getattr(strip, strip_timing_paths()["start"])


def content_trim_start(strip: bpy.types.Strip) -> float:
    """Frames of content cut off at the start, on top of the handle offsets."""
    return getattr(strip, strip_timing_paths()["trim"])


def handles(strip: bpy.types.Strip) -> tuple[int, int]:
    """First frame at which the strip is heard, and the frame after the last."""
    paths = strip_timing_paths()
    return int(getattr(strip, paths["left"])), int(getattr(strip, paths["right"]))


def content_duration(strip: bpy.types.Strip) -> float:
    """Frames of content that the strip's file holds."""
    return strip.content_duration if bpy.app.version >= (5, 2, 0) else strip.frame_duration


def use_nodes(owner: bpy.types.Material | bpy.types.World) -> bpy.types.NodeTree:
    """The node tree of a new material or world; since 5.0 every one has it."""
    if bpy.app.version < (5, 0, 0):
        owner.use_nodes = True
    return owner.node_tree


def exports_picked_geometry_as_one_object() -> bool:
    """Whether Alembic and USD write geometry that nodes pick from other objects as one object; else one for each."""
    return bpy.app.version < (5, 2, 0)


def add_removal_of_attributes(
    tree: bpy.types.NodeTree, geometry: bpy.types.NodeSocket, pattern: str
) -> bpy.types.NodeSocket:
    """Geometry without the attributes whose names match a pattern: the output of a new node."""
    node = tree.nodes.new("GeometryNodeRemoveAttribute")
    if "Pattern Mode" in node.inputs:
        node.inputs["Pattern Mode"].default_value = "Wildcard"
    else:
        node.pattern_mode = "WILDCARD"
    node.inputs["Name"].default_value = pattern
    tree.links.new(geometry, node.inputs[0])
    return node.outputs[0]


def modifier_input(modifier: bpy.types.NodesModifier, name: str) -> object:
    """The value of an input of a geometry nodes modifier, by the name of its socket."""
    identifier = modifier.node_group.interface.items_tree[name].identifier
    if bpy.app.version >= (5, 2, 0):
        return getattr(modifier.properties.inputs, identifier).value
    return modifier[identifier]


def set_modifier_input(modifier: bpy.types.NodesModifier, name: str, value: object) -> None:
    """Set an input of a geometry nodes modifier, by the name of its socket."""
    identifier = modifier.node_group.interface.items_tree[name].identifier
    if bpy.app.version >= (5, 2, 0):
        getattr(modifier.properties.inputs, identifier).value = value
    else:
        modifier[identifier] = value


def eevee() -> str:
    """Identifier of the EEVEE render engine."""
    return "BLENDER_EEVEE" if bpy.app.version >= (5, 0, 0) else "BLENDER_EEVEE_NEXT"


def set_video_output(image_settings: bpy.types.ImageFormatSettings) -> None:
    """Make the render write a video file."""
    if hasattr(image_settings, "media_type"):
        image_settings.media_type = "VIDEO"
    image_settings.file_format = "FFMPEG"


def set_image_output(image_settings: bpy.types.ImageFormatSettings) -> None:
    """Make the render write PNG pictures."""
    if hasattr(image_settings, "media_type"):
        image_settings.media_type = "IMAGE"
    image_settings.file_format = "PNG"
