"""A run folder through what happens to run folders: kills, flipped bytes, other settings."""

import csv
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from edge.errors import ConfigError, SinkError
from trainer.run.folder import Run, RunWarning

tf = pytest.importorskip("tensorflow", reason="the trainer's extras are not installed")

LOOP = """
import sys, time
from pathlib import Path
import tensorflow as tf
from trainer.run.folder import Run

run = Run.open(Path(sys.argv[1]), {"seed": 1}, resume=True)
weight = tf.Variable(0.0)
step = run.restore(weight=weight)
print("from", step, float(weight), flush=True)
while step < int(sys.argv[2]):
    step += 1
    weight.assign_add(1.0)
    run.log(step, loss=1.0 / step)
    if step % 5 == 0:
        run.save(step, weight=weight)
    if step == 12 and len(sys.argv) > 3:
        print("waiting", flush=True)
        time.sleep(60)
run.draw_curves()
print("done", step, float(weight), flush=True)
"""


def steps(folder: Path) -> list[int]:
    with (folder / "log.csv").open() as file:
        return [int(row["step"]) for row in csv.DictReader(file)]


def three_checkpoints(folder: Path) -> Run:
    run = Run.open(folder, {"seed": 1}, resume=True)
    for step in (10, 20, 30, 40):
        run.log(step, loss=1.0 / step)
        run.save(step, weight=tf.Variable([float(step)] * 64))
    return run


def newest_data(folder: Path) -> Path:
    return next((folder / "checkpoints" / "00000040").glob("*.data-*"))


def test_kill_in_the_middle_then_the_same_command_resumes(tmp_path: Path) -> None:
    command = [sys.executable, "-c", LOOP, str(tmp_path / "run"), "20"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3]), "TF_CPP_MIN_LOG_LEVEL": "3"}
    first = subprocess.Popen([*command, "wait"], stdout=subprocess.PIPE, text=True, env=environment)
    assert first.stdout is not None
    assert first.stdout.readline() == "from 0 0.0\n"
    assert first.stdout.readline() == "waiting\n"
    first.send_signal(signal.SIGKILL)
    first.communicate()
    assert steps(tmp_path / "run") == list(range(1, 13))

    second = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    assert second.stdout == "from 10 10.0\ndone 20 20.0\n"
    assert steps(tmp_path / "run") == list(range(1, 21))
    assert (tmp_path / "run" / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_a_second_process_is_refused_while_one_is_at_work(tmp_path: Path) -> None:
    run = tmp_path / "run"
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3]), "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-c", LOOP, str(run), "20", "wait"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as first:
        try:
            assert first.stdout is not None
            while first.stdout.readline() != "waiting\n":
                assert first.poll() is None
            for resume in (True, False):
                with pytest.raises(ConfigError, match="another process is at work in it"):
                    Run.open(run, {"seed": 1}, resume)
        finally:
            first.kill()
    assert steps(run) == list(range(1, 13))
    again = [Run.open(run, {"seed": 1}, resume=True) for _ in range(2)]  # within one process they share the folder
    assert again[0].restore(weight=tf.Variable(0.0)) == 10


def test_model_and_optimizer_come_back(tmp_path: Path) -> None:
    keras = pytest.importorskip("tf_keras")

    def build() -> tuple[object, object]:
        keras.utils.set_random_seed(3)
        model = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(2)])
        model.compile(keras.optimizers.Adam(0.1), "mse")
        return model, model.optimizer

    run = Run.open(tmp_path, {}, resume=True)
    x, y = tf.ones((8, 4)), tf.zeros((8, 2))
    model, optimizer = build()
    model.train_on_batch(x, y)
    run.save(1, model=model, optimizer=optimizer)
    straight_on = [float(model.train_on_batch(x, y)) for _ in range(3)]
    model, optimizer = build()
    assert run.restore(model=model, optimizer=optimizer) == 1
    assert [float(model.train_on_batch(x, y)) for _ in range(3)] == straight_on


def test_keeps_the_last_three_and_restores_the_newest(tmp_path: Path) -> None:
    run = three_checkpoints(tmp_path)
    assert sorted(p.name for p in (tmp_path / "checkpoints").iterdir()) == ["00000020", "00000030", "00000040"]
    weight = tf.Variable([0.0] * 64)
    assert run.restore(weight=weight) == 40
    assert float(weight[0]) == 40.0


