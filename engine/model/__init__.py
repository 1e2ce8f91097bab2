"""The network and nothing else: weights, cache, layers, encoder pass and decoder pass."""
