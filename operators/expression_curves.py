"""Targets of expression curves, the table of their shape keys, its presets, the check, and removing curves."""

from __future__ import annotations

import bpy

from ..engine.shared.errors import EngineError
from ..facetalk_blender.outputs import curve_action
from ..facetalk_blender.outputs.curves import expression_curves, movement_check, presets
from ..facetalk_blender.outputs.curves.targets import can_override, rigs_of, target_problem
from ..facetalk_blender.retargeting import coverage
from ..facetalk_blender.settings import curve_presets
from ..facetalk_blender.settings.curve_presets import preset_folder
from ..facetalk_blender.settings.curves import FaceTalkCurves
from .running import can_run


def _curves(context: bpy.types.Context) -> FaceTalkCurves:
    return context.scene.facetalk.curves


def _why_none(items: list[bpy.types.Object]) -> str:
    """Why none of the selected objects was added: of meshes with shape keys their own reason."""
    meshes = [item for item in items if item.type == "MESH" and item.data.shape_keys]
    problems = (target_problem(item) for item in meshes)
    return next(filter(None, problems), "Select a mesh with shape keys that is not listed yet.")


def _without_active(rows: bpy.types.bpy_prop_collection, active: int) -> int:
    """Remove the active row of a list; the row that is active then."""
    rows.remove(min(active, len(rows) - 1))
    return max(active - 1, 0)


class FACETALK_OT_add_curve_targets(bpy.types.Operator):
    """Add the selected meshes with shape keys as targets"""

    bl_idname = "facetalk.add_curve_targets"
    bl_label = "Add Selected"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Add what is selected and not listed yet."""
        curves = _curves(context)
        listed = curves.target_items()
        # A linked mesh is listed with its fix, an override, beside it.
        items = [item for item in context.selected_objects if not target_problem(item) or can_override(item)]
        new = [item for item in items if item not in listed]
        if not new:
            self.report({"WARNING"}, _why_none(context.selected_objects))
            return {"CANCELLED"}
        curves.try_key("")
        curves.try_row("")
        for item in new:
            curves.targets.add().item = item
        curves.active_target = len(curves.targets) - 1
        return {"FINISHED"}


class FACETALK_OT_remove_curve_target(bpy.types.Operator):
    """Take the active mesh off the list; its curves stay"""

    bl_idname = "facetalk.remove_curve_target"
    bl_label = "Remove Target"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Whether there is a target."""
        return can_run(cls, "" if _curves(context).targets else "There is no target mesh.")

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Remove the active row."""
        curves = _curves(context)
        curves.try_key("")
        curves.try_row("")
        curves.active_target = _without_active(curves.targets, curves.active_target)
        return {"FINISHED"}


class FACETALK_OT_override_meshes(bpy.types.Operator):
    """Make library overrides of the targets' linked meshes, whose shape keys can then be animated in this file"""

    bl_idname = "facetalk.override_meshes"
    bl_label = "Override Mesh"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Whether a target's mesh is linked."""
        linked = any(map(can_override, _curves(context).target_items()))
        return can_run(cls, "" if linked else "No target has a linked mesh.")

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Make them, and match names again."""
        curves = _curves(context)
        for item in filter(can_override, curves.target_items()):
            if item.data.override_create(remap_local_usages=True) is None:
                self.report({"ERROR"}, f"The mesh of {item.name} cannot be overridden; append it instead of linking.")
                return {"CANCELLED"}
        if not curves.problem():
            curves.match()
        return {"FINISHED"}


class FACETALK_OT_match_shape_keys(bpy.types.Operator):
    """List what each shape key of the targets, or of a new head, follows by its name. Rows set by hand stay"""

    bl_idname = "facetalk.match_shape_keys"
    bl_label = "Match Names"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Whether the targets can be used; the reason why not is the tooltip."""
        return can_run(cls, _curves(context).problem())

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Fill the table."""
        _curves(context).try_row("")
        assigned, guessed, left = _curves(context).match()
        text = f"{assigned} shape keys follow an expression, {left} do not"
        self.report({"INFO"}, f"{text}; review {guessed} guesses" if guessed else text)
        if _curves(context).targets:
            for problem in coverage.warnings(_curves(context).channels()):
                self.report({"WARNING"}, problem)
        return {"FINISHED"}


class FACETALK_OT_try_shape_key(bpy.types.Operator):
    """Show this shape key at its full value and nothing else; press again to show the face as before"""

    bl_idname = "facetalk.try_shape_key"
    bl_label = "Try Shape Key"
    bl_options = {"REGISTER", "UNDO"}

    key: bpy.props.StringProperty(name="Shape Key")

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Whether there is a face to show it on."""
        return can_run(cls, "" if _curves(context).targets else "There is no target mesh.")

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Show it, or what was before."""
        curves = _curves(context)
        curves.try_key("" if curves.tried == self.key else self.key)
        return {"FINISHED"}


class FACETALK_OT_try_rig_row(bpy.types.Operator):
    """Show what this bone or property does at a weight of 1; press again to show what was before"""

    bl_idname = "facetalk.try_rig_row"
    bl_label = "Try Control"
    bl_options = {"REGISTER", "UNDO"}

    row: bpy.props.StringProperty(name="Row", description='"bone" or "control" and its number')

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Show it, or what was before."""
        curves = _curves(context)
        try:
            curves.try_row("" if curves.tried_row == self.row else self.row)
        except (EngineError, LookupError, ValueError) as error:
            self.report({"ERROR"}, str(error) if isinstance(error, EngineError) else "There is no such row.")
            return {"CANCELLED"}
        return {"FINISHED"}


