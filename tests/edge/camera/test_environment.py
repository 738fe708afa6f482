"""What tools/environment.sh fetches beside the system's camera packages, with a stand-in for Python."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PYTHON = r"""#!/usr/bin/env bash
# Importing NAME works where $0.NAME exists; in an environment, simplejpeg where it sees the system's and that fits.
case "$*" in
    "-c import sys"* | --version) ;;
    "-c "*fcntl*) exec python3 "$@" ;;
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

    def start(self, **variables: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            ["bash", "-c", MAKE],
            cwd=self.folder,
            env=self.variables | variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,  # of which a test may end every process
        )

    def make(self, **variables: str) -> subprocess.CompletedProcess[str]:
        with self.start(**variables) as making:
            said = making.communicate(timeout=60)
        return subprocess.CompletedProcess(making.args, making.returncode, *said)

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


@pytest.mark.parametrize("end", ["true", "false", "kill -KILL 0"])
def test_a_second_start_waits_for_the_one_that_makes_the_environment(tmp_path: Path, end: str) -> None:
    board = Board(tmp_path)
    (tmp_path / "fetched.offline").touch()
    go = tmp_path / "go"
    first = board.start(OFFLINE=f"until [[ -f {go} ]]; do sleep 0.02; done; {end}")
    while not (tmp_path / "fetched").exists():
        time.sleep(0.02)
    (tmp_path / "fetched.offline").unlink()
    second = board.start()
    assert second.stderr is not None
    assert "waiting" in second.stderr.readline()
    assert board.folders() == [".venv"]
    assert len(board.fetched()) == 1
    go.touch()
    first.communicate(timeout=60)
    second.communicate(timeout=60)
    assert second.returncode == 0
    assert board.folders() == [".venv"]
    assert (tmp_path / ".venv" / "stamp").exists()
    assert len(board.fetched()) == (1 if end == "true" else 2)


def test_who_waits_for_another_may_give_up(tmp_path: Path) -> None:
    board = Board(tmp_path)
    (tmp_path / "fetched.offline").touch()
    go = tmp_path / "go"
    first = board.start(OFFLINE=f"until [[ -f {go} ]]; do sleep 0.02; done")
    while not (tmp_path / "fetched").exists():
        time.sleep(0.02)
    second = board.start()
    assert second.stderr is not None
    assert "waiting" in second.stderr.readline()
    os.killpg(second.pid, signal.SIGINT)
    assert second.communicate(timeout=60)[1] == ""
    assert second.returncode != 0
    go.touch()
    first.communicate(timeout=60)
    assert first.returncode == 0
    assert board.folders() == [".venv"]
