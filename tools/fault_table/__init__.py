"""The parts of ``tools/faults``."""
