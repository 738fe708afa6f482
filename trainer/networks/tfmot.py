"""``tensorflow_model_optimization`` as ``tfmot``, without the deprecation notices of its own imports."""

from __future__ import annotations

import warnings

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # it asks distutils for TensorFlow's version
    import tensorflow_model_optimization as tfmot

__all__ = ["tfmot"]
