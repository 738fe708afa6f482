"""Tables as a whole: what they take of the memory."""

from __future__ import annotations

import tracemalloc

from trainer.data.crops import COLUMNS
from trainer.data.tables import Row, parse_table


def test_a_long_table_takes_little_memory() -> None:
    lines = 20_000
    text = "".join(f"c{k // 46}/{k % 46}.png,{k % 22 + 1},cell{k // 46},d{k // 4600},train\n" for k in range(lines))
    data = (",".join(COLUMNS) + "\n" + text).encode()
    peaks = []
    for _ in range(2):  # in one of them Python's table of interned strings may grow by megabytes
        rows: list[Row] = []  # with them go the strings of the first time
        tracemalloc.start()
        try:
            rows = parse_table(data, "crops.csv", COLUMNS)
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
    assert rows[-1].text("file") == f"c{(lines - 1) // 46}/{(lines - 1) % 46}.png"
    assert rows[-1].line == lines + 1
    assert min(peaks) / lines < 450
