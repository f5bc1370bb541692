"""How near numbers of the same formula are that were not computed in the same way.

The same operation on the same shapes gives the same bits on one machine, and tests of what must stay untouched ask for
them. Another processor, another number of threads or another shape adds in another order: then results differ by the
rounding of float32, 6e-8 of the largest value for each operation on the way, and a tolerance must grow with that value.
"""

import numpy as np

ROUNDING = 5e-6  # of the largest value, after a network's some hundred operations on end; found: up to 2e-6


def assert_close(actual, expected, relative=ROUNDING):
    """Arrays of one shape whose differences are at most `relative` of the largest expected value."""
    expected = np.asarray(expected)
    np.testing.assert_allclose(actual, expected, rtol=0, atol=relative * float(np.abs(expected).max()))
