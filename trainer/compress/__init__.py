"""Smaller networks by further training: pruning, quantization-aware training, both; and a report for each layer."""
