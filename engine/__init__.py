"""The engine: DiffusionGemma on this machine, without a window.

Nothing here imports Qt or `app`. Importing `engine` itself stays cheap: torch is imported by the
modules that compute, never by `messages`, `memory` or `service`.
"""
