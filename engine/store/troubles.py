"""What goes wrong on the way from the hub to the disk, in words for the user."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.messages import EngineFault, ErrorKind

if TYPE_CHECKING:
    from engine.store.hub import Hub


class Interrupted(Exception):
    """Worth another try. `fault` is what to say when no more are left."""

    def __init__(self, fault: EngineFault, wait: float | None = None) -> None:
        super().__init__(fault.error.detail)
        self.fault = fault
        self.wait = wait  # seconds, where the server says how long


def unreachable(host: str, cause: object) -> EngineFault:
    return EngineFault(
        ErrorKind.NETWORK,
        f"The connection to {host} does not work.",
        "Check the internet connection, then start it again: it goes on where it stopped.",
        _detail(cause),
    )


def busy(host: str, cause: object) -> EngineFault:
    return EngineFault(
        ErrorKind.NETWORK,
        f"{host} has too much to do right now.",
        "Start it again in some minutes: it goes on where it stopped.",
        _detail(cause),
    )


def unsafe(host: str, cause: Exception) -> EngineFault | None:
    """Where the connection fails because nobody vouches for the server, else None."""
    if "certificate" not in str(cause).lower():
        return None
    return EngineFault(
        ErrorKind.NETWORK,
        f"It is not certain that the other side is really {host}.",
        "Check the date and the clock of this PC. A virus scanner or a network that reads along "
        "can be a reason, too.",
        _detail(cause),
    )


def portal(host: str, cause: object) -> EngineFault:
    return EngineFault(
        ErrorKind.NETWORK,
        f"Something other than {host} answers, perhaps the login page of this network.",
        "Open a web page in the browser and log in, then start it again: it goes on where it "
        "stopped.",
        _detail(cause),
    )


def proxy(cause: object) -> EngineFault:
    return EngineFault(
        ErrorKind.NETWORK,
        "The proxy of this network does not let Redraft through.",
        "Check the proxy and its password in the settings of the system, then start it again.",
        _detail(cause),
    )


def fault_of_status(hub: Hub, repo: str, status: int, detail: str) -> EngineFault:
    """What an answer of the hub itself means that is not a success."""
    page = hub.page(repo)
    if status == 401 and hub.token:
        return EngineFault(
            ErrorKind.ACCESS,
            f"{hub.host} does not accept the access token.",
            "Make a new one in your account there and enter it.",
            detail,
        )
    if status in (401, 403):
        return EngineFault(
            ErrorKind.ACCESS,
            "This model asks for a permission first, or its name is wrong.",
            f"Open {page}, accept its terms there, and enter your access token.",
            detail,
        )
    if status in (404, 410):
        return EngineFault(
            ErrorKind.MODEL_MISSING,
            f"{hub.host} has no such file or model.",
            f"Look at {page}: it may have another name now.",
            detail,
        )
    if status == 407:
        return proxy(detail)
    if status in (408, 425, 429) or status >= 500:
        return busy(hub.host, detail)
    return portal(hub.host, detail)


def wrong_content(name: str, wanted: str, got: str) -> EngineFault:
    return EngineFault(
        ErrorKind.NETWORK,
        f"The file {name} arrived twice with wrong content.",
        "Start it again later, or in another network. Nothing wrong is kept.",
        f"wanted {wanted}, got {got}",
    )


def paused() -> EngineFault:
    return EngineFault(
        ErrorKind.CANCELLED,
        "The download is paused.",
        "Start it again when you like: it goes on where it stopped.",
    )


def in_use(folder: object) -> EngineFault:
    return EngineFault(
        ErrorKind.IN_USE,
        "Another window of Redraft downloads this model right now.",
        "Wait for it, or stop it there.",
        str(folder),
    )


def _detail(cause: object) -> str:
    return f"{type(cause).__name__}: {cause}" if isinstance(cause, Exception) else str(cause)
