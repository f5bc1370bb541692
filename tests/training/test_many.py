"""A training in two processes takes the steps that one process takes with the whole batch."""

import subprocess
import sys

import pytest
import torch
from repository import ROOT

SCRIPT = """
import sys, torch
from training.run.learner import Learner
from training.run.many import mine, one_of_many, rank

with one_of_many(torch.device("cpu")):
    torch.manual_seed(0)
    network = torch.nn.Linear(5, 3)
    learner = Learner(network, [torch.optim.Adam(network.parameters())], 0.9)
    inputs, targets = torch.randn(8, 5), torch.randn(8, 3)
    for _ in range(3):
        loss = (network(mine(inputs)) - mine(targets)).square().mean()
        learner.descend(loss, 0.01, 1.0)
    torch.save(network.state_dict(), f"{sys.argv[1]}/{rank()}.pt")
"""


@pytest.mark.slow
def test_two_processes_are_one(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    run = {"check": True, "cwd": ROOT, "capture_output": True, "timeout": 600}
    environment = {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "PATH": "/usr/bin:/bin"}
    subprocess.run([sys.executable, script, tmp_path / "one"], env=environment, **run)
    many = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    subprocess.run([*many, script, tmp_path / "two"], env=environment, **run)
    one, first, second = (
        torch.load(tmp_path / name, weights_only=True) for name in ("one/0.pt", "two/0.pt", "two/1.pt")
    )
    for name, weights in one.items():
        assert torch.equal(first[name], second[name])
        torch.testing.assert_close(first[name], weights, rtol=0, atol=1e-6)
