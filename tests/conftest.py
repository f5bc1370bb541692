"""Examples of hypothesis have no time limit: a busy machine is no failure of the code.

They are the same in every run, so a failure belongs to what was changed; the long run of faults draws new ones.
"""

import os

from hypothesis import HealthCheck, settings

settings.register_profile(
    "any machine",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=os.environ.get("FACETALK_FAULTS") != "long",
)
settings.load_profile("any machine")
