"""What tests of the head share."""

import pytest
import torch


@pytest.fixture(params=[1, 2, 3])
def threads(request):
    """How many threads torch has meanwhile."""
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)
