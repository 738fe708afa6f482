"""The systemd unit that runs ``chromo-edge run`` from power-on, in a sandbox, started again whenever it ends."""

from __future__ import annotations

import grp
import ipaddress
import os
import pwd
import re
import shlex
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from edge.config import MODELS_VARIABLE
from edge.errors import ConfigError

UNIT_PATH = Path("/etc/systemd/system/chromo-edge.service")
STATE, CACHE = "/var/lib/chromo-edge", "/var/cache/chromo-edge"
TEMPORARY = ("/tmp", "/var/tmp")
TEGRA_RELEASE = Path("/etc/nv_tegra_release")
"""A file that NVIDIA's Jetson Linux has."""
GROUPS = ("video", "render", "plugdev", "apex")
"""Groups that own cameras, the GPU, and the Edge TPU on USB and on PCIe."""
PASSED_ON = ("GENICAM_GENTL64_PATH",)
"""Environment variables that a camera's driver is found by; the service gets them too."""

_UNIT = """\
# Written by 'chromo-edge install-service'.
[Unit]
Description=chromo-edge: a label on every chromosome
Documentation=man:systemd.exec(5)
{modules}# Months of running: a fault that comes again and again must not end the tries.
StartLimitIntervalSec=0

[Service]
Type=notify
ExecStart={command}
User={user}
SupplementaryGroups={groups}
Restart=always
RestartSec=2
TimeoutStartSec=120
TimeoutStopSec=10
# The labelling says that it is not stuck; see edge/board/notify.py. A live frame may wait for a capture, whose thorough
# reading of many cells in one large frame takes ten seconds on two x86 cores.
WatchdogSec=120
NotifyAccess=main
StateDirectory=chromo-edge
CacheDirectory=chromo-edge
WorkingDirectory={state}
Environment=XDG_CACHE_HOME={cache}
# Homes are read-only here.
Environment=CHROMO_CASES={state}/cases
Environment=PYTHONUNBUFFERED=1
{variables}UMask=0077
MemoryMax={memory}
# An accelerator's process that takes too much is ended alone: the processor goes on.
OOMPolicy=continue
TasksMax={tasks}

{devices}
# Nobody but this machine; --listen at the installation adds others.
IPAddressDeny=any
IPAddressAllow=localhost{listen}
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK

NoNewPrivileges=yes
CapabilityBoundingSet=
AmbientCapabilities=
ProtectSystem=strict
ProtectHome=read-only
{writes}PrivateTmp={private_tmp}
{clock}ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallErrorNumber=EPERM

[Install]
WantedBy=multi-user.target
"""

_DEVICES = """\
# Only cameras, Edge TPU and GPU.
DevicePolicy=closed
DeviceAllow=char-video4linux rw
DeviceAllow=char-media rw
DeviceAllow=char-usb_device rw
DeviceAllow=char-dma_heap rw
DeviceAllow=char-drm rw
DeviceAllow=char-apex rw"""
_MODULES = "modprobe@videodev.service modprobe@mc.service modprobe@drm.service modprobe@apex.service"
"""The kernel's modules for these devices. Devices of a module that is not loaded when the service starts stay shut out,
also a camera that is plugged in later (systemd.resource-control(5), "DeviceAllow="). Modules that a machine does not
have are passed over."""
_TEGRA_DEVICES = """\
# The GPU's nodes differ from one Jetson Linux to the next: what these groups may open.
DevicePolicy=auto"""


@dataclass(frozen=True, slots=True)
class Machine:
    """What the unit depends on: whether it is a ``jetson``; which of ``GROUPS`` there are (systemd refuses others);
    which of ``PASSED_ON`` and the models' variable are set, as NAME=VALUE."""

    jetson: bool
    groups: tuple[str, ...]
    variables: tuple[str, ...]

    @classmethod
    def here(cls) -> Self:
        known = {group.gr_name for group in grp.getgrall()}
        return cls(
            TEGRA_RELEASE.exists(),
            tuple(group for group in GROUPS if group in known),
            tuple(f"{name}={value}" for name, value in _passed_on()),
        )


def _passed_on() -> Iterator[tuple[str, str]]:
    for name in PASSED_ON:
        if value := os.environ.get(name):
            yield name, value
    if models := os.environ.get(MODELS_VARIABLE):
        yield MODELS_VARIABLE, str(Path(models).absolute())  # the service starts in another folder


