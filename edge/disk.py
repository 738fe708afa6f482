"""Whether a disk takes more."""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass
from pathlib import Path

NEEDED_BYTES = 4_000_000
"""A large picture, its record and SQLite's own journal."""
MOST_SPARED_BYTES = 1_000_000_000
"""A hundredth of a large disk would be more than anybody needs left."""
DISK_ERRORS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO})
"""The errors of a disk that is full, read-only or failing: neither another name nor more rights would help."""


@dataclass(frozen=True, slots=True)
class DiskTrouble:
    """``said`` what is wrong with a disk, ``mend`` what to do; ``str`` of it is both, in one line."""

    said: str
    mend: str

    def __str__(self) -> str:
        return f"{self.said}; {self.mend}"


def disk_fault(folder: Path, *, spared: float = 0.0) -> DiskTrouble | None:
    """Why nothing more can be kept in ``folder``, which need not be there yet; None where it can, or none can tell.
    ``spared``: the share of the disk that is left for others, at most ``MOST_SPARED_BYTES``."""
    try:
        place = next((path for path in (folder, *folder.parents) if path.exists()), Path())
        disk = os.statvfs(place)
    except OSError:
        return None
    if disk.f_flag & os.ST_RDONLY:
        return DiskTrouble(
            f"the disk of {folder} is read-only",
            "'sudo dmesg' may say why, as a worn card; a service writes only where install-service was told",
        )
    left = disk.f_bavail * disk.f_frsize
    needed = NEEDED_BYTES + min(spared * disk.f_blocks * disk.f_frsize, MOST_SPARED_BYTES)
    if disk.f_blocks and left < needed:  # some file systems of networks and programs tell nothing but zeros
        said = f"no space left on the disk of {folder}: {left / 1e6:.1f} MB, {needed / 1e6:.0f} are needed"
        return DiskTrouble(said, "free some")
    return None
