"""Redraft's windows. Sees the engine through its messages and `app.bridge` only."""