class FACETALK_OT_add_rig_property(bpy.types.Operator):
    """Let a property of the active object follow the performance: choose the property and what it follows below"""

    bl_idname = "facetalk.add_rig_property"
    bl_label = "Add Property"
    bl_options = {"REGISTER", "UNDO"}

    path: bpy.props.StringProperty(name="Property", description="Data path, seen from the object")
    channel: bpy.props.StringProperty(name="Follows", description="What the property follows")

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Whether there is a target."""
        return can_run(cls, "" if _curves(context).targets else "Add a target mesh first.")

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Add a row for the active object, or for the targets' armature."""
        curves = _curves(context)
        rigs = [item for item in rigs_of(curves.target_items()) if item.type == "ARMATURE"]
        curves.try_row("")
        active = context.view_layer.objects.active
        curves.add_control(rigs[0] if rigs and (active is None or active.type == "MESH") else active, self.path)
        curves.active_control = len(curves.controls) - 1
        curves.controls[-1].channel = self.channel
        return {"FINISHED"}


class FACETALK_OT_remove_rig_property(bpy.types.Operator):
    """Take the active property off the list; Match leaves it alone too"""

    bl_idname = "facetalk.remove_rig_property"
    bl_label = "Remove Property"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Whether there is a row."""
        return can_run(cls, "" if _curves(context).controls else "There is no property in the list.")

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Remove the active row."""
        curves = _curves(context)
        curves.try_row("")
        row = curves.controls[min(curves.active_control, len(curves.controls) - 1)]
        curves.leave_alone(row.item, row.path)
        curves.active_control = _without_active(curves.controls, curves.active_control)
        return {"FINISHED"}


class FACETALK_OT_save_curve_preset(bpy.types.Operator):
    """Save what shape keys, bones and rig properties follow as a preset for other files"""

    bl_idname = "facetalk.save_curve_preset"
    bl_label = "Save Preset"

    preset: bpy.props.StringProperty(name="Name", default="My Character")

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Whether there is something to save."""
        curves = _curves(context)
        filled = curves.controls or any(row.channel for row in curves.links) or curves.bone_choices()
        return can_run(cls, "" if filled else "The table is empty; match names or assign channels first.")

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        """Ask for the name."""
        return context.window_manager.invoke_props_dialog(self)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Write the preset."""
        try:
            path = presets.preset_path(preset_folder(), self.preset)
            presets.save(path, curve_presets.preset_of(_curves(context)))
        except EngineError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        self.report({"INFO"}, f"Saved the preset {self.preset}")
        return {"FINISHED"}


