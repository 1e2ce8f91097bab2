"""The window: builds the parts and says, in one table, which of them talk to each other."""

from __future__ import annotations

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QCloseEvent, QKeySequence, QPaintEvent, QShortcut
from PySide6.QtWidgets import QWidget

from app.bridge import EngineBridge
from app.paths import Paths
from app.settings import Settings, SettingsStore
from app.state.chats import Chats
from app.state.commands import Command
from app.state.editor.documents import Documents
from app.state.engine_status import EngineState, EngineStatus, Phase
from app.state.history.faults import HistoryError
from app.state.history.rows import ChatSummary
from app.state.markdown.worker import Preparer
from app.state.text import visible
from app.ui.chat.asking import Asking, placeholder
from app.ui.chat.composer import Composer
from app.ui.chat.empty_state import EmptyState
from app.ui.chat.header import Header
from app.ui.chat.list import ChatList
from app.ui.chat.meter_feed import MeterFeed
from app.ui.chat.shown import ShownChat
from app.ui.chat.status_line import StatusLine, engine_text
from app.ui.chat.surroundings import Actions, Surroundings
from app.ui.chat.view import ChatView
from app.ui.chat.wires import SessionWires
from app.ui.command_palette import CommandPalette, remembered
from app.ui.dialogs import Dialogs, Run
from app.ui.editor.commands import editor_commands, is_reserved, recent_files
from app.ui.editor.crossing import Crossing
from app.ui.editor.pane import EditorPane
from app.ui.notice import Notice
from app.ui.places import CHAT, EDITOR, Places
from app.ui.rich.slices import Slices
from app.ui.settings.side_panel import SidePanel
from app.ui.theme import Theme
from app.ui.toast import Toast
from app.ui.widgets import order_tabs
from app.ui.window_commands import (
    anywhere,
    chat_commands,
    commands,
    connect_shortcuts,
    fill_menu,
    talk,
)
from app.ui.window_layout import lay_out, reading_order
from app.words import tr, tr_engine
from engine.messages import Role

RECENT = 20


