"""The unit is one that systemd takes, and the service tells it what it has to."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import socket
import struct
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

import edge.pipeline
from edge.board.notify import Heartbeat, notify
from edge.board.service import Machine, _may_write, unit_text
from edge.camera.simulated import SimulatedCamera
from edge.cli import main
from edge.commands.service import write_unit
from edge.config import default_cases_dir
from edge.errors import ConfigError
from edge.live.web.page import LivePage
from edge.records import Cell, Frame
from edge.sinks.terminal import TerminalSink
from tests.conftest import TINY
from tests.edge.stages import bar_pipeline

BOARD = Machine(jetson=False, groups=("video", "plugdev"), variables=())
JETSON = Machine(jetson=True, groups=("video", "render"), variables=("GENICAM_GENTL64_PATH=/opt/a b%",))


def test_the_words_reach_the_program_as_they_are() -> None:
    text = unit_text(["/opt/py", "-m", "edge.cli", "run", "--jsonl", "my cells 100%$HOME"], BOARD, user="pi")
    assert "ExecStart=/opt/py -m edge.cli run --jsonl 'my cells 100%%$$HOME'\n" in text
    assert "User=pi\n" in text


def test_a_backslash_reaches_the_program_and_a_line_end_none() -> None:
    assert r"run --case 'a\\b'" in unit_text(["run", "--case", r"a\b"], BOARD, user="pi")
    with pytest.raises(ConfigError, match="expected words without line ends and control characters"):
        unit_text(["run", "--case", "a\nExecStartPre=/bin/sh"], BOARD, user="pi")


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--", "--um-per-px", "99"], 2, "--um-per-px must be between"),
        (["--", "--size", "1x1x1"], 2, "--size: "),
        (["--", "--delegate", "foo"], 2, "expected --delegate cpu"),
        (["--", "--models", "/nonexistent"], 5, "/nonexistent"),
        (["--", "--case", "a\nb"], 6, "1 to 100 printable"),
        (["--", "--host", ""], 2, "expected an address for --host, got none"),
        (["--user", "nosuchuser"], 2, "expected --user NAME of a user of this machine, got 'nosuchuser'"),
        (["--listen", "192.168.1.0/99"], 2, "expected --listen NETWORK"),
    ],
)
def test_what_run_would_refuse_is_not_installed(
    capsys: pytest.CaptureFixture[str],
    tiny_models: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    code: int,
    said: str,
) -> None:
    monkeypatch.setenv("CHROMO_MODELS", str(tiny_models))
    assert main(["install-service", "--show", *words]) == code
    out, err = capsys.readouterr()
    assert (out, err.count("\n"), said in err) == ("", 1, True)


@pytest.fixture
def lasting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Folders of tests count as such that last."""
    monkeypatch.setattr("edge.board.service.TEMPORARY", ())


