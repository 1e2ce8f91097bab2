"""Editing with context on both sides, on top of pinned denoising."""
