"""Smaller networks by further training: pruning, quantization-aware training, both; and a report a layer."""
