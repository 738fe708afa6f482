"""Where things are found when nobody says, and the settings file."""

from __future__ import annotations

import difflib
import getpass
import os
import sysconfig
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from edge.errors import ConfigError

MODELS_VARIABLE = "CHROMO_MODELS"
CASES_VARIABLE = "CHROMO_CASES"


def default_models_dir() -> Path:
    """``$CHROMO_MODELS``; else ``models/`` beside the package (a checkout); else those that came with the wheel; else
    ``models/`` in the current folder."""
    named = os.environ.get(MODELS_VARIABLE)
    if named:
        return Path(named)
    beside = Path(__file__).resolve().parent.parent / "models"
    schemes = (sysconfig.get_default_scheme(), sysconfig.get_preferred_scheme("user"))
    shipped = (Path(sysconfig.get_path("data", scheme)) / "share" / "chromo-edge" / "models" for scheme in schemes)
    # Not just any folder of that name: in site-packages it may be another program's.
    return next((folder for folder in (beside, *shipped) if (folder / "locator").is_dir()), Path("models"))


def default_cases_dir() -> Path:
    """``$CHROMO_CASES``; else ``chromo-edge/cases`` among the user's own data (``$XDG_DATA_HOME``)."""
    named = os.environ.get(CASES_VARIABLE)
    if named:
        return Path(named)
    data = os.environ.get("XDG_DATA_HOME")
    return (Path(data) if data else _home(CASES_VARIABLE) / ".local" / "share") / "chromo-edge" / "cases"


def default_state_dir() -> Path:
    """Where a run leaves what the next one is to know: ``$STATE_DIRECTORY``, which systemd gives a service; else
    ``chromo-edge`` in ``$XDG_STATE_HOME``."""
    given = os.environ.get("STATE_DIRECTORY")
    if given:
        return Path(given.partition(":")[0])
    state = os.environ.get("XDG_STATE_HOME")
    return (Path(state) if state else _home("XDG_STATE_HOME") / ".local" / "state") / "chromo-edge"


def user_name() -> str:
    """The user's own; "" where the system has no name for them, as in a container that runs under a bare number."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # OSError from Python 3.13 on
        return ""


def _home(variable: str) -> Path:
    """The user's own folder; ``ConfigError``, which names the ``variable`` that does without, if there is none."""
    try:
        return Path.home()
    except RuntimeError:
        raise ConfigError(f"user {os.getuid()} has no home folder; say where with ${variable} or $HOME") from None


CONFIG_VARIABLE = "CHROMO_CONFIG"
CONFIG_FILE = "chromo-edge.toml"
CONFIG_PLACES = (Path(CONFIG_FILE), Path("/etc/chromo-edge") / CONFIG_FILE)
_MOST_CONFIG_BYTES = 1_000_000


class Option(Protocol):
    """What ``read_config`` must know of a command's option: its words and how it takes a value (click's Parameter)."""

    @property
    def name(self) -> str | None: ...

    def process_value(self, ctx: Any, value: Any) -> Any: ...


def find_config(named: Path | None) -> Path | None:
    """``named``; else ``$CHROMO_CONFIG``; else the first of ``CONFIG_PLACES`` that is there; else None."""
    variable = os.environ.get(CONFIG_VARIABLE)
    if named is not None or variable:
        return named or Path(str(variable))
    return next((path for path in CONFIG_PLACES if _may_be(path)), None)


def _may_be(path: Path) -> bool:
    """Whether a file is at ``path``, or none can tell: settings that are not seen must not be passed over."""
    try:
        return path.is_file()
    except OSError:
        return True


def read_config(path: Path, commands: Mapping[str, Mapping[str, Option]], context: Any) -> dict[str, dict[str, Any]]:
    """The options that a TOML file sets: a table a command, a key an option (``um-per-px`` or ``um_per_px``).

    ::

        [run]
        source = "/dev/video0"
        um-per-px = 0.045

    ``commands``: command to option to what checks its value. Raises ``ConfigError``, naming file and key, for what
    cannot be read, for an unknown command or option (with the nearest known one) and for a value that does not fit.
    """
    try:
        with path.open("rb") as file:  # a device would be read until the memory ends
            content = file.read(_MOST_CONFIG_BYTES + 1)
        if len(content) > _MOST_CONFIG_BYTES:
            raise ConfigError(
                f"{path}: expected settings of at most {_MOST_CONFIG_BYTES} bytes, got more; check --config"
            )
        tables = tomllib.loads(content.decode("utf-8-sig"))
    except OSError as error:
        raise ConfigError(
            f"{path}: the settings cannot be read: {error.strerror}; check the path and who may read it"
        ) from error
    except RecursionError as error:
        raise ConfigError(
            f"{path}: expected TOML, cannot read it: its values are nested too deeply; correct it"
        ) from error
    except ValueError as error:  # what tomllib and the decoder raise
        raise ConfigError(f"{path}: expected TOML, cannot read it: {error}; correct it") from error
    found: dict[str, dict[str, Any]] = {}
    for command, keys in tables.items():
        _check_known(path, command, commands, "[{}]")
        if not isinstance(keys, dict):
            raise ConfigError(f"{path}: expected a table [{command}], got {command} = {keys!r}")
        found[command] = {}
        for key, value in keys.items():
            known = {name.replace("_", "-"): option for name, option in commands[command].items()}
            spelled = key.replace("_", "-")
            _check_known(path, spelled, known, f"[{command}] {{}}")
            try:
                read = known[spelled].process_value(context, value)
            except Exception as error:  # click's own, whose class differs between typer's versions
                said = getattr(error, "message", None) or str(error)
                got = "" if " got " in said else f"; got {value!r}"
                raise ConfigError(f"{path}: [{command}] {key}: {said.rstrip('.')}{got}") from None
            _check_kind(f"{path}: [{command}] {key}", value, read)
            name = str(known[spelled].name)
            if name in found[command]:
                raise ConfigError(f"{path}: [{command}] {spelled} is set twice, in two spellings; keep one")
            found[command][name] = value
    return found


def _check_kind(where: str, value: object, read: object) -> None:
    """Raises ``ConfigError`` where ``read`` is not what ``value`` says: true as 1.0, 24.10 as "24.1"."""
    if isinstance(read, list | tuple) and isinstance(value, list):
        for one, of_it in zip(value, read, strict=False):
            _check_kind(where, one, of_it)
    elif isinstance(read, bool) and not isinstance(value, bool):
        raise ConfigError(f"{where}: expected true or false, got {value!r}")
    elif isinstance(read, int | float) and isinstance(value, bool) and not isinstance(read, bool):
        raise ConfigError(f"{where}: expected a number, got {str(value).lower()}")
    elif isinstance(read, str | Path) and not isinstance(value, str):
        raise ConfigError(f"{where}: expected text, got {value!r}; write it in quotes")


def _check_known(path: Path, key: str, known: Mapping[str, object], form: str) -> None:
    if key not in known:
        near = difflib.get_close_matches(key, known, 1)
        hint = f"did you mean {form.format(near[0])}?" if near else f"known are {', '.join(sorted(known))}"
        raise ConfigError(f"{path}: unknown setting {form.format(key)}; {hint}")
