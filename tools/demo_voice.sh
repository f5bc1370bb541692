#!/bin/sh
# Speaks the demo sentence with flite's voice "slt" (BSD-like licence). Usage: demo_voice.sh OUT.wav
set -eu
command -v flite >/dev/null || {
    as_root=
    [ "$(id -u)" = 0 ] || as_root=sudo
    $as_root apt-get update -qq
    $as_root apt-get install -y -qq --no-install-recommends flite >/dev/null
}
flite -voice slt -t "Hello! Maybe you have heard my voice before. Now you can see me speak." -o "$1"