class MainWindow(QWidget):
    """Signals:
    first_painted(): the window is on the screen.
    closing(): the user closes it; whoever owns the engine ends it now.
    """

    first_painted = Signal()
    closing = Signal()

    def __init__(
        self,
        *,
        chats: Chats,
        status: EngineStatus,
        settings: SettingsStore,
        preparer: Preparer,
        theme: Theme,
        paths: Paths,
        run: Run,
        documents: Documents,
        bridge: EngineBridge,
    ) -> None:
        super().__init__()
        self.chats = chats
        self.status = status
        self.settings = settings
        self._was_painted = False
        self._shows_figures = settings.value.show_figures
        self.composer = Composer(theme)
        self.asking = Asking(chats, status, self.composer)
        self.dialogs = Dialogs(
            self, settings=settings, theme=theme, paths=paths, run=run, facts=lambda: status.facts
        )
        self.toast = Toast()
        self.places = Places(theme)
        self.editor = EditorPane(
            documents,
            bridge,
            settings,
            theme,
            is_still=lambda: self.around.is_still,
            wake_model=status.load,
            is_reserved=is_reserved,
        )
        self.shown = ShownChat(chats, self.dialogs, self.toast, lambda: self.around.is_still)
        self.crossing = Crossing(self.places, self.editor, self.composer, self.dialogs)
        actions = Actions(
            regenerate=self.asking.regenerate,
            edit=self.asking.edit,
            take_back=self.asking.take_back,
            show_variant=self.asking.show_variant,
            go_on=self.asking.go_on,
            replay=self.shown.replay,
            open_link=self.dialogs.link,
            open_text=self.crossing.open_text,
        )
        self.around = Surroundings(
            theme=theme, settings=settings, preparer=preparer, slices=Slices(self), actions=actions
        )
        self.header = Header(theme)
        self.chat_list = ChatList(theme)
        self.side_panel = SidePanel(chats, settings, theme)
        self.empty_state = EmptyState(theme)
        self.chat = ChatView(self.around)
        self.notice = Notice()
        self.status_line = StatusLine()
        self.meter = MeterFeed(self.header.meter, chats, status, self.composer)
        self.wires = SessionWires(self)
        self.commands = commands(self)
        self.editor_commands = self.editor.commands = editor_commands(self)
        self.palette_dialog = CommandPalette(
            theme,
            (lambda: self.commands_here, lambda: recent_files(self), lambda: chat_commands(chats)),
            self,
        )
        self._stack = lay_out(self, theme)
        self._connect()
        self.composer.focus()
        self._on_settings(settings.value)
        self._on_current_changed()
        self._on_engine_changed(status.state)
        if settings.notice:
            self.notice.tell(settings.notice)

    def closeEvent(self, event: QCloseEvent) -> None:
        self.hide()  # at once, whatever the engine still has to finish
        self.closing.emit()
        super().closeEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if not self._was_painted:
            self._was_painted = True
            QTimer.singleShot(0, self.first_painted.emit)

    def focusNextPrevChild(self, forward: bool) -> bool:
        order_tabs(reading_order(self))  # parts of the talk come and go all the time
        return super().focusNextPrevChild(forward)

    @property
    def commands_here(self) -> tuple[Command, ...]:
        """What can be done in the place that is shown, and from anywhere."""
        here = {CHAT: tuple(talk(self)), EDITOR: self.editor_commands}
        return (*here.get(self.places.current, ()), *anywhere(self))

    # --- what commands do -------------------------------------------------------------------------

    def stop(self) -> None:
        self.chats.current.stop()

    def new_chat(self) -> None:
        self.chats.new()
        self.composer.focus()

    def search(self) -> None:
        self.chat_list.show()
        self._on_sidebar_shown()
        self.chat_list.focus_search()

    def answer_again(self) -> None:
        self.asking.regenerate(self.chats.current.path[-1].id)

    def go_on(self) -> None:
        self.asking.go_on()

    def edit_last(self) -> None:
        self.chat.edit_last()

    def rename_current(self) -> None:
        self.chat_list.show()
        self._on_sidebar_shown()
        self.chat_list.begin_rename(self.chats.current.chat_id)

    def escape(self) -> None:
        if self.places.current == EDITOR:
            self.editor.escape()
        else:
            self.stop()

    def toggle_sidebar(self) -> None:
        self.chat_list.setVisible(self.chat_list.isHidden())
        self._on_sidebar_shown()

    def toggle_panel(self) -> None:
        self.side_panel.setVisible(self.side_panel.isHidden())

    def open_palette(self) -> None:
        self.palette_dialog.open_with(self.settings.value.recent_commands)

    # --- building ---------------------------------------------------------------------------------

    def _connect(self) -> None:
        chats, chat_list, composer = self.chats, self.chat_list, self.composer
        composer.send_requested.connect(self.asking.send)
        composer.stop_requested.connect(self.stop)
        composer.changed.connect(lambda: chats.set_unsent(composer.unsent))
        composer.changed.connect(self.meter.refresh)
        composer.paged.connect(self.chat.scroll_pages)
        self.empty_state.suggested.connect(self._on_suggested)
        self.notice.retry_requested.connect(self.status.load)
        chat_list.chosen.connect(chats.open)
        chat_list.message_chosen.connect(self._open_message)
        chat_list.new_requested.connect(self.new_chat)
        chat_list.search_requested.connect(lambda query: chats.search(query, chat_list.show_hits))
        chat_list.search_ended.connect(chats.stop_search)
        chat_list.rename_requested.connect(chats.rename)
        chat_list.delete_requested.connect(chats.delete)
        chat_list.export_requested.connect(self.shown.export)
        self.header.sidebar_requested.connect(self.toggle_sidebar)
        self.header.panel_requested.connect(self.toggle_panel)
        self.header.new_requested.connect(self.new_chat)
        for part in (self.header, self.editor):
            part.menu_requested.connect(lambda menu: fill_menu(menu, self.commands_here))
        chats.list_changed.connect(self._on_list_changed)
        chats.busy_changed.connect(lambda: chat_list.show_busy(chats.busy_ids))
        chats.current_changed.connect(self._on_current_changed)
        chats.deleted.connect(self._on_deleted)
        chats.failed.connect(self._on_history_failed)
        chats.recovered.connect(self.notice.hide)
        chats.noticed.connect(self.notice.tell)
        self.status.changed.connect(self._on_engine_changed)
        for notice in (self.notice, self.editor.notice):
            self.status.noticed.connect(notice.tell)
        self.settings.changed.connect(self._on_settings)
        self.settings.failed.connect(self.notice.tell)
        self.palette_dialog.used.connect(self._remember)
        connect_shortcuts(self, anywhere(self))
        self.places.set_keys(CHAT, connect_shortcuts(self, talk(self)))
        self.places.set_keys(EDITOR, connect_shortcuts(self, self.editor_commands))
        QShortcut(QKeySequence(Qt.Key.Key_Escape), self, self.escape)

    # --- what happens -----------------------------------------------------------------------------

    def _on_suggested(self, text: str) -> None:
        if self.asking.ask(text):
            self.composer.focus()

    def _open_message(self, chat_id: str, message_id: str) -> None:
        self.chats.open_message(
            chat_id, message_id, lambda: self.chat.scroll_to_message(message_id)
        )

    def _on_current_changed(self) -> None:
        session = self.chats.current
        self.chat.show_chat(session)
        self.wires.attach(session)
        self.composer.set_unsent(self.chats.unsent)
        self.chat_list.show_current(session.chat_id)
        self.header.show_title(self.shown.title)
        self.path_changed()

    def path_changed(self) -> None:
        """Another branch, or more of it."""
        path = self.chats.current.path
        self._stack.setCurrentIndex(1 if path else 0)
        asked = tuple(message.text for message in path if message.role is Role.USER)
        self.composer.set_asked(asked)
        self.meter.refresh()

    def _on_engine_changed(self, state: EngineState) -> None:
        self.status_line.show_engine(state, is_demo=self.status.is_demo)
        self.editor.model.setText(engine_text(state))
        self.composer.set_placeholder(placeholder(state.phase))
        if state.phase is Phase.FAILED and state.error is not None:
            message, remedy = tr_engine(state.error.message), tr_engine(state.error.remedy)
            restart = tr("Restart Redraft") if state.is_lost else ""
            self.notice.tell(message, remedy, can_retry=True, retry=restart)
        elif state.phase is Phase.READY:
            self.notice.resolve()
            self.meter.refresh()
        self.wires.show_waiting()

    def _on_list_changed(self, summaries: tuple[ChatSummary, ...]) -> None:
        self.chat_list.show_chats(summaries)
        self.chat_list.show_current(self.chats.current.chat_id)
        self.header.show_title(self.shown.title)

    def _on_deleted(self, chat: ChatSummary) -> None:
        title = visible(chat.title) or tr("New chat")
        self.toast.tell(
            tr("“{title}” is deleted.", title=title),
            tr("Undo"),
            lambda: self.chats.undelete(chat.id),
        )

    def _on_history_failed(self, error: HistoryError) -> None:
        self.notice.tell(error.message, error.remedy)

    def _on_settings(self, settings: Settings) -> None:
        self.composer.set_send_key(settings.send_key)
        self.chat.set_still(self.around.is_still)
        if settings.show_figures != self._shows_figures:
            self._shows_figures = settings.show_figures
            self.chat.refresh_all()

    def _on_sidebar_shown(self) -> None:
        self.header.show_new(self.chat_list.isHidden())

    def _remember(self, command_id: str) -> None:
        recent = remembered(self.settings.value.recent_commands, command_id, RECENT)
        self.settings.change(recent_commands=recent)
