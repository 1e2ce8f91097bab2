#!/bin/sh
# Starts Redraft with a Python that can run it: the system's own, else one of ours in the user's
# data folder, which comes with the installation or is fetched once. Never one from the PATH.
here=$(dirname "$(readlink -f "$0")")
data="${XDG_DATA_HOME:-$HOME/.local/share}/redraft"
case "${LC_ALL:-${LC_MESSAGES:-$LANG}}" in de*) german=yes ;; *) german= ;; esac

say() { # what it is in English, and in German
    words=${german:+$2}
    words=${words:-$1}
    echo "$words" >&2
}

tell() { # the same in a window
    say "$1" "$2"
    [ -n "$DISPLAY$WAYLAND_DISPLAY" ] || return
    for program in "zenity --error --no-markup --text" "kdialog --error" "xmessage -center"; do
        if command -v "${program%% *}" >/dev/null; then
            $program "$words" 2>/dev/null
            return
        fi
    done
}

start() {
    for python in /usr/bin/python3 /usr/bin/python3.1[1-4] "$data"/python/*/bin/python3; do
        if "$python" -I -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' \
            2>/dev/null; then
            exec "$python" -I "$here/launch.py" "$@" 9<&-
        fi
    done
}

unpack() { # the Python that came along
    part="$data/python/part"
    rm -rf "$part" "$data/python/bundled"
    mkdir "$part" && tar -xzf "$1" -C "$part" --strip-components 1 &&
        mv "$part" "$data/python/bundled"
}

fetch() {
    for name in $(env | sed -n 's/^\(UV_[A-Z_]*\)=.*/\1/p'); do unset "$name"; done
    say "Redraft fetches Python, once." "Redraft holt Python, einmalig."
    if [ -n "$DISPLAY$WAYLAND_DISPLAY" ] && command -v notify-send >/dev/null; then
        notify-send --app-name=Redraft --icon=redraft Redraft "$words" 2>/dev/null
    fi
    UV_PYTHON_INSTALL_DIR="$data/python" UV_CACHE_DIR="$data/cache/uv" \
        "$here/uv" python install --no-config --system-certs --no-bin 3.12
}

start "$@"
if [ "$(uname -m)" != x86_64 ]; then
    tell "Redraft is built for 64-bit Intel and AMD processors (x86_64)." \
        "Redraft ist für 64-Bit-Prozessoren von Intel und AMD gebaut (x86_64)."
    exit 1
fi
if ! mkdir -p "$data/python"; then
    tell "Redraft cannot write to $data." "Redraft kann nicht in $data schreiben."
    exit 1
fi
exec 9<"$data/python"
if command -v flock >/dev/null; then flock 9; fi # one at a time; another may have got it by now
start "$@"
for archive in "$here"/python/*.tar.gz; do
    if [ -f "$archive" ] && unpack "$archive"; then start "$@"; fi
done
fetch
start "$@"
tell "Redraft needs Python 3.11 or newer. None is here, and none could be fetched: install Python, or \
connect to the network and start again." \
    "Redraft braucht Python 3.11 oder neuer. Es ist keines da, und keines ließ sich holen: Installiere \
Python, oder verbinde den PC mit dem Netz und starte noch einmal."
exit 1
