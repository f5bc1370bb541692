"""What may be asked for: ranges hold both ends, refuse everything else in one sentence, and print as the help says."""

import math

import pytest

from engine.shared.errors import EngineError
from engine.shared.options import GUIDANCE, RESOLUTION, RESOLUTIONS, SAMPLER, SAMPLERS, STEPS, STRENGTH


@pytest.mark.parametrize("limit", [GUIDANCE, STEPS, STRENGTH], ids=lambda limit: limit.name)
def test_a_range_holds_both_its_ends_and_nothing_beyond(limit):
    limit.check(limit.least)
    limit.check(limit.greatest)
    for value in (limit.least - 1e-3, limit.greatest + 1e-3, math.inf, math.nan):
        assert not limit.holds(value)
        with pytest.raises(EngineError, match=f"The {limit.name} is .*; choose a number from {limit}."):
            limit.check(value)


def test_a_range_reads_as_in_the_help():
    assert str(GUIDANCE) == "0 to 20"
    assert str(STEPS) == "1 to 1000"


def test_defaults_are_among_what_may_be_chosen():
    assert RESOLUTION in RESOLUTIONS
    assert SAMPLER in SAMPLERS
