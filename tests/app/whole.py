"""The file that was saved while a head was made: the earlier head is shown, and nothing half made is left.

blender --background meanwhile.blend --python whole.py
"""

import bpy

heads = [item for item in bpy.context.scene.objects if item.get("facetalk_strip")]
shown = [item.name for item in heads if not item.hide_viewport]
assert len(shown) == 1, (shown, [item.name for item in heads])
assert bpy.data.objects[shown[0]].data.shape_keys is not None, shown
assert bpy.data.objects["Cube"].location.x == 0.0
