PYTHON ?= python3
VENV := .venv/bin/python
AUDIO ?= demo/voice.wav

.PHONY: demo research-demo test test-quick test-faults test-codecs test-processors test-matrix test-app package setup evaluate benchmark lint api voice

setup:
	@PYTHON=$(PYTHON) tools/setup.sh

## Main job on the built-in starter model: out/demo.blend, out/demo.mp4, out/demo.png. Any recording: AUDIO=my.wav
demo: setup
	@mkdir -p out
	@$(VENV) facetalk_blender/batch.py -- --audio "$(AUDIO)" --output out/demo.mp4 --blend out/demo.blend \
		--contact-sheet out/demo.png --json out/demo.json --hair crew
	@echo "Watch out/demo.mp4; open out/demo.blend in Blender 5 and press Space; out/demo.png shows moments of it."

test: setup
	$(VENV) -m pytest

## Two minutes of tests: all that take less than a second or two
test-quick: setup
	$(VENV) -m pytest -m "not slow"

## Faults at length (docs/reliability.md), which takes hours; SHARE=0.1 takes a tenth of the files, streams and kills
SHARE ?= 1
test-faults: setup
	FACETALK_FAULTS=long FACETALK_FAULT_SHARE=$(SHARE) $(VENV) -m pytest tests/faults

## Every codec at every rate, twelve lengths each, from files and packed (docs/reliability.md): twenty minutes
test-codecs: setup
	FACETALK_CODECS=24 $(VENV) -m pytest tests/facetalk_blender/sound/test_codecs.py

## The tests of numbers with the kernels of other processors, less than two minutes each: those that every x86-64 has, on
## one thread; those of AVX2, on two. The variables steer NumPy's BLAS, NumPy, PyTorch's BLAS twice (the first on Intel
## alone), its convolutions and its other operations.
NUMERIC := -m "not slow" tests/engine/arkit_fit tests/engine/head tests/engine/importing tests/engine/motion \
	tests/engine/shared tests/evaluation/motion tests/training/head tests/training/test_resume.py
AVX512 := AVX512F AVX512CD AVX512_SKX AVX512_CLX AVX512_CNL AVX512_ICL
test-processors: setup
	OPENBLAS_CORETYPE=Nehalem NPY_DISABLE_CPU_FEATURES="$(AVX512) AVX2 FMA3" MKL_ENABLE_INSTRUCTIONS=SSE4_2 \
		MKL_CBWR=COMPATIBLE ONEDNN_MAX_CPU_ISA=SSE41 ATEN_CPU_CAPABILITY=default OMP_NUM_THREADS=1 \
		$(VENV) -m pytest $(NUMERIC)
	OPENBLAS_CORETYPE=Haswell NPY_DISABLE_CPU_FEATURES="$(AVX512)" MKL_ENABLE_INSTRUCTIONS=AVX2 MKL_CBWR=AVX2 \
		ONEDNN_MAX_CPU_ISA=AVX2 ATEN_CPU_CAPABILITY=avx2 OMP_NUM_THREADS=2 \
		$(VENV) -m pytest $(NUMERIC)

## The Blender side under every supported version of Blender; writes the README's table
test-matrix: setup
	$(VENV) tools/test_matrix.py

## The zip in the Blender application, as a person uses it, on a screen of its own; pictures of it in out/app-pictures.
## On Debian, as root: the application comes from Debian sid, 3 GB in APPLICATION.
APPLICATION ?= out/blender-app
test-app: setup
	tools/blender_app.sh "$(APPLICATION)"
	rm -rf out/app-zip
	$(VENV) wheels/package.py build --output out/app-zip
	tests/app/run.sh "$(APPLICATION)" out/app-zip/*.zip out/app-pictures

## dist/: the small zip; with PLATFORM=linux-x64, windows-x64 or macos-arm64 that platform's zip with all wheels.
## PYTHON_VERSION=3.11 or 3.13 takes the wheels of one Python only.
package: setup
	$(VENV) wheels/package.py build $(if $(PLATFORM),--platform $(PLATFORM)) \
		$(if $(PYTHON_VERSION),--python $(PYTHON_VERSION))

## Errors and style, formatting, types
lint: setup
	$(VENV) -m ruff check .
	$(VENV) -m ruff format --check .
	$(VENV) -m mypy engine farm training evaluation

## Figures and plots in docs/evaluation/. DATA: folder with head/ and speech/ (docs/train.md)
## HEADS: of how many unseen heads; 20 take half an hour of one core
HEADS ?= 20
evaluate: setup
	$(VENV) -m evaluation.motion --data "$(DATA)" --output docs/evaluation
	$(VENV) -m evaluation.motion.performance --data "$(DATA)" --output docs/evaluation
	$(VENV) -m evaluation.head --data "$(DATA)" --output docs/evaluation --identities $(HEADS)

## From rendered captures to fitted codes, three small models and the paper's tables (docs/research.md), in out/research
research-demo: setup
	@DATA="$(DATA)" tools/research_demo.sh out/research

## Times of every stage, for docs/performance.md
benchmark: setup
	$(VENV) -m benchmarks.stages

## docs/api.md, from the docstrings
api: setup
	$(VENV) tools/api_page.py

## The demo's sentence, spoken by the free Debian voice flite
voice:
	tools/demo_voice.sh demo/voice.wav
