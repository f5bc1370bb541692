"""The style Mumbled, as a preset of Blender's."""

import bpy

style = bpy.context.scene.facetalk.style

style.articulation = 0.6
style.jaw = 0.55
style.smile = 0.8
style.brows = 0.8
style.blinks = 1.0
style.gaze = 1.0
style.head_motion = 0.8
style.smooth = 0.05
