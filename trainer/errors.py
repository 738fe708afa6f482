"""The trainer's own leaves of the error tree in ``edge/errors.py``.

::

    ChromoError
    ├── ...                      exit 1 to 7, see edge/errors.py
    ├── ConfigError              exit 2
    │   └── Diverged                      a training whose loss is no number any more
    ├── DatasetError             exit 8   pictures or tables to learn from are missing, unreadable or contradictory
    └── ExportError              exit 9   a trained network cannot be turned into a bundle that passes its proofs
"""

from edge.errors import ChromoError, ConfigError


class DatasetError(ChromoError):
    exit_code = 8


class Diverged(ConfigError):
    pass


class ExportError(ChromoError):
    exit_code = 9
