#!/bin/sh
# From rendered captures to fitted codes, a small decoder, a landmark model, the FLAME baseline and the tables:
#   DATA=/path/to/data tools/research_demo.sh out/research
# Sizes are far below the paper's, so that two cores need about 20 minutes (docs/research.md says which). What is
# finished is kept: a stopped run goes on.
set -eu
cd "$(dirname "$0")/.."
: "${DATA:?Name the data folder with head/ and kokoro/ (docs/train.md), e.g. make research-demo DATA=data.}"
out=${1:-out/research}
python=.venv/bin/python
people=${PEOPLE:-3} sentences=${SENTENCES:-4} width=${WIDTH:-96} cameras=${CAMERAS:-8}
fit_steps=${FIT_STEPS:-80} fit_points=${FIT_POINTS:-300} fit_rate=${FIT_RATE:-0.01} # few steps need large ones
flame_steps=${FLAME_STEPS:-200} train_steps=${TRAIN_STEPS:-80} train_rate=${TRAIN_RATE:-0.0005}
training="--steps $train_steps --learning-rate $train_rate --validation 0.25"
captures=$out/captures set=$out/fitted plain=$out/without-temporal-term
mkdir -p "$out"

step() {
    echo "== $(date +%T) $1"
    shift
    "$python" -m "$@"
}

step "captures" training.capture render --data "$DATA" --output "$captures" --people "$people" \
    --sentences "$sentences" --cameras "$cameras" --width "$width" --seconds 2.6
step "points" training.capture points "$captures" --output "$set" --points 5000
step "sound" training.capture sound "$captures" --output "$set"
step "FLAME" training.capture flame "$set" --data "$DATA" --steps "$flame_steps"
for sequence in "$set"/*_*; do # the same points again, to be fitted without the temporal term
    mkdir -p "$plain/$(basename "$sequence")"
    for part in audio point_clouds flame_2023_tracking; do
        ln -sfn "$(realpath "$sequence/$part")" "$plain/$(basename "$sequence")/$part"
    done
    mkdir -p "$plain/$(basename "$sequence")/nphm_tracking"
    cp "$sequence/nphm_tracking/identity.npy" "$plain/$(basename "$sequence")/nphm_tracking/identity.npy"
done
step "expression codes" training.capture expressions "$set" --steps "$fit_steps" --points "$fit_points" \
    --learning-rate "$fit_rate"
step "expression codes without the temporal term" training.capture expressions "$plain" --steps "$fit_steps" \
    --points "$fit_points" --learning-rate "$fit_rate" --temporal 0
step "fits against the truth" evaluation.capture "$captures" "$set" "$plain" --data "$DATA" --output "$out/fits"

# shellcheck disable=SC2086
{
    step "decoder" training.paper --data "$set" --speech-of starter $training --output "$out/decoder"
    step "landmark model" training.paper --data "$set" --condition landmarks $training --output "$out/landmarks"
    step "FLAME baseline" training.paper --data "$set" --speech-of starter --target flame $training --output "$out/flame"
}
for model in decoder landmarks flame; do
    step "takes of $model" training.perform "$out/$model/export" --data "$set" --only "$out/$model" \
        --output "$out/takes-$model" --workers 1
done
step "landmarks against the truth" evaluation.capture.landmarks "$captures" --data "$DATA" --codes "fitted=$set" \
    --codes "by landmarks=$out/takes-landmarks" --codes "by the voice=$out/takes-decoder" \
    --flame "FLAME by the voice=$out/takes-flame" --output "$out/landmark-errors"
step "vertices of the FLAME baseline" training.flame_sequences "$out/takes-flame" --data "$DATA" --output "$out/vertices"
step "tables" evaluation.tables --audio "$out/takes-decoder" --output "$out/tables" --codes "fitted=$set" \
    --codes "without temporal term=$plain" --codes "decoder=$out/takes-decoder" \
    --codes "landmarks=$out/takes-landmarks" --vertices "FLAME=$out/vertices" --reference fitted
echo "$out/fits.md, landmark-errors.md and tables/tables.md hold the tables; docs/research.md says what they mean."
