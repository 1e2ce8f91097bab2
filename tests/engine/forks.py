"""Processes that start within milliseconds, to be killed: forked from a server of their test's own.

Python keeps one server for all, with what its first user had it import. A test whose processes need
something else would wait for them to import it, and kill them before they did anything.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import forkserver
from multiprocessing.context import ForkServerContext


@contextmanager
def fork_server(*modules: str) -> Iterator[ForkServerContext]:
    """A context for processes whose server has imported the modules."""
    context = multiprocessing.get_context("forkserver")
    forkserver._forkserver._stop()
    context.set_forkserver_preload(list(modules))
    try:
        yield context
    finally:
        forkserver._forkserver._stop()