@pytest.mark.parametrize("damage", ["flip", "truncate", "no_data", "no_index"])
def test_damaged_newest_falls_back_to_the_one_before(tmp_path: Path, damage: str) -> None:
    run = three_checkpoints(tmp_path)
    data = newest_data(tmp_path)
    if damage == "flip":
        changed = bytearray(data.read_bytes())
        changed[len(changed) // 2] ^= 0x40
        data.write_bytes(changed)
    elif damage == "truncate":
        data.write_bytes(data.read_bytes()[:50])
    elif damage == "no_data":
        data.unlink()
    else:
        (data.parent / "state.index").unlink()
    weight = tf.Variable([0.0] * 64)
    with pytest.warns(RunWarning, match=r"00000040 is damaged") as caught:
        assert run.restore(weight=weight) == 30
    assert len(caught) == 1
    assert "\n" not in str(caught[0].message)
    assert float(weight[0]) == 30.0
    assert steps(tmp_path) == [10, 20, 30]


def test_all_damaged_is_one_clear_error(tmp_path: Path) -> None:
    run = three_checkpoints(tmp_path)
    for data in tmp_path.glob("checkpoints/*/*.data-*"):
        data.write_bytes(b"")
    with (
        pytest.warns(RunWarning),
        pytest.raises(ConfigError, match="none of 3 checkpoints is readable; start with --fresh"),
    ):
        run.restore(weight=tf.Variable([0.0] * 64))


def test_another_network_is_refused(tmp_path: Path) -> None:
    run = three_checkpoints(tmp_path)
    with pytest.raises(ConfigError, match="another network"):
        run.restore(weight=tf.Variable([0.0] * 3))
    with pytest.raises(ConfigError, match="another network"):
        run.restore(other=tf.Variable([0.0] * 64))


def test_half_written_checkpoint_is_not_seen(tmp_path: Path) -> None:
    run = three_checkpoints(tmp_path)
    (tmp_path / "checkpoints" / ".00000050.part").mkdir()
    assert run.restore(weight=tf.Variable([0.0] * 64)) == 40


def test_other_settings_are_named(tmp_path: Path) -> None:
    Run.open(tmp_path, {"seed": 1, "data": Path("a"), "widths": (1, 2)}, resume=True).log(1, loss=2.0)
    Run.open(tmp_path, {"seed": 1, "data": Path("a"), "widths": (1, 2)}, resume=True)
    with pytest.raises(ConfigError, match=r"batch \(absent there, 8 now\), seed \(1 there, 2 now\); give the same"):
        Run.open(tmp_path, {"seed": 2, "data": Path("a"), "widths": (1, 2), "batch": 8}, resume=True)


def test_a_run_that_never_began_takes_other_settings(tmp_path: Path) -> None:
    """The data were misspelled: the right command must not need --fresh."""
    Run.open(tmp_path, {"data": "misspelled"}, resume=True)
    Run.open(tmp_path, {"data": "right"}, resume=True)
    assert json.loads((tmp_path / "config.json").read_text()) == {"data": "right"}


def test_a_run_that_never_began_keeps_its_crops_for_the_same_settings_only(tmp_path: Path) -> None:
    """Crops take long to cut, and those of other data must not be learned from."""
    for name in ("train.npz", "val.npz"):
        (tmp_path / name).write_text("put there before the run")
    for _ in range(2):
        Run.open(tmp_path, {"data": "a"}, resume=True)
        assert {path.name for path in tmp_path.glob("*.npz")} == {"train.npz", "val.npz"}
    Run.open(tmp_path, {"data": "b"}, resume=True)
    assert not list(tmp_path.glob("*.npz"))


@pytest.mark.parametrize("resume", [True, False])
@pytest.mark.parametrize(
    ("name", "content"),
    [("bundle.json", "{}"), ("config.json", '{"lr": 0.1}'), ("log.csv", "step,loss\n1,2\n"), ("locator.keras", "")],
)
def test_what_is_no_runs_is_left_alone(tmp_path: Path, name: str, content: str, resume: bool) -> None:
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "best.pt").write_text("precious")
    (tmp_path / name).write_text(content)
    with pytest.raises(ConfigError, match=rf"expected a new folder or that of a run, got a {name} of something else"):
        Run.open(tmp_path, {"data": "a", "steps": 3, "seed": 1}, resume)
    assert (tmp_path / name).read_text() == content
    (tmp_path / name).unlink()
    Run.open(tmp_path, {"data": "a", "steps": 3, "seed": 1}, resume)
    assert (tmp_path / "checkpoints" / "best.pt").exists()


