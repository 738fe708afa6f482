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
    *) echo "${*: -3}" >>"$FETCHED" ;;
esac
"""
AGAIN = "--force-reinstall --no-deps simplejpeg"


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
    python = tmp_path / "python"
    python.write_text(PYTHON)
    python.chmod(0o755)
    for name in system:
        (tmp_path / f"python.{name}").touch()
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "tools").symlink_to(ROOT / "tools")
    fetched = tmp_path / "fetched"
    variables = {"PATH": "/usr/bin:/bin", "PYTHON": str(python), "FETCHED": str(fetched)}
    script = "set -euo pipefail; source tools/environment.sh; environment .venv; environment .venv"
    subprocess.run(["bash", "-c", script], cwd=tmp_path, env=variables, check=True, capture_output=True)
    editable, *rest = fetched.read_text().splitlines()
    assert editable.endswith("--editable .")
    assert rest == ([AGAIN] if again else [])
