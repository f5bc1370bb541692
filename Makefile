PYTHON ?= python3
VENV := .venv/bin/python
AUDIO ?= demo/voice.wav

.PHONY: demo test setup evaluate benchmark lint voice

setup:
	@PYTHON=$(PYTHON) tools/setup.sh

## Main job on the built-in starter model: out/demo.blend, out/demo.mp4, out/demo.png. Any recording: AUDIO=my.wav
demo: setup
	@mkdir -p out
	@$(VENV) facetalk_blender/batch.py -- --audio "$(AUDIO)" --output out/demo.mp4 --blend out/demo.blend \
		--contact-sheet out/demo.png --json out/demo.json
	@echo "Watch out/demo.mp4; open out/demo.blend in Blender 5 and press Space; out/demo.png shows moments of it."

test: setup
	$(VENV) -m pytest

lint: setup
	$(VENV) -m ruff check .

## Figures and plots in docs/evaluation/. DATA: folder with head/ and speech/ (docs/training.md)
evaluate: setup
	$(VENV) -m engine.training.evaluate --data "$(DATA)" --output docs/evaluation
	$(VENV) -m engine.training.head evaluate --data "$(DATA)" --output docs/evaluation

## Times of every stage, for docs/performance.md
benchmark: setup
	$(VENV) -m benchmarks.stages

## The demo's sentence, spoken by the free Debian voice flite
voice:
	tools/demo_voice.sh demo/voice.wav
