#!/bin/sh
# Redraft @VERSION@ for Linux on 64-bit Intel and AMD processors. Installs for the user who runs it:
#   sh redraft-@VERSION@.run [--force]     --force also replaces a newer version
# Remove it with ~/.local/share/redraft/program/uninstall.
set -eu
version=@VERSION@
lines=@LINES@
digest=@SHA256@
data="${XDG_DATA_HOME:-$HOME/.local/share}"
home="$data/redraft"
program="$home/program"
part="$home/program.part.$$"
old="$home/program.old.$$"
trap 'rm -rf "$part"' EXIT
trap 'exit 130' INT TERM

case "${LC_ALL:-${LC_MESSAGES:-${LANG:-}}}" in de*) german=yes ;; *) german= ;; esac

choose() { # what it is in English, and in German
    words=$1
    if [ -n "$german" ]; then words=$2; fi
}

stop() {
    choose "$1" "$2"
    echo "$words" >&2
    if [ ! -t 2 ] && [ -n "${DISPLAY:-}${WAYLAND_DISPLAY:-}" ]; then
        if command -v zenity >/dev/null; then zenity --error --no-markup --text "$words" || true
        elif command -v kdialog >/dev/null; then kdialog --error "$words" || true
        elif command -v xmessage >/dev/null; then xmessage -center "$words" || true; fi
    fi
    exit "${3:-1}"
}

newer() { # whether version $1 is newer than version $2
    [ "$1" != "$2" ] && [ "$(printf '%s\n%s\n' "$1" "$2" | sort -V | tail -n 1)" = "$1" ]
}

[ "$(uname -s) $(uname -m)" = "Linux x86_64" ] ||
    stop "Redraft is built for Linux on 64-bit Intel and AMD processors (x86_64)." \
        "Redraft ist für Linux auf 64-Bit-Prozessoren von Intel und AMD gebaut (x86_64)."
libc=$(getconf GNU_LIBC_VERSION 2>/dev/null | cut -d ' ' -f 2)
if [ -z "$libc" ] || newer 2.34 "$libc"; then
    stop "Redraft needs the C library glibc 2.34 or newer (Debian 12, Ubuntu 22.04, Fedora 35)." \
        "Redraft braucht die C-Bibliothek glibc 2.34 oder neuer (Debian 12, Ubuntu 22.04, Fedora 35)."
fi
[ "$(tail -n +$lines "$0" | sha256sum | cut -d ' ' -f 1)" = $digest ] ||
    stop "This file is damaged. Download it again." \
        "Diese Datei ist beschädigt. Lade sie noch einmal herunter."
if [ -f "$program/version.json" ] && [ "${1:-}" != --force ]; then
    there=$(sed -n 's/.*"version": *"\([^"]*\)".*/\1/p' "$program/version.json")
    newer "${there:-0}" "$version" &&
        stop "Redraft $there is installed, which is newer than $version. With --force it is replaced." \
            "Redraft $there ist installiert und neuer als $version. Mit --force wird es ersetzt." 3
fi
mkdir -p "$home" 2>/dev/null && mkdir "$part" 2>/dev/null ||
    stop "Redraft cannot be installed in $home: this folder cannot be written to." \
        "Redraft lässt sich nicht in $home installieren: In diesen Ordner lässt sich nicht schreiben."
exec 9<"$home"
if command -v flock >/dev/null; then flock 9; fi # one at a time
tail -n +$lines "$0" | tar -xzf - -C "$part" --no-same-owner ||
    stop "Redraft could not be unpacked in $home. Is the disk full?" \
        "Redraft ließ sich nicht in $home entpacken. Ist der Datenträger voll?"
if [ -e "$program" ]; then mv -T "$program" "$old"; fi
mv -T "$part" "$program"
rm -rf "$old"

# Escaped as an argument in quotes, and once more as a string of the file.
command=$(printf '%s' "$program/redraft" | sed 's/[\\"`$]/\\&/g; s/\\/\\\\/g')
command=$(printf '"%s"' "$command" | sed 's/[\\&|]/\\&/g')
mkdir -p "$data/applications" "$data/icons/hicolor/scalable/apps" "$HOME/.local/bin"
sed "s|@COMMAND@|$command|" "$program/redraft.desktop" >"$data/applications/redraft.desktop"
cp "$program/redraft.svg" "$data/icons/hicolor/scalable/apps/redraft.svg"
ln -sfn "$program/redraft" "$HOME/.local/bin/redraft"
if command -v update-desktop-database >/dev/null; then
    update-desktop-database -q "$data/applications" || true
fi
choose "Redraft $version is installed. It is in the menu, and starts with $HOME/.local/bin/redraft" \
    "Redraft $version ist installiert. Es steht im Menü und startet mit $HOME/.local/bin/redraft"
echo "$words"
if [ ! -t 1 ] && [ -n "${DISPLAY:-}${WAYLAND_DISPLAY:-}" ]; then exec "$program/redraft"; fi
exit 0
