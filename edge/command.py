"""What every command line here does with a failure: one ``error:`` line on stderr and an exit code.

=====  ==================================================================
0      done
1      a failure of the system: out of memory, a full disk, a closed pipe; a check of ``doctor`` that failed
2-9    ``edge.errors`` and ``trainer.errors``; 2 also for a wrong option
70     a bug
130    interrupted with Ctrl-C
=====  ==================================================================

With ``--debug`` among the words, the failure's traceback is shown instead.
"""

from __future__ import annotations

import io
import logging
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

import typer

from edge.errors import ChromoError, ConfigError
from edge.text import one_line

EXIT_SYSTEM, EXIT_BUG, EXIT_INTERRUPTED = 1, 70, 130


def run_app(app: typer.Typer, name: str, argv: Sequence[str] | None) -> int:
    """Run ``app`` as program ``name`` over ``argv`` (None: the process's own words); returns the exit code.

    Warnings become one ``warning:`` line each, said once.
    """
    words = list(sys.argv[1:] if argv is None else argv) or ["--help"]
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a closed one is None
            with suppress(OSError):  # one that says that it can seek and cannot, as some devices do
                stream.reconfigure(errors="backslashreplace")  # a locale that lacks a letter must not end the work
    logging.getLogger("PIL").setLevel(logging.CRITICAL)  # what it says of a damaged picture, our own line says, too
    try:
        with _warnings_in_one_line():
            code = app(args=words, prog_name=name, standalone_mode=False)
        if code == EXIT_INTERRUPTED:  # newer typer's Ctrl-C; the older one raises Abort
            raise typer.Abort
        return code if isinstance(code, int) else 0
    except (Exception, KeyboardInterrupt) as error:
        if "--debug" in words:
            raise
        message, code = explain(error, name)
        print(f"error: {message}", file=sys.stderr)
        return code


def explain(error: BaseException, name: str) -> tuple[str, int]:
    """The line and the exit code for ``error`` in program ``name``."""
    if isinstance(error, ChromoError):
        return one_line(error), error.exit_code
    if isinstance(error, typer.Abort | KeyboardInterrupt):  # what Ctrl-C becomes, and what it is before typer runs
        return "interrupted; what was done until now is kept", EXIT_INTERRUPTED
    if hasattr(error, "format_message"):  # typer's own: an unknown option, a missing argument
        said = one_line(error.format_message()).rstrip(".") or "Missing command"  # its help was printed
        return f"{said}. See {name} --help", ConfigError.exit_code
    if isinstance(error, MemoryError):
        return "out of memory; close other programs or use smaller pictures or batches", EXIT_SYSTEM
    if isinstance(error, PermissionError) and isinstance(error.filename, str):
        mend = "give this user the right to it and the folders above, or name another"
        return f"{one_line(error.filename)}: cannot be used: {error.strerror}; {mend}", EXIT_SYSTEM
    if isinstance(error, OSError):
        return f"{one_line(error)}; see to that file, its disk or what takes the output", EXIT_SYSTEM
    return f"{type(error).__name__}: {one_line(error)}; this is a bug in {name}, --debug shows where", EXIT_BUG


@contextmanager
def _warnings_in_one_line() -> Iterator[None]:
    said: set[str] = set()  # once a command: a set is read several times

    def show(message: Warning | str, *_: object, **__: object) -> None:
        line = f"warning: {one_line(message)}"
        if line not in said:
            said.add(line)
            print(line, file=sys.stderr)

    before = warnings.showwarning
    warnings.showwarning = show
    try:
        yield
    finally:
        warnings.showwarning = before
