"""Smaller networks by further training: pruning, quantization-aware training, both; and what was done, layer by layer."""
