"""Run by `tests/wheels/test_package.py` in a Blender of its own: installs a zip in an empty profile, makes a head.

Usage: installed_extension.py ZIP RECORDING [ENGINE_PYTHON]; prints one line of JSON.
"""

import json
import os
import sys

import bpy

# Blender ships none of these: its own process must do without them, whatever this Python has.
sys.modules |= dict.fromkeys(("torch", "scipy", "transformers", "skimage", "soundfile", "safetensors"))
zip_path, recording, engine_python = (*sys.argv[1:], "")[:3]
EXTENSION = "bl_ext.user_default.facetalk_blender"

bpy.ops.wm.read_factory_settings(use_empty=True)
bpy.ops.extensions.package_install_files(filepath=zip_path, repo="user_default", enable_on_install=True)
preferences = bpy.context.preferences.addons[EXTENSION].preferences
preferences.engine_python = engine_python
bpy.ops.facetalk.check_engine()
session = sys.modules[f"{EXTENSION}.facetalk_blender.generation.session"].session
facts = {"report": session.engine_report(), "problem": session.engine_task.problem}

settings = bpy.context.scene.facetalk
bpy.ops.facetalk.load_sound(filepath=recording)
settings.resolution = "64"
bpy.ops.facetalk.generate()
head = next(item for item in bpy.context.scene.objects if "facetalk_strip" in item)
counts = []
for frame in (1, 5):
    bpy.context.scene.frame_set(frame)
    counts.append(len(head.evaluated_get(bpy.context.view_layer.depsgraph).data.vertices))
facts["vertices"] = counts
bpy.ops.facetalk.release_memory()
facts["released"] = not session.engine_alive()
bpy.ops.preferences.addon_disable(module=EXTENSION)
facts["registered_after_disabling"] = hasattr(bpy.types.Scene, "facetalk")
sys.stdout.write("\n" + json.dumps(facts) + "\n")
sys.stdout.flush()
os._exit(0)  # pip's bpy may crash on its own way out