class FACETALK_OT_load_curve_preset(bpy.types.Operator):
    """Let shape keys, bones and rig properties follow what a preset says"""

    bl_idname = "facetalk.load_curve_preset"
    bl_label = "Load Preset"
    bl_options = {"REGISTER", "UNDO"}

    preset: bpy.props.StringProperty(name="Name")

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Read the preset."""
        curves = _curves(context)
        try:
            preset = presets.load(presets.preset_path(preset_folder(), self.preset))
        except EngineError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        curves.try_key("")
        curves.try_row("")
        missing = curve_presets.apply(curves, preset)
        if missing:
            self.report({"WARNING"}, missing)
        return {"FINISHED"}


# Blender keeps no reference to the texts of items that a function makes.
_preset_items: list[tuple[str, str, str]] = []


def _saved_presets(_self, _context: bpy.types.Context) -> list[tuple[str, str, str]]:
    _preset_items[:] = [(name, name, "") for name in presets.preset_names(preset_folder())]
    return _preset_items


class FACETALK_OT_delete_curve_preset(bpy.types.Operator):
    """Delete a saved preset of the table. What was made with it stays"""

    bl_idname = "facetalk.delete_curve_preset"
    bl_label = "Delete Preset"

    preset: bpy.props.EnumProperty(name="Preset", description="Preset to delete", items=_saved_presets)

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        """Whether there is a preset; the reason why not is the tooltip."""
        return can_run(cls, "" if presets.preset_names(preset_folder()) else "No preset was saved yet.")

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        """Ask which one, and whether it is to go for good."""
        return context.window_manager.invoke_props_dialog(
            self, title="Delete a preset for good?", confirm_text="Delete"
        )

    def execute(self, _context: bpy.types.Context) -> set[str]:
        """Delete its file."""
        name = self.preset
        try:
            presets.delete(presets.preset_path(preset_folder(), name))
        except EngineError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        self.report({"INFO"}, f"Deleted the preset {name}")
        return {"FINISHED"}


def _actions(context: bpy.types.Context) -> list[bpy.types.Action]:
    found = curve_action.actions_of(context.scene, context.scene.facetalk.strip)
    return [action for action in found if curve_action.ON_TARGETS_PROPERTY in action]


class _OfTargets:
    """Shared by operators that need curves of the chosen sound strip on target meshes."""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Whether there are such curves."""
        problem = "The chosen sound strip has no expression curves on target meshes."
        return can_run(cls, "" if _actions(context) else problem)


class FACETALK_OT_check_curves(_OfTargets, bpy.types.Operator):
    """Look whether the targets really move with the curves of the chosen sound strip, and if not, why"""

    bl_idname = "facetalk.check_curves"
    bl_label = "Check Movement"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Report the first reason, or that everything moves."""
        found = []
        for action in _actions(context):
            if curve_action.PARKED_PROPERTY in action:
                continue
            moved = [item for item in context.scene.objects if item.type == "MESH" and item.data.shape_keys]
            for item in moved:
                if any(used == action for used, _ in curve_action.uses(item.data.shape_keys)):
                    found += movement_check.problems(context.scene, item, action)
        for problem in found:
            self.report({"WARNING"}, problem)
        if not found:
            self.report({"INFO"}, "Every target moves as its curves say")
        return {"FINISHED"}


class FACETALK_OT_remove_curves(_OfTargets, bpy.types.Operator):
    """Remove the curves of all takes of the chosen sound strip from the targets, which go back to where they were"""

    bl_idname = "facetalk.remove_curves"
    bl_label = "Remove Curves"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Remove them."""
        expression_curves.remove_from_targets(context.scene, context.scene.facetalk.strip)
        return {"FINISHED"}


CLASSES = (
    FACETALK_OT_add_curve_targets,
    FACETALK_OT_remove_curve_target,
    FACETALK_OT_override_meshes,
    FACETALK_OT_match_shape_keys,
    FACETALK_OT_try_shape_key,
    FACETALK_OT_try_rig_row,
    FACETALK_OT_add_rig_property,
    FACETALK_OT_remove_rig_property,
    FACETALK_OT_save_curve_preset,
    FACETALK_OT_load_curve_preset,
    FACETALK_OT_delete_curve_preset,
    FACETALK_OT_check_curves,
    FACETALK_OT_remove_curves,
)
