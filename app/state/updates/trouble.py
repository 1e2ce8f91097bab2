"""What goes wrong on the way to a new version, in plain words."""

from __future__ import annotations

from app.state.setup.trouble import Trouble
from app.words import tr


def unreachable(host: str) -> Trouble:
    return Trouble(
        message=tr("{host} cannot be reached.", host=host),
        remedy=tr("Check the network and try again. What has arrived is kept."),
    )


def broke_off(host: str) -> Trouble:
    return Trouble(
        message=tr("The connection to {host} broke off.", host=host),
        remedy=tr("Check the network and try again. What has arrived is kept."),
    )


def not_there(host: str) -> Trouble:
    return Trouble(
        message=tr("{host} has no updates for Redraft where they should be.", host=host),
        remedy=tr("Try again in some hours. If it stays so, look on Redraft's page."),
    )


def refused(host: str, status: int) -> Trouble:
    return Trouble(
        message=tr("{host} cannot answer now (error {status}).", host=host, status=status),
        remedy=tr("Try again in some hours."),
    )


def web_page(host: str) -> Trouble:
    return Trouble(
        message=tr("A web page came instead of the update from {host}.", host=host),
        remedy=tr("Perhaps this network wants you to log in: open a browser, then try again."),
    )


def not_encrypted() -> Trouble:
    return Trouble(
        message=tr("The update would have come over a connection that is not encrypted."),
        remedy=tr("Nothing was fetched. Try again on another network."),
    )


def certificate() -> Trouble:
    return Trouble(
        message=tr("The certificate of the network is not trusted."),
        remedy=tr("Ask who runs the network, or use another one. Then try again."),
    )


def proxy() -> Trouble:
    return Trouble(
        message=tr("The proxy of this network does not let Redraft through."),
        remedy=tr("Check it in the settings of the system, start Redraft again, then try again."),
    )


def not_signed() -> Trouble:
    return Trouble(
        message=tr("The update is not signed by Redraft's key, so it is not used."),
        remedy=tr("Try again in some hours. If it stays so, get Redraft anew from its page."),
    )


def unreadable() -> Trouble:
    return Trouble(
        message=tr("What is said of the update cannot be understood."),
        remedy=tr("Try again in some hours. If it stays so, report it."),
    )


def newer_format() -> Trouble:
    return Trouble(
        message=tr("There is a newer Redraft that this version cannot fetch by itself."),
        remedy=tr("Get its installer from Redraft's page. Your chats and texts are kept."),
    )


def too_old() -> Trouble:
    return Trouble(
        message=tr("An older Redraft was offered than before, so it is not used."),
        remedy=tr("Try again in some hours, perhaps on another network."),
    )


def wrong_file() -> Trouble:
    return Trouble(
        message=tr("A file arrived that is not what it should be."),
        remedy=tr("Nothing of it is kept. Try again, perhaps on another network."),
    )


def no_way_back() -> Trouble:
    return Trouble(
        message=tr("The version before this one is not there any more."),
        remedy=tr("You can install it with its installer. Your chats and texts are kept."),
    )


def unexpected() -> Trouble:
    return Trouble(
        message=tr("Something went wrong with the update."),
        remedy=tr("Redraft goes on as it is. If it happens again, look into the log."),
    )


def not_whole(version: str) -> Trouble:
    return Trouble(
        message=tr("Redraft {version} has not arrived as a whole.", version=version),
        remedy=tr("Get it again."),
    )


def not_installed(version: str) -> Trouble:
    return Trouble(
        message=tr("Redraft {version} could not be installed.", version=version),
        remedy=tr("Try again. If it stays so, copy the details and report them."),
    )


def does_not_start(version: str) -> Trouble:
    return Trouble(
        message=tr("Redraft {version} does not start on this PC.", version=version),
        remedy=tr("You keep the version that you have. Copy the details and report them."),
    )
