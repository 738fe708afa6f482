"""The systemd unit that runs ``chromo-edge run`` from power-on, in a sandbox, started again whenever it ends."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from pathlib import Path

from edge.errors import ConfigError

UNIT_PATH = Path("/etc/systemd/system/chromo-edge.service")
STATE = "/var/lib/chromo-edge"

_UNIT = """\
# Written by 'chromo-edge install-service'.
[Unit]
Description=chromo-edge: a label on every chromosome
Documentation=man:systemd.exec(5)
# Months of running: a fault that comes again and again must not end the tries.
StartLimitIntervalSec=0

[Service]
Type=notify
ExecStart={command}
User={user}
SupplementaryGroups=video plugdev
Restart=always
RestartSec=2
TimeoutStartSec=120
TimeoutStopSec=10
# The labelling says that it is not stuck; see edge/board/notify.py.
WatchdogSec=30
NotifyAccess=main
StateDirectory=chromo-edge
CacheDirectory=chromo-edge
WorkingDirectory={state}
Environment=XDG_CACHE_HOME=/var/cache/chromo-edge
# Homes are read-only here.
Environment=CHROMO_CASES={state}/cases
Environment=PYTHONUNBUFFERED=1
UMask=0077
MemoryMax=1G
TasksMax=128

# Only cameras, Edge TPU and GPU.
DevicePolicy=closed
DeviceAllow=char-video4linux rw
DeviceAllow=char-media rw
DeviceAllow=char-usb_device rw
DeviceAllow=char-dma_heap rw
DeviceAllow=char-drm rw
DeviceAllow=char-apex rw
# Nobody but this machine; --listen at the installation adds others.
IPAddressDeny=any
IPAddressAllow=localhost{listen}
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK

NoNewPrivileges=yes
CapabilityBoundingSet=
AmbientCapabilities=
ProtectSystem=strict
ProtectHome=read-only
PrivateTmp=yes
ProtectClock=yes
ProtectControlGroups=yes
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


def unit_text(program: Sequence[str], *, user: str, listen: Sequence[str] = ()) -> str:
    """The unit. ``program``: the command and its words; ``listen``: networks that may connect, such as
    ``192.168.1.0/24``. ``ConfigError`` for a user or a network that is none."""
    if not re.fullmatch(r"[a-z_][a-z0-9_-]*\$?", user):
        raise ConfigError(f"expected --user NAME of a user of this machine, got {user!r}")
    for network in listen:
        if not re.fullmatch(r"[0-9a-fA-F:.]+(/\d{1,3})?|link-local|any", network):
            raise ConfigError(f"expected --listen NETWORK as in 192.168.1.0/24, got {network!r}")
    return _UNIT.format(
        command=" ".join(_quoted(word) for word in program),
        user=user,
        state=STATE,
        listen="".join(f" {network}" for network in listen),
    )


def _quoted(word: str) -> str:
    """A word of ``ExecStart=``, in which % and $ mean something (systemd.service(5), "Command lines")."""
    return shlex.quote(word).replace("%", "%%").replace("$", "$$")
