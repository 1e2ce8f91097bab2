"""Everything about models in one place: what there is, what is done, what this PC has, what runs."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QObject, Signal

from app.bridge import EngineBridge
from app.settings import Settings, SettingsStore
from app.state.engine_status import DEMO, EngineState, EngineStatus, Phase
from app.state.models.amounts import memory_text
from app.state.models.hardware import HardwareStatus
from app.state.models.jobs import Jobs
from app.state.models.library import ModelLibrary
from app.state.models.plan import Planner
from app.state.models.planners import Planners
from app.state.models.recommend import Recommendation, recommend, suiting_weights
from app.state.models.work import ModelWork
from engine.messages import LoadRequest, ModelEntry, ModelState, Place


class Models(QObject):
    """`start` when the window is up, `close` behind the engine.

    Signals:
        changed(): another recommendation, or another model runs.
    """

    changed = Signal()

    def __init__(
        self,
        bridge: EngineBridge,
        status: EngineStatus,
        settings: SettingsStore,
        data: Path,
        parent: QObject | None = None,
    ) -> None:
        """data: the folder of the user's data."""
        super().__init__(parent)
        self.status = status
        self.settings = settings
        jobs = Jobs(bridge, self)
        self.library = ModelLibrary(jobs, settings, data, self)
        self.hardware = HardwareStatus(jobs, self._held, self)
        self.planners = Planners(self.hardware, self)
        self.work = ModelWork(jobs, self.library, settings, self)
        self._recommendation: Recommendation | None = None
        self._chosen: LoadRequest | None = None  # in this window, not on a command line
        for source in (self.library, self.hardware, self.planners):
            source.changed.connect(self._on_changed)
        status.changed.connect(self._on_status)

    def start(self) -> None:
        """Looks which models are here. The check-up of the PC waits until somebody wants it."""
        self.library.refresh()

    def close(self) -> None:
        self.planners.close()

    @property
    def recommendation(self) -> Recommendation | None:
        return self._recommendation

    @property
    def running(self) -> ModelEntry | None:
        """The model that is loaded, where the library knows it."""
        if self.status.state.phase is not Phase.READY:
            return None
        return self.entry_of(self.status.request.model)

    @property
    def is_demo(self) -> bool:
        return self.status.is_demo

    @property
    def interrupted(self) -> ModelEntry | None:
        """The model whose download did not end by itself when Redraft did."""
        entry = self.library.entry(self.settings.value.unfinished_model)
        if entry is None or entry.state is not ModelState.PARTLY_HERE:
            return None
        return entry if self.work.task(entry.id) is None else None

    @property
    def demo(self) -> ModelEntry | None:
        return next((e for e in self.library.entries if e.place is Place.BUNDLED), None)

    def entry_of(self, model: str) -> ModelEntry | None:
        """The entry of what a `LoadRequest` names."""
        return self.demo if model == DEMO else self.library.entry(model)

    def planner(self, entry: ModelEntry, weights: str = "") -> Planner | None:
        """weights: the scheme it would be prepared to; empty: as the entry says."""
        return self.planners.planner(entry, weights)

    def suiting_weights(self, entry: ModelEntry) -> str:
        """The scheme to prepare a model to on this PC."""
        return suiting_weights(entry, self.planner)

    def context_cost(self, tokens: int) -> str:
        """What the running model takes with so many tokens in view; empty where nobody knows."""
        running = self.running
        planner = None if running is None else self.planner(running)
        if planner is None or tokens > planner.contexts[-1]:
            return ""
        return memory_text(planner.plan(tokens, self.settings.value.cache_bits).total)

    def check_hardware(self) -> None:
        self.hardware.check(self.library.home)

    def load(
        self, entry: ModelEntry, *, context: int = 0, cache_bits: int = 16, anyway: bool = False
    ) -> None:
        """context: tokens; 0 lets the engine choose."""
        is_demo = entry.place is Place.BUNDLED
        self._load(
            LoadRequest(
                model=DEMO if is_demo else entry.path,
                weights="source" if entry.state is ModelState.READY else entry.scheme,
                max_context=context or None,
                cache_bits=cache_bits,
                load_anyway=anyway,
            )
        )

    def load_demo(self) -> None:
        """Does nothing where it is loaded or on its way."""
        is_there = self.status.state.phase in (Phase.READY, Phase.LOADING)
        if not (self.status.is_demo and is_there):
            self._load(LoadRequest(model=DEMO))

    def _held(self) -> int:
        ready = self.status.state.ready
        return 0 if ready is None else ready.memory_bytes

    def _load(self, request: LoadRequest) -> None:
        self._chosen = request
        self.status.load_model(request)

    def _on_changed(self) -> None:
        found = recommend(
            self.library.entries, self.planner, self.hardware.without_ours, self.library.free
        )
        if found != self._recommendation:
            self._recommendation = found
        self.changed.emit()

    def _on_status(self, state: EngineState) -> None:
        request = self.status.request
        # only then: what cannot be loaded is not tried again at each start
        if state.phase is Phase.READY and request is self._chosen:
            self.settings.change(
                model_folder="" if request.model == DEMO else request.model,
                model_weights=request.weights,
                model_context=request.max_context or 0,
                cache_bits=request.cache_bits,
            )
        self.changed.emit()


def first_request(settings: Settings, model: str = "") -> LoadRequest:
    """What is loaded at the start: `model`, else what was loaded last.

    model: a folder that the user has named for this start.
    """
    if model:
        return LoadRequest(model=model)
    if not settings.model_folder:
        return LoadRequest(model=DEMO)
    return LoadRequest(
        model=settings.model_folder,
        weights=settings.model_weights,
        max_context=settings.model_context or None,
        cache_bits=settings.cache_bits,
    )
