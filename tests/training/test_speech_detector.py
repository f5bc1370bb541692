"""Weights of Silero's program become those of a bundle's speech detector."""

import pytest
import torch
from torch import nn

from engine.bundle import Bundle
from engine.motion.speech_detector import CHANNELS, STRIDES, load_speech_detector
from training.speech_detector import main


class Block(nn.Module):
    def __init__(self, number):
        super().__init__()
        self.reparam_conv = nn.Conv1d(CHANNELS[number], CHANNELS[number + 1], 3, STRIDES[number], padding=1)

    def forward(self, x):
        return torch.relu(self.reparam_conv(x))


class Decoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.LSTMCell(CHANNELS[-1], CHANNELS[-1])
        self.decoder = nn.Sequential(nn.Dropout(), nn.ReLU(), nn.Conv1d(CHANNELS[-1], 1, 1), nn.Sigmoid())

    def forward(self, x):
        state, _ = self.rnn(x[..., 0])
        return self.decoder(state[..., None])


class Model(nn.Module):
    """A first chunk as Silero's program hears it."""

    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(*map(Block, range(len(STRIDES))))
        self.decoder = Decoder()

    def forward(self, spectra):
        return self.decoder(self.encoder(spectra))


class Program(nn.Module):
    def __init__(self):
        super().__init__()
        self._model = Model()

    def forward(self, spectra):
        return self._model(spectra)


@pytest.mark.filterwarnings("ignore:.torch.jit")  # the form in which the program comes
def test_a_program_becomes_a_section(tmp_path):
    torch.manual_seed(1)
    program = Program().eval()
    path = tmp_path / "silero_vad.jit"
    torch.jit.script(program).save(str(path))
    main([str(path), "--bundle", str(tmp_path / "bundle")])
    chunk = torch.randn(1, 576)
    spectra = torch.stft(
        nn.functional.pad(chunk, (0, 64), mode="reflect"), 256, 128, window=torch.hann_window(256), center=False,
        return_complex=True,
    ).abs()  # fmt: skip
    detector = load_speech_detector(Bundle.open(tmp_path / "bundle"))
    with torch.no_grad():
        torch.testing.assert_close(detector(chunk)[0], program(spectra).flatten(), atol=2e-3, rtol=0)
