#!/bin/sh
# Removes Redraft of this user. Settings, chats and models stay, unless --all or the answer is yes.
set -eu
data="${XDG_DATA_HOME:-$HOME/.local/share}"
home="$data/redraft"
answer=no
if [ "${1:-}" = --all ]; then
    answer=yes
elif [ -t 0 ]; then
    printf 'Remove settings, chats and models, too? [y/N] '
    read -r line
    case $line in [yY]*) answer=yes ;; esac
fi
rm -f "$data/applications/redraft.desktop" "$data/icons/hicolor/scalable/apps/redraft.svg"
if [ "$(readlink "$HOME/.local/bin/redraft" || true)" = "$home/program/redraft" ]; then
    rm "$HOME/.local/bin/redraft"
fi
if command -v update-desktop-database >/dev/null; then
    update-desktop-database -q "$data/applications" || true
fi
rm -rf "$home/runtime" "$home/versions" "$home/layers" "$home/cache" "$home/python" "$home/program"
if [ $answer = yes ]; then
    rm -rf "$home" "${XDG_STATE_HOME:-$HOME/.local/state}/redraft"
    echo "Redraft is removed."
else
    echo "Redraft is removed. Settings, chats and models are kept in $home."
fi
