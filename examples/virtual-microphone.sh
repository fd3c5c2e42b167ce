#!/usr/bin/env bash
# A virtual microphone for PulseAudio and PipeWire: what is played into the sink `latentd_sink` can be picked as the microphone "latentd" by any
# program. `virtual-microphone.sh off` takes it away again. It lasts until the sound server ends; put the two `load-module` lines (without
# `pactl`) into ~/.config/pulse/default.pa, or the whole call into your session's start, to have it always.
set -euo pipefail

command -v pactl >/dev/null || { echo "pactl is missing: apt-get install pulseaudio-utils" >&2; exit 69; }

ours() { pactl list short modules | awk '/latentd_sink|latentd_microphone/ { print $1 }'; }

case "${1:-on}" in
    on)
        if [ -n "$(ours)" ]; then
            echo "the virtual microphone is there already"
            exit 0
        fi
        pactl load-module module-null-sink sink_name=latentd_sink rate=48000 channels=1 channel_map=mono \
            sink_properties=device.description=latentd-input >/dev/null
        pactl load-module module-remap-source master=latentd_sink.monitor source_name=latentd_microphone \
            channels=1 channel_map=mono source_properties=device.description=latentd >/dev/null
        echo "pick \"latentd\" as the microphone; latentd plays into latentd_sink"
        ;;
    off)
        # The microphone first: it hangs on the sink.
        ours | sort -rn | while read -r module; do pactl unload-module "$module"; done
        ;;
    *)
        echo "usage: $0 [on|off]" >&2
        exit 64
        ;;
esac
