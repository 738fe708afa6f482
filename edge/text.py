"""Text from elsewhere made fit to be shown: file names may hold any byte, and libraries' errors many lines."""

from __future__ import annotations


def printable(text: str) -> str:
    """``text`` with what cannot be shown escaped, as ``\\x01`` or ``\\udce4``: neither UTF-8 nor XML takes any
    character, and a terminal obeys some."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def one_line(what: object) -> str:
    """What ``what`` says, printable, its blanks and line ends single blanks."""
    return printable(" ".join(str(what).split()))


def first_line(error: BaseException) -> str:
    """What a foreign library's error says, short enough for one of ours; its kind where it says nothing."""
    return printable((str(error).strip().splitlines() or [type(error).__name__])[0])


def software() -> str:
    """``chromo-edge 0.1.0``."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return f"chromo-edge {version('chromo-edge')}"
    except PackageNotFoundError:  # a checkout that was never installed
        return "chromo-edge"
