"""What tools/environment.sh fetches beside the system's camera packages, with a stand-in for Python."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PYTHON = r"""#!/usr/bin/env bash
# Importing NAME works where $0.NAME exists; in an environment, simplejpeg where it sees the system's and that fits.
case "$*" in
    "-c import sys"* | --version) ;;
    "-c import "*) [[ -f $0.${2#import } ]] ;;
    "-m venv "*)
        mkdir -p "${@: -1}/bin"
        cp "$0" "${@: -1}/bin/python"
        [[ $* != *--system-site-packages* || ! -f $0.fits ]] || touch "${@: -1}/bin/python.simplejpeg"
        ;;
    *) echo "${*: -3}" >>"$FETCHED"; [[ ! -f $FETCHED.offline ]] || eval "${OFFLINE-false}" ;;
esac
"""
MAKE = "set -euo pipefail; source tools/environment.sh; environment .venv"
AGAIN = "--force-reinstall --no-deps simplejpeg"


class Board:
    """A folder with the project's tools, and what of ``system`` this Python can import."""

    def __init__(self, folder: Path, *system: str) -> None:
        self.folder = folder
        python = folder / "python"
        python.write_text(PYTHON)
        python.chmod(0o755)
        self.installs(*system)
        (folder / "pyproject.toml").touch()
        (folder / "tools").symlink_to(ROOT / "tools")
        self.variables = {"PATH": "/usr/bin:/bin", "PYTHON": str(python), "FETCHED": str(folder / "fetched")}

    def installs(self, *system: str) -> None:
        for name in system:
            (self.folder / f"python.{name}").touch()

    def make(self, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-c", MAKE],
            cwd=self.folder,
            env=self.variables | variables,
            capture_output=True,
            text=True,
            timeout=60,
            start_new_session=True,  # of which a test may end every process
        )

    def fetched(self) -> list[str]:
        return (self.folder / "fetched").read_text().splitlines()

    def folders(self) -> list[str]:
        return sorted(path.name for path in self.folder.glob(".venv*"))


@pytest.mark.parametrize(
    ("system", "again"),
    [
        (("libcamera", "simplejpeg"), True),  # Bookworm
        (("libcamera", "simplejpeg", "fits"), False),  # Trixie
        (("libcamera",), False),
        (("simplejpeg",), False),  # not a board: the environment does not see it
        ((), False),
    ],
)
def test_simplejpeg_is_fetched_where_the_systems_does_not_fit(
    tmp_path: Path, system: tuple[str, ...], again: bool
) -> None:
    board = Board(tmp_path, *system)
    for _ in range(2):
        assert board.make().returncode == 0
    editable, *rest = board.fetched()
    assert editable.endswith("--editable .")
    assert rest == ([AGAIN] if again else [])


@pytest.mark.parametrize("later", [("libcamera",), ("libcamera", "simplejpeg")])
def test_camera_packages_that_come_later_are_seen(tmp_path: Path, later: tuple[str, ...]) -> None:
    board = Board(tmp_path)
    for _ in range(2):
        assert board.make().returncode == 0
    assert len(board.fetched()) == 1
    board.installs(*later)
    for _ in range(2):
        assert board.make().returncode == 0
    assert len(board.fetched()) == 1 + len(later)
    assert board.folders() == [".venv"]


@pytest.mark.parametrize("end", ["false", "kill -INT 0", "kill -TERM 0", "kill -KILL 0"])
def test_an_environment_is_given_up_only_for_a_finished_one(tmp_path: Path, end: str) -> None:
    """Offline, asked to end, and without power, the board has the one that works."""
    board = Board(tmp_path)
    board.make()
    (tmp_path / ".venv" / "works").touch()
    (tmp_path / "pyproject.toml").write_text("newer")
    (tmp_path / "fetched.offline").touch()
    assert board.make(OFFLINE=end).returncode != 0
    assert board.folders() == ([".venv", ".venv.before"] if "KILL" in end else [".venv"])
    if "KILL" in end:
        assert board.make().returncode != 0  # and still offline
    assert board.folders() == [".venv"]
    assert (tmp_path / ".venv" / "works").exists()
    assert (tmp_path / ".venv" / "stamp").exists()
    (tmp_path / "fetched.offline").unlink()
    assert board.make().returncode == 0
    assert board.folders() == [".venv"]
    assert not (tmp_path / ".venv" / "works").exists()


def test_offline_an_environment_that_was_made_by_hand_stays(tmp_path: Path) -> None:
    board = Board(tmp_path)
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / "works").touch()
    (tmp_path / "fetched.offline").touch()
    assert board.make().returncode != 0
    assert (tmp_path / ".venv" / "works").exists()