def test_the_settings_in_use_are_the_services(
    capsys: pytest.CaptureFixture[str], tiny_models: Path, monkeypatch: pytest.MonkeyPatch, lasting: None
) -> None:
    here = tiny_models.parent
    monkeypatch.chdir(here)
    monkeypatch.delenv("CHROMO_CONFIG", raising=False)
    monkeypatch.setenv("CHROMO_MODELS", tiny_models.name)
    for name in ("chromo-edge.toml", "other.toml"):
        (here / name).write_text("[run]\nthreads = 3\n")
    assert main(["install-service", "--show"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert f"Environment=CHROMO_MODELS={tiny_models}" in lines
    assert any(line.endswith(f" -m edge.cli --config {here}/chromo-edge.toml run") for line in lines)
    assert main(["--config", "other.toml", "install-service", "--show"]) == 0
    assert f" --config {here}/other.toml run\n" in capsys.readouterr().out
    (here / "chromo-edge.toml").write_text("[run]\nlog = 'run.log'\n")
    assert main(["install-service", "--show"]) == ConfigError.exit_code
    assert "expected for log in the settings file a path from / on, got 'run.log'" in capsys.readouterr().err
    assert main(["install-service", "--show", "--", "--log", "run.log"]) == 0  # a word takes its place
    (here / "chromo-edge.toml").write_text("[run]\num-per-px = 99\n")
    assert main(["install-service", "--show"]) == 2


def test_cases_go_where_the_sandbox_lets_it_write(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = unit_text(["x"], BOARD, user="pi").splitlines()
    assert "ProtectHome=read-only" in lines
    settings = (line.removeprefix("Environment=").partition("=") for line in lines if line.startswith("Environment="))
    for variable, _, value in settings:
        monkeypatch.setenv(variable, value)
    (state,) = (line.removeprefix("StateDirectory=") for line in lines if line.startswith("StateDirectory="))
    assert default_cases_dir().is_relative_to(Path("/var/lib") / state)


def test_what_it_is_told_to_write_lies_where_the_sandbox_lets_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, lasting: None
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "logs 1").mkdir()
    (tmp_path / "chromo-edge.toml").write_text(f"[run]\nlog = '{tmp_path}/logs 1/run.log'\n")
    words = ["install-service", "--show", "--", "--jsonl", "cells.jsonl"]

    def opened(*more: str) -> list[str]:
        assert main([*words, *more]) == 0
        return [line for line in capsys.readouterr().out.splitlines() if line.startswith("ReadWritePaths=")]

    assert opened() == [f"ReadWritePaths={tmp_path}", f"ReadWritePaths='{tmp_path}/logs 1'"]
    (tmp_path / "c").mkdir()
    assert f"ReadWritePaths={tmp_path}/c" in opened("--cases", "c")
    assert opened("--jsonl", "-", "--log", "/var/lib/chromo-edge/log/run.log") == []  # its own, made at its start
    assert main([*words, "--cases", "none"]) == ConfigError.exit_code
    said = capsys.readouterr().err
    assert f"in a folder that is there, got {tmp_path}/none; make it: sudo install -d -o " in said
    assert said.count("\n") == 1


def test_what_its_user_may_not_write_into_is_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, lasting: None
) -> None:
    own = tmp_path / "logs"
    own.mkdir(0o700)
    words = ["install-service", "--show", "--user", "nobody", "--", "--log", f"{own}/run.log"]
    assert main(words) == ConfigError.exit_code
    assert f"expected a folder that nobody may write into, got {own}; give it: sudo chown" in capsys.readouterr().err
    assert main([*words[:-1], "/run.log"]) == ConfigError.exit_code
    assert "in a folder of their own, got /; name one" in capsys.readouterr().err


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can ask in another user's name")
def test_an_access_control_list_gives_a_right_too(tmp_path: Path) -> None:
    for above in (tmp_path, *tmp_path.parents[:2]):
        above.chmod(0o755)
    own = tmp_path / "logs"
    own.mkdir(0o700)
    assert not _may_write(own, "nobody")
    nobody = pwd.getpwnam("nobody").pw_uid
    # acl(5): the owner, one user more, the group, the mask, others; each tag, rights and id.
    entries = ((1, 7, -1), (2, 7, nobody), (4, 0, -1), (16, 7, -1), (32, 0, -1))
    rights = b"".join(struct.pack("<HHi", *entry) for entry in entries)
    try:
        os.setxattr(own, "system.posix_acl_access", struct.pack("<I", 2) + rights)
    except OSError as why:
        pytest.skip(f"this disk has no access control lists: {why}")
    assert _may_write(own, "nobody")


@pytest.mark.parametrize("words", [["--cases", "/tmp/c"], ["--log", "/var/tmp/x"], ["--jsonl", "/var/../tmp/a/x"]])
def test_nothing_is_kept_in_a_folder_that_goes(capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    assert main(["install-service", "--show", "--", *words]) == ConfigError.exit_code
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert "expected cases, JSON lines and log in a folder that lasts, got /" in err


def test_who_may_connect() -> None:
    assert "IPAddressAllow=localhost\n" in unit_text(["x"], BOARD, user="pi")
    assert "IPAddressAllow=localhost 192.168.1.0/24\n" in unit_text(["x"], BOARD, user="pi", listen=["192.168.1.0/24"])
    for network in ("any thing", "\nUser=root", "192.168.1.0/99", "1.2.3", "fe80::1%eth0", "10.0.0.0/255.0.0.0"):
        with pytest.raises(ConfigError, match="expected --listen"):
            unit_text(["x"], BOARD, user="pi", listen=[network])
    with pytest.raises(ConfigError, match="expected --user"):
        unit_text(["x"], BOARD, user="pi\nExecStartPre=/bin/sh")


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd here")
@pytest.mark.parametrize(("machine", "exposure"), [(BOARD, 30), (JETSON, 45), (Machine.here(), 45)])
def test_systemd_takes_it(machine: Machine, exposure: int, tmp_path: Path, lasting: None) -> None:
    path = tmp_path / "chromo-edge.service"
    (tmp_path / "it's 100%").mkdir()
    path.write_text(unit_text(["/bin/true", "a b"], machine, user="root", writes=[tmp_path / "it's 100%"]))
    done = subprocess.run(["systemd-analyze", "verify", path], capture_output=True, text=True)
    told = [line for line in done.stderr.splitlines() if "chromo-edge.service" in line]
    assert told == []
    words = ["systemd-analyze", "security", "--offline=true", f"--threshold={exposure}", str(path)]
    assert subprocess.run(words, capture_output=True).returncode == 0  # in tenths, of 100


@pytest.mark.parametrize("machine", [BOARD, JETSON])
def test_it_runs_for_months_and_for_this_machine_alone(machine: Machine) -> None:
    lines = set(unit_text(["x"], machine, user="me").splitlines())
    assert {"Restart=always", "StartLimitIntervalSec=0", "WatchdogSec=120", "NotifyAccess=main"} <= lines
    assert {"IPAddressDeny=any", "IPAddressAllow=localhost", "UMask=0077", "ProtectSystem=strict"} <= lines


def test_what_a_jetson_needs_is_not_shut_out() -> None:
    lines = unit_text(["x"], JETSON, user="me").splitlines()
    assert {"PrivateTmp=no", "DevicePolicy=auto", "SupplementaryGroups=video render", "MemoryMax=75%"} <= set(lines)
    assert "Environment='GENICAM_GENTL64_PATH=/opt/a b%%'" in lines
    assert not any(line.startswith("DeviceAllow") for line in lines)
    closed = unit_text(["x"], BOARD, user="me").splitlines()
    assert {"PrivateTmp=yes", "DevicePolicy=closed", "SupplementaryGroups=video plugdev"} <= set(closed)
    assert not any("GENICAM" in line for line in closed)


def test_a_jetsons_clock_shuts_no_device_out() -> None:
    """systemd 249 takes the hardware clock that ProtectClock allows for the only device that there may be."""
    assert "ProtectClock=yes" in unit_text(["x"], BOARD, user="me").splitlines()
    jetson = unit_text(["x"], JETSON, user="me").splitlines()
    assert not any(line.startswith("ProtectClock") for line in jetson)
    assert {"CapabilityBoundingSet=", "SystemCallFilter=@system-service"} <= set(jetson)  # which set no clock either


def test_devices_that_come_later_are_not_shut_out() -> None:
    """A group that the kernel does not know yet when the service starts is not allowed later either."""
    lines = unit_text(["x"], BOARD, user="me").splitlines()
    of = {"video4linux": "videodev", "media": "mc", "drm": "drm", "apex": "apex"}
    allowed = {line.removeprefix("DeviceAllow=char-").removesuffix(" rw") for line in lines if "DeviceAllow" in line}
    assert allowed - of.keys() == {"usb_device", "dma_heap"}  # no module has them
    modules = " ".join(f"modprobe@{module}.service" for module in of.values())
    assert {f"Wants={modules}", f"After={modules}"} <= set(lines[: lines.index("[Service]")])
    assert "modprobe@" not in unit_text(["x"], JETSON, user="me")


def test_only_groups_that_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    there = [SimpleNamespace(gr_name=name) for name in ("root", "render", "video")]
    monkeypatch.setattr("grp.getgrall", lambda: there)
    monkeypatch.setenv("GENICAM_GENTL64_PATH", "/opt/cti")
    here = Machine.here()
    assert (here.groups, here.variables) == (("video", "render"), ("GENICAM_GENTL64_PATH=/opt/cti",))


def test_paths_are_those_of_where_it_was_installed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, lasting: None
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(TINY, tmp_path / "frames")
    words = ["--models", "frames", "--case", "frames", "--jsonl=cells.jsonl", "--headless", "--camera", "frames"]
    assert main(["install-service", "--show", "--", *words]) == 0
    run = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("ExecStart="))
    here = f"{tmp_path}/"
    assert run.endswith(
        f" run --models {here}frames --case frames --jsonl={here}cells.jsonl --headless --camera {here}frames"
    )
    assert main(["install-service", "--show", "--", "--modles", "frames"]) == 2
    assert "No such option: --modles" in capsys.readouterr().err


def test_an_installation_over_a_running_one_takes_effect(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("edge.board.service.UNIT_PATH", tmp_path / "chromo-edge.service")
    steps: list[list[str]] = []

    def systemctl(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        steps.append(command)
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", systemctl)
    assert main(["install-service", "--yes"]) == 0
    unit = "chromo-edge.service"
    assert steps == [["systemctl", *step] for step in (["daemon-reload"], ["enable", unit], ["restart", unit])]


def test_the_unit_is_shown_and_nothing_written(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("edge.board.service.UNIT_PATH", tmp_path / "unit")
    monkeypatch.setattr("typer.confirm", lambda _: False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sim").mkdir()  # as `trainer simulate --out sim` makes it; the camera is meant
    assert main(["install-service", "--", "--camera", "sim"]) == 0
    said = capsys.readouterr().out
    assert "-m edge.cli run --camera sim\n" in said  # with the page: --headless is whose wish it is
    assert said.endswith("nothing was written\n")
    assert not (tmp_path / "unit").exists()
    with pytest.raises(ConfigError, match="run it with sudo"):
        write_unit(Path("/dev/null/unit"), "")


def test_no_browser_is_opened_without_a_screen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    pipeline = bar_pipeline()
    camera = SimulatedCamera()
    page = LivePage(
        camera,
        SimulatedCamera,
        pipeline,
        cases=tmp_path,
        case="today",
        host="127.0.0.1",
        port=0,
    )
    try:
        for variable in ("DISPLAY", "WAYLAND_DISPLAY"):
            monkeypatch.delenv(variable, raising=False)
        page.open_browser()
        assert opened == []
        monkeypatch.setenv("DISPLAY", ":0")
        page.open_browser()
        assert opened == [page.address]
    finally:
        page.close()
        camera.close()


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """systemd's end of the socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.bind(str(tmp_path / "notify"))
        channel.settimeout(10)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        yield channel


def test_ready_alive_stopping(manager: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "60000")
    with Heartbeat() as beat:
        assert manager.recv(99) == b"READY=1"
        assert manager.recv(99) == b"WATCHDOG=1"  # while it waits for a camera
        assert beat.watch(lambda n: n + 1)(2) == 3
        assert manager.recv(99) == b"WATCHDOG=1"
    while (said := manager.recv(99)) == b"WATCHDOG=1":
        pass
    assert said == b"STOPPING=1"


def test_a_stuck_call_is_not_alive(manager: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "90000")
    stuck = threading.Event()
    with Heartbeat() as beat:
        thread = threading.Thread(target=beat.watch(stuck.wait), daemon=True)
        thread.start()
        manager.settimeout(1.0)
        beats = []
        with pytest.raises(TimeoutError):
            beats.extend(manager.recv(99) for _ in range(1000))
        assert len(beats) < 20
        stuck.set()
        thread.join()
        assert manager.recv(99) == b"WATCHDOG=1"


@pytest.mark.parametrize("place", ["label", "put"])
def test_a_run_that_is_stuck_in_a_frame_is_not_alive(
    manager: socket.socket, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], place: str
) -> None:
    """``run`` itself: the beats end while its second frame is being labelled or written, and only then."""
    monkeypatch.setenv("WATCHDOG_USEC", "90000")
    pipeline = bar_pipeline()
    beats: list[int] = []

    def stuck(*_: object) -> None:
        said = []
        with contextlib.suppress(TimeoutError):
            for _ in range(200):
                said.append(manager.recv(99))
        beats.append(said.count(b"WATCHDOG=1"))

    def label(frame: Frame) -> Cell:
        stuck()
        return pipeline.label(frame)

    if place == "label":
        monkeypatch.setattr(pipeline, "label_live", label)
    else:
        monkeypatch.setattr(TerminalSink, "put", stuck)  # a file on a share that went away, as well
    monkeypatch.setattr(edge.pipeline, "load_pipeline", lambda *_: pipeline)
    manager.settimeout(1.0)
    assert main(["run", "sim", "--headless", "--frames", "2"]) == 0
    assert len(beats) == 2
    assert max(beats) < 100
    assert manager.recv(99) in (b"WATCHDOG=1", b"STOPPING=1")


def test_without_a_manager(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    assert not notify("READY=1")
    monkeypatch.setenv("NOTIFY_SOCKET", "/nobody/listens")
    assert not notify("READY=1")
    monkeypatch.setenv("WATCHDOG_USEC", "not a number")
    with Heartbeat() as beat:
        assert beat.watch(len)("ab") == 2