def test_a_run_knows_its_data_by_name_and_content(tmp_path: Path) -> None:
    Run.open(tmp_path, {}, resume=True, data=[("a", "11111111")])
    Run.open(tmp_path, {}, resume=True, data=[("a", "22222222"), ("b", "33333333")]).log(1, loss=2.0)  # now it begins
    Run.open(tmp_path, {}, resume=True, data=[("b", "33333333")])
    with pytest.raises(ConfigError, match=r"expected what .*, a \(22222222\), b .*; got a \(11111111\), "):
        Run.open(tmp_path, {}, resume=True, data=[("a", "11111111")])
    (tmp_path / "data.json").write_text("[1")
    with pytest.raises(ConfigError, match=r"data\.json: expected names and stamps of sets .* or --fresh"):
        Run.open(tmp_path, {}, resume=True, data=[("a", "22222222")])
    Run.open(tmp_path, {}, resume=False)
    assert not (tmp_path / "data.json").exists()


def test_a_checkpoint_that_the_disk_does_not_take(tmp_path: Path) -> None:
    run = three_checkpoints(tmp_path)
    (tmp_path / "checkpoints" / "00000050").write_text("in the way of the last rename")
    with pytest.raises(SinkError, match=r"cannot write the checkpoint .*00000050: .*it goes on from the one before"):
        run.save(50, weight=tf.Variable([5.0] * 64))
    (tmp_path / "checkpoints" / "00000050").unlink()
    assert not list((tmp_path / "checkpoints").glob(".*"))
    assert run.restore(weight=tf.Variable([0.0] * 64)) == 40


@pytest.mark.parametrize("log", [b"a,b\n1,2\n", b"\xff\xfe\n1\n"])
def test_a_log_of_something_else(tmp_path: Path, log: bytes) -> None:
    run = three_checkpoints(tmp_path)
    (tmp_path / "log.csv").write_bytes(log)
    with pytest.raises(ConfigError, match=r"log\.csv: expected a run's log with a column step; start with --fresh"):
        run.restore(weight=tf.Variable([0.0] * 64))


def test_fresh_removes_the_run_and_nothing_else(tmp_path: Path) -> None:
    three_checkpoints(tmp_path)
    (tmp_path / "notes.txt").write_text("mine")
    run = Run.open(tmp_path, {"seed": 2}, resume=False)
    assert run.restore(weight=tf.Variable([0.0] * 64)) == 0
    assert run.history() == {}
    assert (tmp_path / "notes.txt").read_text() == "mine"
    assert json.loads((tmp_path / "config.json").read_text()) == {"seed": 2}


def test_fresh_removes_crops_and_networks(tmp_path: Path) -> None:
    three_checkpoints(tmp_path)
    (tmp_path / "pruned").mkdir()
    for name in ("train.npz", "val.npz", "classifier.keras", "classifier.h5", "mine.keras", "pruned/classifier.keras"):
        (tmp_path / name).write_text("old")
    Run.open(tmp_path, {"seed": 2}, resume=False)
    kept = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file())
    assert kept == ["config.json", "mine.keras", "pruned/classifier.keras"]


@pytest.mark.parametrize("setting", ["start", "teachers", "run"])
def test_fresh_leaves_what_is_to_be_learned_from(tmp_path: Path, setting: str) -> None:
    weights = tmp_path / "classifier.keras"
    weights.write_text("old")
    named = {"start": weights, "teachers": [weights], "run": tmp_path}[setting]
    with pytest.raises(ConfigError, match="is to be learned from, and --fresh would remove it"):
        Run.open(tmp_path, {setting: named}, resume=False)
    assert weights.read_text() == "old"


def test_truncated_config_is_one_clear_error(tmp_path: Path) -> None:
    Run.open(tmp_path, {"seed": 1}, resume=True).log(1, loss=2.0)
    (tmp_path / "config.json").write_text('{"seed": ')
    with pytest.raises(ConfigError, match=r"config\.json is not readable as JSON .*start with --fresh"):
        Run.open(tmp_path, {"seed": 1}, resume=True)


def test_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("")
    with pytest.raises(ConfigError, match="cannot be used"):
        Run.open(tmp_path / "run", {}, resume=True)


def test_log_takes_new_columns_and_drops_a_torn_line(tmp_path: Path) -> None:
    run = Run.open(tmp_path, {}, resume=True)
    run.log(1, loss=0.5)
    run.log(2, loss=0.25, val_loss=0.75)
    with (tmp_path / "log.csv").open("a") as file:
        file.write("3,0.1")
    run.log(3, loss=0.125)
    assert (tmp_path / "log.csv").read_text() == "step,loss,val_loss\n1,0.5,\n2,0.25,0.75\n3,0.125,\n"
    assert run.history() == {"loss": [(1, 0.5), (2, 0.25), (3, 0.125)], "val_loss": [(2, 0.75)]}
