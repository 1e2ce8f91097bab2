"""What went wrong while a layer was made, in plain words."""

from __future__ import annotations

import errno
import re
from dataclasses import dataclass

from app.words import tr

_HOST = re.compile(r"https?://(?:[^/@\s`]*@)?([\w.-]+)")


@dataclass(frozen=True, kw_only=True)
class Trouble:
    """`message`: what is wrong; `remedy`: what to do about it. In the user's language."""

    message: str
    remedy: str


class SetupFailed(Exception):
    def __init__(self, trouble: Trouble) -> None:
        super().__init__(trouble.message)
        self.trouble = trouble


def trouble_in(output: str, otherwise: Trouble | None = None) -> Trouble:
    """What the last words of uv mean; `otherwise` where they mean nothing that is known."""
    words = output.lower()
    for signs, explain in _SIGNS:
        if any(sign in words for sign in signs):
            return explain(output)
    return otherwise or Trouble(
        message=tr("The engine could not be installed."),
        remedy=tr("Try again. If it stays so, copy the details and report them."),
    )


def trouble_of(error: OSError) -> Trouble:
    """What an error of the file system means."""
    if error.errno == errno.ENOSPC:
        return _disk_full("")
    if error.errno in (errno.ENOENT, errno.ENOEXEC):  # no uv, or one for another processor
        return Trouble(
            message=tr("A part of this installation is missing."),
            remedy=tr("Install Redraft again. Your chats and texts are kept."),
        )
    return _not_writable("")


def is_damage(output: str) -> bool:
    """Whether uv says that a file is not the one whose hash is known."""
    return any(sign in output.lower() for sign in _WRONG_HASH)


def no_room(needed: int, free: int) -> Trouble:
    """Both in bytes."""
    return Trouble(
        message=tr(
            "This needs {needed:.1f} GB of disk, and {free:.1f} GB are free.",
            needed=needed / 1e9,
            free=free / 1e9,
        ),
        remedy=tr("Free some space, then try again."),
    )


def does_not_start(reason: str) -> Trouble:
    """What was installed, but fails its check. `reason` is for those who help."""
    if "dll" in reason.lower():
        remedy = tr("Install the Microsoft Visual C++ Redistributable (x64), then try again.")
    else:
        remedy = tr("Try again. If it stays so, copy the details and report them.")
    return Trouble(message=tr("The engine is installed, but does not start here."), remedy=remedy)


def _host(output: str) -> str:
    found = _HOST.findall(output)
    return found[-1] if found else ""


def _disk_full(_output: str) -> Trouble:
    return Trouble(message=tr("The disk is full."), remedy=tr("Free some space, then try again."))


def _not_writable(_output: str) -> Trouble:
    return Trouble(
        message=tr("Redraft cannot write to its own folder."),
        remedy=tr("See that the folder can be written to, then try again."),
    )


def _in_use(_output: str) -> Trouble:
    return Trouble(
        message=tr("Another program holds a file, perhaps a virus scanner."),
        remedy=tr("Wait a moment, then try again."),
    )


def _certificate(_output: str) -> Trouble:
    return Trouble(
        message=tr("The certificate of the network is not trusted."),
        remedy=tr("Ask who runs the network, or use another one. Then try again."),
    )


def _proxy(_output: str) -> Trouble:
    return Trouble(
        message=tr("The proxy of this network wants a name and a password."),
        remedy=tr("Set them in the system, start Redraft again, then try again."),
    )


def _damaged(_output: str) -> Trouble:
    return Trouble(
        message=tr("A file arrived that is not what it should be."),
        remedy=tr("Nothing of it is kept. Try again, perhaps on another network."),
    )


def _unreachable(output: str) -> Trouble:
    host = _host(output)
    if host:
        message = tr("{host} cannot be reached.", host=host)
    else:
        message = tr("The network cannot be reached.")
    return Trouble(
        message=message,
        remedy=tr(
            "Check the network and try again. What has arrived is kept. In a company, "
            "the address may have to be allowed."
        ),
    )


def _not_offered(_output: str) -> Trouble:
    return Trouble(
        message=tr("A part of the engine is not offered for this system."),
        remedy=tr("Install a newer Redraft. If there is none, report this."),
    )


_WRONG_HASH = ("hash mismatch", "hash does not match", "mismatched hash")
# In this order: a full disk or a certificate also shows as a failed download.
_SIGNS = (
    (("no space left", "os error 28", "os error 112"), _disk_full),
    (("read-only file system", "permission denied", "os error 13", "os error 30"), _not_writable),
    (("being used by another process", "os error 32"), _in_use),
    (("407", "proxy authentication"), _proxy),
    (("certificate",), _certificate),
    (_WRONG_HASH, _damaged),
    (
        ("error sending request", "dns error", "failed to fetch", "failed to download", "connect",
         "timed out", "timeout", "request failed", "client error"),
        _unreachable,
    ),
    (("no solution found", "no wheels", "not found in the", "was not found"), _not_offered),
)  # fmt: skip
