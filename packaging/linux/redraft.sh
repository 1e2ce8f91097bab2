#!/bin/sh
# Starts Redraft with a Python that can run it: the system's own, else one of ours in the user's
# data folder, which comes with the installation or is fetched once. Never one from the PATH.
here=$(dirname "$(readlink -f "$0")")
data="${XDG_DATA_HOME:-$HOME/.local/share}/redraft"

say() {
    echo "$1" >&2
    [ -n "$DISPLAY$WAYLAND_DISPLAY" ] || return
    for program in "zenity --error --no-markup --text" "kdialog --error" "xmessage -center"; do
        if command -v "${program%% *}" >/dev/null; then
            $program "$1" 2>/dev/null
            return
        fi
    done
}

start() {
    for python in /usr/bin/python3 /usr/bin/python3.1[1-4] "$data"/python/*/bin/python3; do
        if "$python" -I -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' \
            2>/dev/null; then
            exec "$python" -I "$here/launch.py" "$@"
        fi
    done
}

start "$@"
if [ "$(uname -m)" != x86_64 ]; then
    say "Redraft is built for 64-bit Intel and AMD processors (x86_64)."
    exit 1
fi
mkdir -p "$data/python"
for archive in "$here"/python/*.tar.*; do
    [ -f "$archive" ] || continue
    rm -rf "$data/python/part"
    mkdir "$data/python/part" && tar -xf "$archive" -C "$data/python/part" --strip-components 1 &&
        mv "$data/python/part" "$data/python/bundled"
    start "$@"
done
for name in $(env | sed -n 's/^\(UV_[A-Z_]*\)=.*/\1/p'); do unset "$name"; done
echo "Redraft fetches Python, once." >&2
UV_PYTHON_INSTALL_DIR="$data/python" "$here/uv" python install --no-config --no-bin 3.12
start "$@"
say "Redraft needs Python 3.11 or newer. None is here, and none could be fetched: install Python, or \
connect to the network and start again."
exit 1
