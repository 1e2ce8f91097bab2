"""Sets the engine up in an installed Redraft: for the processor first, then for the GPU.

The work is done on one thread; what it reports arrives on the GUI thread. A source checkout has
no `Setup`.
"""

from __future__ import annotations

import logging
import shutil
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path

from PySide6.QtCore import QObject, Qt, Signal, Slot

from app.layers import Flavour, Layers, remove_old_versions
from app.state.diagnostics import tail, without_user
from app.state.setup.gpu import find_gpu, why_not
from app.state.setup.making import Cancelled, Progress, make
from app.state.setup.trouble import SetupFailed, Trouble

log = logging.getLogger(__name__)

_LATER = "no-cuda"  # a file in the folder of the layers: the user wants no GPU support now
_AFRESH = "afresh"  # and this one: everything is to be fetched again
_DETAIL_LINES = 60
PATIENCE = 10.0  # seconds for what is running to end


class Step(Enum):
    WAITING = "waiting"
    WORKING = "working"
    DONE = "done"
    FAILED = "failed"
    STOPPED = "stopped"  # by the user


@dataclass(frozen=True, kw_only=True)
class LayerState:
    step: Step = Step.WAITING
    progress: Progress | None = None
    trouble: Trouble | None = None


@dataclass(frozen=True, kw_only=True)
class SetupState:
    """`cuda` is None where the GPU cannot be used or nobody has looked yet; `note` says why not."""

    cpu: LayerState = LayerState()
    cuda: LayerState | None = None
    note: str = ""
    used: Flavour | None = None  # what this process computes with
    wants_restart: bool = False  # a better layer is ready, or the one in use is to be made again
    details: str = ""  # what came last, for those who help; without names and folders of the user


Change = Callable[[SetupState], SetupState]


class Setup(QObject):
    """`start` it when the window is up; `close` it before it is deleted.

    Signals:
        changed(SetupState)
        usable(): the engine can be loaded now; emitted once.
        better(): GPU support is ready, and a restart would use it.
    """

    changed = Signal(object)
    usable = Signal()
    better = Signal()
    _told = Signal(object)

    def __init__(self, layers: Layers, logs: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._layers = layers
        self._log = logs / "setup.log"
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()
        used = layers.activate()
        cpu = LayerState(step=Step.DONE if used else Step.WAITING)
        self._state = SetupState(used=used, cpu=cpu)
        self._told.connect(self._on_told, Qt.ConnectionType.QueuedConnection)

    @property
    def state(self) -> SetupState:
        return self._state

    @property
    def is_needed(self) -> bool:
        """Whether there is no engine yet."""
        return self._state.used is None

    def start(self) -> None:
        """Looks what is there and makes what is missing; also tries again. One at a time."""
        if self._thread is None or not self._thread.is_alive():
            self._begin()

    def want_gpu(self) -> None:
        """The user wants GPU support after all, or again."""
        (self._layers.folder / _LATER).unlink(missing_ok=True)
        self.start()

    def stop(self) -> None:
        """What has been downloaded is kept."""
        if self._state.cpu.step is Step.DONE:
            (self._layers.folder / _LATER).touch()
        self._stop.set()

    def repair(self) -> None:
        """All is fetched and made again: at once, or after a restart where it is in use."""
        self._stop.set()
        self._layers.folder.mkdir(parents=True, exist_ok=True)
        (self._layers.folder / _LATER).unlink(missing_ok=True)
        (self._layers.folder / _AFRESH).touch()
        for flavour in Flavour:
            self._layers.discard(flavour)
        if self._state.used is None:
            self._begin()
        else:
            self._set(replace(self._state, wants_restart=True))

    def close(self) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join(PATIENCE)

    @Slot(object)
    def _on_told(self, change: Change) -> None:
        self._set(change(self._state))

    def _set(self, state: SetupState) -> None:
        before = self._state
        is_usable = before.used is None and state.cpu.step is Step.DONE
        if is_usable:
            state = replace(state, used=self._layers.activate())
        is_better = _has_cuda(state) and not _has_cuda(before) and state.used is not Flavour.CUDA
        if is_better:
            state = replace(state, wants_restart=True)
        self._state = state
        self.changed.emit(state)
        if is_usable:
            self.usable.emit()
        if is_better:
            self.better.emit()

    def _begin(self) -> None:
        self._stop = threading.Event()
        arguments = (self._state.used, self._stop, self._thread)
        self._thread = threading.Thread(
            target=self._work, args=arguments, name="redraft-setup", daemon=True
        )
        self._thread.start()

    # --- on the thread ----------------------------------------------------------------------------

    def _work(
        self, used: Flavour | None, stop: threading.Event, earlier: threading.Thread | None
    ) -> None:
        if earlier is not None:
            earlier.join()  # it has been stopped
        folder = self._layers.folder
        if used is None and (folder / _AFRESH).exists():
            shutil.rmtree(folder.parent / "cache" / "uv", ignore_errors=True)
            (folder / _AFRESH).unlink(missing_ok=True)
        if used is None and not self._make(Flavour.CPU, stop):
            return
        gpu = find_gpu()
        note = why_not(gpu)
        self._tell(lambda state: replace(state, note=note))
        if not note and used is not Flavour.CUDA:
            self._make_cuda(stop)
        if used is not None and not stop.is_set():
            self._layers.tidy(used)
            remove_old_versions(folder.parent)

    def _make_cuda(self, stop: threading.Event) -> None:
        if self._layers.is_whole(Flavour.CUDA):
            self._put(Flavour.CUDA, LayerState(step=Step.DONE))
        elif (self._layers.folder / _LATER).exists():
            self._put(Flavour.CUDA, LayerState(step=Step.STOPPED))
        else:
            self._make(Flavour.CUDA, stop)

    def _make(self, flavour: Flavour, stop: threading.Event) -> bool:
        """Makes one layer and says how that goes; whether it is there now."""

        def report(progress: Progress) -> None:
            self._put(flavour, LayerState(step=Step.WORKING, progress=progress))

        self._put(flavour, LayerState(step=Step.WORKING))
        try:
            found = make(self._layers, flavour, self._log, report, stop.is_set)
        except Cancelled:
            end = LayerState(step=Step.STOPPED)
        except SetupFailed as failure:
            log.info("no %s layer: %s", flavour.value, failure)
            end = LayerState(step=Step.FAILED, trouble=failure.trouble)
        else:
            log.info("made the %s layer: %s", flavour.value, found)
            end = LayerState(step=Step.DONE)
        lines = tail(self._log).splitlines()[-_DETAIL_LINES:]
        own = str(self._layers.folder.parent)  # first: a path with spaces hides the rest of itself
        details = "".join(without_user(line.replace(own, "DATA")) + "\n" for line in lines)
        self._tell(lambda state: replace(state, details=details))
        self._put(flavour, end)
        return end.step is Step.DONE

    def _put(self, flavour: Flavour, layer: LayerState) -> None:
        if flavour is Flavour.CPU:
            self._tell(lambda state: replace(state, cpu=layer))
        else:
            self._tell(lambda state: replace(state, cuda=layer))

    def _tell(self, change: Change) -> None:
        with suppress(RuntimeError):  # the window is gone
            self._told.emit(change)


def _has_cuda(state: SetupState) -> bool:
    return state.cuda is not None and state.cuda.step is Step.DONE
