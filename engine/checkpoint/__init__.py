"""File formats of checkpoints: what lies in them, read piece by piece, never held twice."""
