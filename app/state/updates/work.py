"""What is done for updates, on one thread: each method blocks, and tells how it goes."""

from __future__ import annotations

import logging
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from app.state.setup.making import Cancelled
from app.state.setup.trouble import trouble_of
from app.state.updates import trouble
from app.state.updates.install import UpdateFailed, install
from app.state.updates.manifest import Manifest
from app.state.updates.memory import Memory, read_memory, write_memory
from app.state.updates.place import Place
from app.state.updates.status import Fetched, Offer, Phase, Status
from app.versions import is_newer, version_of

if TYPE_CHECKING:
    from app.state.updates.client import Client

log = logging.getLogger(__name__)

Tell = Callable[[Callable[[Status], Status]], None]


class Work:
    """All but `stop` and `begun` run on the thread."""

    def __init__(self, place: Place, tell: Tell) -> None:
        self._place = place
        self._tell_changes = tell
        self._memory = Memory()
        self._manifest: Manifest | None = None
        self._stop = threading.Event()
        self._cut: Callable[[], None] = lambda: None
        self._is_over = False

    def begun(self, job: Callable[[], None]) -> Callable[[], None]:
        """The job, to be done later; what stops it from now on stops no other one."""
        stop = self._stop = threading.Event()

        def run() -> None:
            if self._is_over:
                return
            try:
                job()
            except Cancelled:
                self._on_cancelled()
            except UpdateFailed as failure:
                if stop.is_set():  # it is the stopping that broke the connection
                    self._on_cancelled()
                else:
                    self._fail(failure)

        return run

    def stop(self, *, for_good: bool = False) -> None:
        """From any thread. `for_good`: Redraft ends; what the user wanted is wanted still."""
        self._is_over = self._is_over or for_good
        self._stop.set()
        self._cut()

    def remember(self) -> None:
        self._memory = read_memory(self._place.memory)
        self._tell_standing()

    def look(self, *, goes_on: bool) -> None:
        """Asks the feed. `goes_on`: a version that the user has said yes to is fetched."""
        from app.state.updates.client import Client
        from app.state.updates.look import look

        with self._line(Client(self._place.source.url)) as client:
            manifest = look(client, self._place.source, self._memory.newest)
        self._manifest = manifest
        self._keep(newest=manifest.version, looked=time.time())
        self._tell(looked=self._memory.looked)
        if goes_on and manifest.version == self._memory.wanted and self._is_to_come(manifest):
            self._bring(manifest)
        self._tell_standing()

    def fetch(self, version: str) -> None:
        """The user says yes to a version. It may have been found long ago: so asks again, first."""
        self._forget_other(version)
        self._keep(wanted=version, skipped="")
        self.look(goes_on=True)

    def _bring(self, manifest: Manifest) -> None:
        """Fetches a version, has it installed, and lets the next start run it."""
        from app.state.updates.client import Client
        from app.state.updates.fetch import fetch

        place, stop = self._place, self._stop
        self._tell(phase=Phase.FETCHING, trouble=None, progress=None)
        if not place.versions.is_whole(manifest.version):
            staging = place.versions.staging(manifest.version)
            with self._line(Client(place.source.url)) as client:
                fetch(client, manifest, staging, place.installed, self._report, stop.is_set)
            if version_of(staging) != manifest.version:
                raise UpdateFailed(trouble.wrong_file())
            self._tell(phase=Phase.INSTALLING, progress=None)
            place.log.parent.mkdir(parents=True, exist_ok=True)
            install(place.versions, manifest.version, place.log, stop.is_set)
        self._use(manifest.version)

    def skip(self, version: str) -> None:
        self._keep(skipped=version, wanted="")
        with suppress(ValueError):
            shutil.rmtree(self._place.versions.staging(version), ignore_errors=True)
        self._tell_standing()

    def go_back(self) -> None:
        try:
            self._place.versions.go_back()
        except ValueError:
            self._fail(UpdateFailed(trouble.no_way_back()))
            return
        except OSError as error:
            self._fail(UpdateFailed(trouble_of(error)))
            return
        self._keep(wanted="")
        self._tell_standing()

    @contextmanager
    def _line(self, client: Client) -> Iterator[Client]:
        """`stop` breaks the connection of this client while it is used."""
        self._cut = client.cut
        try:
            if self._stop.is_set():
                raise Cancelled
            yield client
        finally:
            self._cut = lambda: None
            client.close()

    # --- what follows -----------------------------------------------------------------------------

    def _use(self, version: str) -> None:
        try:
            self._place.versions.use(version)
        except OSError as error:
            raise UpdateFailed(trouble_of(error)) from error
        except ValueError as error:
            raise UpdateFailed(trouble.wrong_file()) from error

    def _is_to_come(self, manifest: Manifest) -> bool:
        """Whether it is newer than what runs, can follow it, and does not wait for a start."""
        source = self._place.source
        return (
            is_newer(manifest.version, source.running)
            and not is_newer(manifest.oldest, source.running)
            and self._place.versions.state().current != manifest.version
        )

    def _offer(self) -> Offer | None:
        manifest, place = self._manifest, self._place
        if manifest is None or not is_newer(manifest.version, place.source.running):
            return None
        from app.state.updates.fetch import missing

        staging = place.versions.staging(manifest.version)
        rest = missing(manifest, staging, place.installed)
        unwanted = (self._memory.skipped, *place.versions.state().failed)
        return Offer(
            version=manifest.version,
            released=manifest.released,
            notes=manifest.notes,
            size=sum(each.size for each in rest),
            is_unwanted=manifest.version in unwanted,
            needs_installer=is_newer(manifest.oldest, place.source.running),
        )

    def _tell_standing(self) -> None:
        """What is there, what is next, and whose turn it is."""
        running, state = self._place.source.running, self._place.versions.state()
        offer = self._offer()
        coming = state.current if state.current != running else ""
        if coming and not (offer and is_newer(offer.version, coming)):
            phase = Phase.READY
        else:
            phase = Phase.FOUND if offer else Phase.IDLE
        self._tell(
            phase=phase,
            offer=offer,
            trouble=None,
            progress=None,
            next_version=coming,
            previous="" if coming else state.previous,
            looked=self._memory.looked,
        )

    def _fail(self, failure: UpdateFailed) -> None:
        """What is ready stays ready."""
        log.warning("no update: %s (%r)", failure, failure.__cause__)

        def change(status: Status) -> Status:
            is_ready = status.next_version and status.phase is Phase.LOOKING
            phase = Phase.READY if is_ready else Phase.FAILED
            return replace(status, phase=phase, trouble=failure.trouble, progress=None)

        self._tell_changes(change)

    def _on_cancelled(self) -> None:
        if not self._is_over:
            self._keep(wanted="")
            self._tell_standing()

    def _forget_other(self, version: str) -> None:
        """What was fetched of another version, which nobody will install now."""
        other = self._memory.wanted
        if other and other != version:
            shutil.rmtree(self._place.versions.staging(other), ignore_errors=True)

    def _keep(self, **changes: object) -> None:
        memory = replace(self._memory, **changes)  # type: ignore[arg-type]
        if memory != self._memory:
            self._memory = memory
            try:
                write_memory(self._place.memory, memory)
            except OSError:
                log.exception("updates are not remembered")

    def _report(self, progress: Fetched) -> None:
        self._tell(phase=Phase.FETCHING, progress=progress)

    def _tell(self, **changes: object) -> None:
        self._tell_changes(lambda status: replace(status, **changes))  # type: ignore[arg-type]
