"""The repository root enabled as an add-on, driven by the scripted engine, and what its panels show."""

import importlib
import importlib.util
import sys
from contextlib import contextmanager
from types import SimpleNamespace

import bpy
from blender_scene import START, speaking_strip
from repository import ROOT, SCRIPTED_ENGINE

PACKAGE = "facetalk_installed"


def module(name):
    """A module of the enabled extension, e.g. "operators.generate"."""
    return importlib.import_module(f"{PACKAGE}.{name}")


@contextmanager
def enabled():
    """The extension enabled with preferences of its own; gives its session."""
    specification = importlib.util.spec_from_file_location(
        PACKAGE, ROOT / "__init__.py", submodule_search_locations=[str(ROOT)]
    )
    package = sys.modules[PACKAGE] = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(package)
    bpy.context.preferences.addons.new().module = PACKAGE
    package.register()
    session = module("facetalk_blender.generation.session").session
    session.engine_root = SCRIPTED_ENGINE
    yield session
    package.unregister()
    for name in [name for name in sys.modules if name.split(".")[0] == PACKAGE]:
        del sys.modules[name]


def generated_by_button(folder, targets=(), **chosen):
    """The scene of a file with a strip of START and what Generate has made of it, on meshes of the artist or a head."""
    strip = speaking_strip(bpy.context.scene, folder, frame=START)
    if chosen.get("frames_in") == "CACHE":
        bpy.ops.wm.save_as_mainfile(filepath=str(folder / "made.blend"))
    scene = bpy.context.scene
    settings = scene.facetalk
    settings.strip, settings.add_stage = strip.name, False
    for name, value in chosen.items():
        setattr(settings, name, value)
    for item in targets:
        settings.curves.targets.add().item = item
    assert bpy.ops.facetalk.generate() == {"FINISHED"}
    return scene


def head_of(text):
    """The object that shows a take."""
    (head,) = module("facetalk_blender.outputs.result").results_of_take(bpy.context.scene, text)
    return head


class CheckedLayout:
    """Stands for a UILayout: refuses properties and operators that do not exist, and records what is shown."""

    def __init__(self):
        self.shown = []

    def prop(self, data, name, **_options):
        assert name in data.bl_rna.properties
        self.shown.append(name)

    def operator(self, name, text="", **_options):
        group, operator = name.split(".")
        properties = getattr(getattr(bpy.ops, group), operator).get_rna_type().properties.keys()
        self.shown += [name, text]
        return SimpleNamespace(**dict.fromkeys(properties))

    def prop_search(self, data, name, holder, items, **_options):
        assert items in holder.bl_rna.properties
        self.prop(data, name)

    def operator_menu_enum(self, name, _property, text=""):
        self.operator(name, text)

    def panel(self, _name, default_closed=False):
        return self, self

    def template_icon_view(self, data, name, **_options):
        self.prop(data, name)

    def label(self, text="", **_options):
        self.shown.append(text)

    def progress(self, factor, **_options):
        assert 0 <= factor <= 1
        self.shown.append("progress")

    def column(self, **_options):
        return self

    row = box = split = column

    def separator(self, **_options):
        """Nothing is shown."""

    def menu(self, name, **_options):
        assert name in dir(bpy.types)
        self.shown.append(name)

    def template_list(self, kind, _name, data, items, active_data, active, **_options):
        assert kind in dir(bpy.types)
        assert items in data.bl_rna.properties
        assert active in active_data.bl_rna.properties
        self.shown.append(kind)


def panel_context(**others):
    """What a panel reads of Blender's context."""
    return SimpleNamespace(
        **{
            "scene": bpy.context.scene,
            "sequencer_scene": bpy.context.scene,
            "region": SimpleNamespace(width=280),
            "preferences": bpy.context.preferences,
        }
        | others
    )


def drawn(panel, context=None, layout=None):
    """What a panel shows; panel: e.g. "takes.FACETALK_PT_takes"."""
    room, name = panel.split(".")
    layout = layout or CheckedLayout()
    getattr(module(f"panels.{room}"), name).draw(SimpleNamespace(layout=layout), context or panel_context())
    return layout.shown
