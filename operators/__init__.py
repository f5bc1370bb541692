"""Blender operators: thin, the work is done in facetalk_blender."""

from . import (
    capture_video,
    engine_runtime,
    export,
    expression_curves,
    frame_storage,
    generate,
    head_identity,
    import_weights,
    load_sound,
    model_bundle,
    style_preset,
    takes,
    tension,
    try_it,
    views,
    voice_feeling,
)

CLASSES = (
    *expression_curves.CLASSES,
    *export.CLASSES,
    *load_sound.CLASSES,
    *capture_video.CLASSES,
    *import_weights.CLASSES,
    *generate.CLASSES,
    *try_it.CLASSES,
    *voice_feeling.CLASSES,
    *views.CLASSES,
    *style_preset.CLASSES,
    *takes.CLASSES,
    *frame_storage.CLASSES,
    *tension.CLASSES,
    *head_identity.CLASSES,
    *engine_runtime.CLASSES,
    *model_bundle.CLASSES,
)
