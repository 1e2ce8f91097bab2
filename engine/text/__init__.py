"""Text at run time: tokenizer, chat template, thought channel, tool calls, half-finished canvases.

Works on `tokenizers` and `jinja2` alone. Knows nothing about tensors or generation.
"""

from __future__ import annotations
