"""Quantised weights: their bits, how a tensor becomes them, and what they mean in plain torch."""
