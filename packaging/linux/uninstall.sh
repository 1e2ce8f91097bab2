#!/bin/sh
# Removes Redraft of this user. Settings, chats and models stay, unless --all or the answer is yes.
set -eu
data="${XDG_DATA_HOME:-$HOME/.local/share}"
home="$data/redraft"
answer=no
case "${LC_ALL:-${LC_MESSAGES:-${LANG:-}}}" in de*) german=yes ;; *) german= ;; esac

say() { # what it is in English, and in German
    if [ -n "$german" ]; then printf '%s' "$2"; else printf '%s' "$1"; fi
}

if [ "${1:-}" = --all ]; then
    answer=yes
elif [ -t 0 ]; then
    say "Remove settings, chats and models, too? [y/N] " \
        "Auch Einstellungen, Chats und Modelle entfernen? [j/N] "
    read -r line
    case $line in [yYjJ]*) answer=yes ;; esac
fi
rm -f "$data/applications/redraft.desktop" "$data/icons/hicolor/scalable/apps/redraft.svg"
if [ "$(readlink "$HOME/.local/bin/redraft" || true)" = "$home/program/redraft" ]; then
    rm "$HOME/.local/bin/redraft"
fi
if command -v update-desktop-database >/dev/null; then
    update-desktop-database -q "$data/applications" || true
fi
for name in runtime versions layers cache kernels python program; do rm -rf "${home:?}/$name"; done
if [ $answer = yes ]; then
    rm -rf "$home" "${XDG_STATE_HOME:-$HOME/.local/state}/redraft"
    say "Redraft is removed." "Redraft ist entfernt."
else
    say "Redraft is removed. Settings, chats and models are kept in $home." \
        "Redraft ist entfernt. Einstellungen, Chats und Modelle bleiben in $home."
fi
echo
