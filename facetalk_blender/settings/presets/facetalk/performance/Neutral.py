"""The performance Neutral, as a preset of Blender's."""

import bpy

performance = bpy.context.scene.facetalk.performance

performance.joy = 0.0
performance.anger = 0.0
performance.sadness = 0.0
performance.fear = 0.0
performance.disgust = 0.0
performance.surprise = 0.0
performance.contempt = 0.0
performance.energy = 0.0
performance.blink_rate = 0.0
