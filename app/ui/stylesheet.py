"""How each kind of control looks. Sizes are in pixels and grow with the interface."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from app.ui.colors import Colors

SCROLL_BAR_WIDTH = 12
CONTROL_ICONS = (
    "control-up",
    "control-down",
    "control-check",
    "control-close",
)  # drawn by the stylesheet

Px = Callable[[float], str]


def stylesheet(colors: Colors, scale: float = 1.0, icons: Mapping[str, str] | None = None) -> str:
    """The whole look over Fusion with our palette.

    `icons` gives a file for each of CONTROL_ICONS; one that is missing is not drawn.
    """

    def px(size: float) -> str:
        return f"{round(size * scale)}px"

    def image(name: str) -> str:
        path = (icons or {}).get(name, "")
        return f"image: url('{path}');" if path else ""

    return "".join(
        (
            _parts(colors, px),
            _buttons(colors, px),
            _fields(colors, px, image),
            _choices(colors, px, image),
            _sliders(colors, px),
            _lists(colors, px),
            _scroll_bars(colors),
        )
    )


def _parts(colors: Colors, px: Px) -> str:
    return f"""
    QWidget#composer {{ background: {colors.surface}; border: 1px solid {colors.outline};
        border-radius: 14px; }}
    QWidget#composer[focused="true"] {{ border-color: {colors.accent}; }}
    QWidget#composer QPlainTextEdit {{ background: transparent; border: none;
        placeholder-text-color: {colors.muted}; }}
    QPlainTextEdit#document {{ background: {colors.window}; color: {colors.text}; border: none;
        selection-background-color: {colors.accent}; selection-color: {colors.on_accent}; }}
    QFrame#rail {{ background: {colors.window}; border: none;
        border-right: 1px solid {colors.border}; }}
    QFrame#bubble {{ background: {colors.raised}; border-radius: 14px; }}
    QFrame#error {{ background: {colors.danger_surface}; border-radius: 10px; }}
    QFrame#error QLabel#message {{ color: {colors.danger}; font-weight: 600; }}
    QFrame#attachment {{ background: {colors.raised}; border-radius: 8px; }}
    QFrame#card {{ background: {colors.surface}; border: 1px solid {colors.border};
        border-radius: {px(10)}; }}
    QFrame#popup, QDialog#popup {{ background: {colors.surface};
        border: 1px solid {colors.outline}; border-radius: {px(10)}; }}
    QSplitter::handle {{ background: {colors.border}; }}
    QFrame#rule {{ background: {colors.border}; border: none; max-height: 1px; }}
    QTextEdit#thought {{ color: {colors.muted}; }}
    QLabel[muted="true"] {{ color: {colors.muted}; }}
    QLabel[danger="true"] {{ color: {colors.danger}; }}
    QLabel[strong="true"] {{ font-weight: 600; }}
    QToolTip {{ background: {colors.raised}; color: {colors.text};
        border: 1px solid {colors.border}; padding: {px(4)}; }}
    """


def _buttons(colors: Colors, px: Px) -> str:
    return f"""
    QPushButton {{ background: transparent; color: {colors.text};
        border: 1px solid {colors.outline}; border-radius: {px(8)};
        padding: {px(5)} {px(12)}; }}
    QPushButton:hover {{ background: {colors.raised}; }}
    QPushButton:pressed {{ background: {colors.border}; }}
    QPushButton:focus {{ border: 2px solid {colors.accent}; padding: {px(4)} {px(11)}; }}
    QPushButton:disabled {{ color: {colors.muted}; border-color: {colors.border}; }}
    QPushButton#chip {{ background: {colors.surface}; border-radius: 16px; padding: 9px 16px;
        text-align: left; }}
    QPushButton#chip:hover {{ border-color: {colors.accent}; }}
    QPushButton#chip:focus {{ padding: 8px 15px; }}
    QPushButton#gap {{ background: {colors.raised}; border-color: {colors.accent};
        border-radius: {px(9)}; padding: {px(2)} {px(10)}; }}
    QPushButton#gap:focus {{ padding: {px(1)} {px(9)}; }}
    QPushButton#act {{ background: {colors.accent}; border: 2px solid {colors.accent};
        border-radius: 17px; padding: 0; }}
    QPushButton#act:focus {{ border-color: {colors.text}; }}
    QPushButton#act[idle="true"] {{ background: {colors.raised}; border-color: {colors.raised}; }}
    QPushButton#primary {{ background: {colors.accent}; color: {colors.on_accent};
        border-color: {colors.accent}; font-weight: 600; }}
    QPushButton#primary:disabled {{ background: {colors.raised}; color: {colors.muted};
        border-color: {colors.border}; }}
    QPushButton#primary:focus {{ border-color: {colors.text}; }}
    QPushButton#flat {{ border: 2px solid transparent; padding: {px(4)} {px(8)}; }}
    QPushButton#flat:focus {{ border-color: {colors.accent}; padding: {px(4)} {px(8)}; }}
    QPushButton#flat:disabled {{ color: {colors.muted}; }}
    QPushButton::menu-indicator {{ image: none; width: 0; }}
    QToolButton {{ background: transparent; color: {colors.text};
        border: 2px solid transparent; border-radius: {px(7)}; padding: {px(4)}; }}
    QToolButton:hover {{ background: {colors.raised}; }}
    QToolButton:checked {{ background: {colors.raised}; }}
    QToolButton:focus {{ border-color: {colors.accent}; }}
    QToolButton:disabled {{ color: {colors.muted}; }}
    QToolButton::menu-indicator {{ image: none; }}
    QToolButton#fold {{ color: {colors.muted}; padding: {px(4)} {px(8)} {px(4)} 0; }}
    QToolButton#fold:checked {{ background: transparent; }}
    QToolButton#fold:hover {{ background: transparent; color: {colors.text}; }}
    """


def _fields(colors: Colors, px: Px, image: Callable[[str], str]) -> str:
    """A thicker border when focused, and less padding, so that nothing moves."""
    kinds = ("QLineEdit", "QAbstractSpinBox", "QComboBox", 'QPlainTextEdit[field="true"]')
    return f"""
    {", ".join(kinds)} {{ background: {colors.surface}; color: {colors.text};
        border: 1px solid {colors.outline}; border-radius: {px(7)};
        padding: {px(4)} {px(8)}; selection-background-color: {colors.accent};
        selection-color: {colors.on_accent};
        placeholder-text-color: {colors.muted}; }}
    {", ".join(f"{kind}:focus" for kind in kinds)} {{ border: 2px solid {colors.accent};
        padding: {px(3)} {px(7)}; }}
    {", ".join(f"{kind}:disabled" for kind in kinds)} {{ color: {colors.muted};
        background: {colors.window}; border-color: {colors.border}; }}
    QAbstractSpinBox {{ padding-right: {px(22)}; }}
    QAbstractSpinBox:focus {{ padding-right: {px(21)}; }}
    QAbstractSpinBox QLineEdit, QAbstractSpinBox QLineEdit:focus {{ border: none;
        padding: 0; background: transparent; }}
    QAbstractSpinBox::up-button, QAbstractSpinBox::down-button {{ border: none;
        background: transparent; width: {px(20)}; subcontrol-origin: border; }}
    QAbstractSpinBox::up-button {{ subcontrol-position: top right; }}
    QAbstractSpinBox::down-button {{ subcontrol-position: bottom right; }}
    QAbstractSpinBox::up-arrow {{ {image("control-up")} width: {px(11)}; height: {px(11)}; }}
    QAbstractSpinBox::down-arrow {{ {image("control-down")} width: {px(11)}; height: {px(11)}; }}
    QComboBox {{ padding-right: {px(26)}; }}
    QComboBox:focus {{ padding-right: {px(25)}; }}
    QComboBox::drop-down {{ border: none; width: {px(26)}; }}
    QComboBox::down-arrow {{ {image("control-down")} width: {px(12)}; height: {px(12)}; }}
    QComboBox QAbstractItemView {{ background: {colors.surface}; color: {colors.text};
        border: 1px solid {colors.outline}; padding: {px(4)}; outline: 0;
        selection-background-color: {colors.accent}; selection-color: {colors.on_accent}; }}
    """


def _choices(colors: Colors, px: Px, image: Callable[[str], str]) -> str:
    # half of a radio button with its border: Qt draws a square where a corner is rounder than that
    round_corner = (int(px(16).removesuffix("px")) + 2) // 2
    return f"""
    QCheckBox, QRadioButton {{ spacing: {px(9)}; padding: {px(3)} {px(3)} {px(3)} 0;
        border-radius: {px(6)}; border: 2px solid transparent; }}
    QCheckBox:focus, QRadioButton:focus {{ border-color: {colors.accent}; }}
    QCheckBox:disabled, QRadioButton:disabled {{ color: {colors.muted}; }}
    QCheckBox::indicator, QRadioButton::indicator {{ width: {px(16)}; height: {px(16)};
        background: {colors.surface}; border: 1px solid {colors.outline}; }}
    QCheckBox::indicator {{ border-radius: {px(5)}; }}
    QRadioButton::indicator {{ border-radius: {round_corner}px; }}
    QCheckBox::indicator:hover, QRadioButton::indicator:hover {{ border-color: {colors.accent}; }}
    QCheckBox::indicator:checked {{ background: {colors.accent}; border-color: {colors.accent};
        {image("control-check")} }}
    QRadioButton::indicator:checked {{ border: {px(5)} solid {colors.accent};
        width: {px(8)}; height: {px(8)}; background: {colors.on_accent}; }}
    QTabWidget::pane {{ border: none; border-top: {px(6)} solid transparent; }}
    QTabBar {{ background: transparent; }}
    QTabBar::tab {{ background: transparent; color: {colors.muted}; padding: {px(7)} {px(14)};
        border: 2px solid transparent; border-radius: {px(6)}; margin-bottom: {px(3)}; }}
    QTabBar::tab:hover {{ color: {colors.text}; background: {colors.raised}; }}
    QTabBar::tab:selected {{ color: {colors.accent}; background: {colors.raised}; }}
    QTabBar::close-button {{ {image("control-close")} width: {px(13)}; height: {px(13)};
        border-radius: {px(4)}; }}
    QTabBar::close-button:hover {{ background: {colors.border}; }}
    QTabBar::tab:selected:focus {{ border-color: {colors.accent}; }}
    """


def _sliders(colors: Colors, px: Px) -> str:
    return f"""
    QSlider {{ border: 2px solid transparent; border-radius: {px(8)}; min-height: {px(22)}; }}
    QSlider:focus {{ border-color: {colors.accent}; }}
    QSlider::groove:horizontal {{ height: {px(4)}; background: {colors.outline};
        border-radius: {px(2)}; margin: 0 {px(3)}; }}
    QSlider::sub-page:horizontal {{ background: {colors.accent}; border-radius: {px(2)};
        margin: 0 {px(3)}; }}
    QSlider::handle:horizontal {{ background: {colors.accent}; border: 2px solid {colors.surface};
        width: {px(12)}; height: {px(12)}; margin: -{px(6)} 0; border-radius: {px(8)}; }}
    QSlider::handle:horizontal:hover {{ background: {colors.text}; }}
    QSlider::groove:horizontal:disabled, QSlider::sub-page:horizontal:disabled,
    QSlider::handle:horizontal:disabled {{ background: {colors.border}; }}
    QProgressBar {{ background: {colors.raised}; border: none; border-radius: {px(3)};
        max-height: {px(6)}; min-height: {px(6)}; }}
    QProgressBar::chunk {{ background: {colors.accent}; border-radius: {px(3)}; }}
    """


def _lists(colors: Colors, px: Px) -> str:
    """A list shows its focus by its border, and where one is in it by the row."""
    return f"""
    QListView, QTreeView {{ background: transparent; color: {colors.text};
        border: 2px solid transparent; border-radius: {px(8)}; outline: 0; }}
    QListView:focus, QTreeView:focus {{ border-color: {colors.accent}; }}
    QListView::item {{ padding: {px(6)} {px(8)}; border-radius: {px(6)}; color: {colors.text}; }}
    QListView::item:hover {{ background: {colors.raised}; }}
    QListView::item:selected {{ background: {colors.raised}; color: {colors.accent}; }}
    QMenu {{ background: {colors.surface}; color: {colors.text};
        border: 1px solid {colors.outline}; padding: {px(5)}; }}
    QMenu::item {{ padding: {px(6)} {px(22)} {px(6)} {px(12)}; border-radius: {px(5)}; }}
    QMenu::item:selected {{ background: {colors.accent}; color: {colors.on_accent}; }}
    QMenu::item:disabled {{ color: {colors.muted}; background: transparent; }}
    QMenu::separator {{ height: 1px; background: {colors.border}; margin: {px(5)} {px(8)}; }}
    """


def _scroll_bars(colors: Colors) -> str:
    return f"""
    QScrollArea, QScrollArea > QWidget > QWidget {{ background: {colors.window}; border: none; }}
    QScrollBar:vertical {{ background: transparent; width: {SCROLL_BAR_WIDTH}px; margin: 2px; }}
    QScrollBar::handle:vertical {{ background: {colors.border}; border-radius: 4px;
        min-height: 36px; }}
    QScrollBar::handle:vertical:hover {{ background: {colors.muted}; }}
    QScrollBar:horizontal {{ background: transparent; height: {SCROLL_BAR_WIDTH}px; margin: 2px; }}
    QScrollBar::handle:horizontal {{ background: {colors.border}; border-radius: 4px;
        min-width: 36px; }}
    QScrollBar::handle:horizontal:hover {{ background: {colors.muted}; }}
    QScrollBar[idle="true"]::handle:vertical {{ background: transparent; }}
    QScrollBar::add-line, QScrollBar::sub-line {{ width: 0; height: 0; }}
    QScrollBar::add-page, QScrollBar::sub-page {{ background: transparent; }}
    """