def unit_text(
    program: Sequence[str], machine: Machine, *, user: str, listen: Sequence[str] = (), writes: Sequence[Path] = ()
) -> str:
    """The unit for ``machine``. ``program``: the command and its words; ``listen``: networks that may connect, such as
    ``192.168.1.0/24``; ``writes``: the folders that it writes into, beside its own. ``ConfigError`` for text that is no
    user's name or no network, for a folder that it cannot write into, and for a word with control characters.

    A Jetson's is less closed: its CSI cameras are reached through a socket of nvargus-daemon in /tmp, and CUDA with a
    TensorRT engine under construction takes gigabytes. ``ProtectClock=`` allows the hardware clock, and in its systemd,
    249, that forbids every other device (systemd, issue 18142); without capabilities nobody sets a clock anyway.
    """
    if not re.fullmatch(r"[a-z_][a-z0-9_-]*\$?", user):
        raise ConfigError(f"expected --user NAME of a user of this machine, got {user!r}")
    for network in listen:
        if not _is_network(network):
            raise ConfigError(f"expected --listen NETWORK as in 192.168.1.0/24, got {network!r}")
    return _UNIT.format(
        command=" ".join(_quoted(word) for word in program),
        user=user,
        groups=" ".join(machine.groups),
        variables="".join(f"Environment={_literal(variable)}\n" for variable in machine.variables),
        memory="75%" if machine.jetson else "1G",
        tasks=512 if machine.jetson else 128,
        devices=_TEGRA_DEVICES if machine.jetson else _DEVICES,
        modules="" if machine.jetson else f"Wants={_MODULES}\nAfter={_MODULES}\n",
        clock="" if machine.jetson else "ProtectClock=yes\n",
        private_tmp="no" if machine.jetson else "yes",
        state=STATE,
        cache=CACHE,
        writes="".join(f"ReadWritePaths={_literal(str(folder))}\n" for folder in _opened(writes, user)),
        listen="".join(f" {network}" for network in listen),
    )


def _opened(folders: Sequence[Path], user: str) -> Iterator[Path]:
    """Those of ``folders`` that the sandbox must open. ``ConfigError`` for one that it cannot."""
    for folder in dict.fromkeys(folders):
        place = Path(os.path.realpath(folder))
        if place == Path("/"):  # it would open all that the sandbox shuts
            raise ConfigError(f"expected cases, JSON lines and log in a folder of their own, got {folder}; name one")
        if any(place.is_relative_to(temporary) for temporary in TEMPORARY):
            raise ConfigError(
                f"expected cases, JSON lines and log in a folder that lasts, got {folder}; name another, or none: "
                f"cases are kept in {STATE}"
            )
        if any(place.is_relative_to(own) for own in (STATE, CACHE)):
            continue
        if not place.is_dir():  # systemd starts nothing that is to write into a folder that is not there
            raise ConfigError(
                f"expected cases, JSON lines and log in a folder that is there, got {folder}; make it: "
                f"sudo install -d -o {user} {shlex.quote(str(folder))}"
            )
        if not _may_write(place, user):
            raise ConfigError(
                f"expected a folder that {user} may write into, got {folder}; give it: "
                f"sudo chown {user} {shlex.quote(str(folder))}"
            )
        yield folder


def _may_write(folder: Path, user: str) -> bool:
    """Whether ``user`` may write into ``folder``. Root asks the system in that user's name; anybody else goes by owner,
    group and mode of the folder and of those above it, which leaves out access control lists."""
    who = pwd.getpwnam(user)
    groups = os.getgrouplist(user, who.pw_gid)
    if os.geteuid() == 0:
        asked = ["test", "-w", str(folder), "-a", "-x", str(folder)]
        return subprocess.run(asked, user=who.pw_uid, group=who.pw_gid, extra_groups=groups, cwd="/").returncode == 0

    def may(place: Path, bits: int) -> bool:
        there = place.stat()
        shift = 6 if there.st_uid == who.pw_uid else 3 if there.st_gid in groups else 0
        return who.pw_uid == 0 or (there.st_mode >> shift) & bits == bits

    return may(folder, 0o3) and all(may(above, 0o1) for above in folder.parents)


def _is_network(name: str) -> bool:
    if name in ("link-local", "any"):
        return True
    try:
        ipaddress.ip_network(name, strict=False)
    except ValueError:
        return False
    return re.fullmatch(r"[0-9a-fA-F:.]+(/\d{1,3})?", name) is not None  # neither a zone nor a mask: systemd has none


def _quoted(word: str) -> str:
    """A word of ``ExecStart=``, in which % and $ mean something (systemd.service(5), "Command lines")."""
    return _literal(word).replace("$", "$$")


def _literal(word: str) -> str:
    """A word of a unit, in which % and \\ mean something (systemd.unit(5), "Specifiers"; systemd.syntax(7), "Quoting").
    ``ConfigError`` for what would begin another line."""
    if re.search(r"[\x00-\x1f\x7f]", word):
        raise ConfigError(f"expected words without line ends and control characters, got {word!r}")
    return shlex.quote(word).replace("\\", "\\\\").replace("%", "%%")
