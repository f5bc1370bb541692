#!/bin/sh
# Uses the extension in the Blender application as a person would, and takes the pictures of docs/quick-start.md.
#
#   tests/app/run.sh APPLICATION ZIP PICTURES     (as root; APPLICATION as tools/blender_app.sh makes it)
#
# A profile of its own and a screen of its own: nothing of an earlier run is seen.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
application=$1 zip=$2 pictures=$3
inside=/mnt/facetalk
work=$application$inside
rm -rf "$work"
mkdir -p "$work/home" "$work/pictures" "$pictures"
cp "$here"/*.py "$here"/*.sh "$work"
cp "$here/../../demo/voice.wav" "$work"
cp "$zip" "$work/facetalk_blender.zip"
mounted=""
for place in proc dev/shm; do
    mountpoint -q "$application/$place" && continue
    if [ $place = proc ]; then mount -t proc proc "$application/proc"; else mount -t tmpfs tmpfs "$application/$place"; fi
    mounted="$mounted $application/$place"
done

export HOME=$inside/home DISPLAY=:${DISPLAY_NUMBER:-88} LIBGL_ALWAYS_SOFTWARE=1
chroot "$application" Xvfb "$DISPLAY" -screen 0 1400x900x24 -nolisten tcp >/dev/null 2>&1 &
screen=$!
finish() {
    kill $screen 2>/dev/null || true
    wait $screen 2>/dev/null || true
    for place in $mounted; do umount "$place" || true; done
}
trap finish EXIT
sleep 2
for part in walk.py reopen.py states.py meanwhile.py; do
    echo "== $part"
    timeout 1500 chroot "$application" blender --window-geometry 0 0 1400 900 --enable-event-simulate \
        --python-exit-code 1 --python "$inside/$part" 2>&1 | grep -v -e EGL -e '^Info:' || true
    [ -e "$work/$part.passed" ] || { echo "$part did not get to its end" >&2; exit 1; }
done
echo "== the file that was saved, and the engine, after quitting meanwhile"
chroot "$application" blender --background "$inside/meanwhile.blend" --python-exit-code 1 --python "$inside/whole.py"
engine=$(cat "$work/engine.pid")
! grep -qs engine.process "/proc/$engine/cmdline" || { echo "the engine $engine has not ended" >&2; exit 1; }
echo "== command.sh"
timeout 1500 chroot "$application" sh "$inside/command.sh" "$inside"
cp "$work"/pictures/* "$pictures"
du -ch "$pictures" | tail -1
