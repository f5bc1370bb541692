"""Light, backdrop and framing of a batch run are those of the panel."""

import pytest
from repository import import_from_extension

arguments = import_from_extension("facetalk_blender.unattended.arguments")
lighting = import_from_extension("facetalk_blender.look.lighting")
outcome = import_from_extension("facetalk_blender.unattended.outcome")
stage = import_from_extension("facetalk_blender.look.stage")

FILES = ["--audio", "voice.wav", "--output", "head.mp4"]


def choice(*words):
    return arguments.stage_of(arguments.parse([*FILES, *words]))


def test_without_options_it_is_the_panels_default():
    assert choice() == stage.StageChoice()


@pytest.mark.parametrize("light", lighting.RIGS)
@pytest.mark.parametrize("framing", stage.FRAMINGS)
def test_options_name_what_the_panel_offers(light, framing):
    words = ["--light", light.lower(), "--framing", framing.lower().replace("_", "-"), "--backdrop", "light"]
    assert choice(*words) == stage.StageChoice(light, "LIGHT", framing)


def test_an_unknown_light_is_refused():
    with pytest.raises(outcome.BatchError, match="portrait"):
        arguments.parse([*FILES, "--light", "disco"])
