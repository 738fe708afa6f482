"""A search of a few tiny trials: killed and taken up, shared by two processes, told in a table and a picture."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

optuna = pytest.importorskip("optuna", reason="the trainer's extras are not installed")
pytest.importorskip("tensorflow", reason="the trainer's extras are not installed")

from edge.errors import ConfigError  # noqa: E402
from tests.trainer.drawn import cutouts_zip  # noqa: E402
from trainer.cli import app  # noqa: E402
from trainer.errors import Diverged  # noqa: E402
from trainer.fit import classifier as fit_module  # noqa: E402
from trainer.run.folder import LOG_FILE, Run  # noqa: E402
from trainer.search import study as search_module  # noqa: E402
from trainer.search.results import markdown, results_of  # noqa: E402
from trainer.search.study import SearchConfig, open_study, search  # noqa: E402
from trainer.search.trials import STOPPED, in_state, lock, revive  # noqa: E402

ROOT = Path(__file__).parents[3]
GRID = ["--rates", "0.001,0.004", "--batches", "2", "--depths", "1", "--samples", "4"]


@pytest.fixture(scope="module")
def cutouts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return cutouts_zip(tmp_path_factory.mktemp("drawn") / "crops.zip", donors=2)


def config(data: Path, method: str = "grid", trials: int = 9, **more: object) -> SearchConfig:
    settings = {"rates": (0.001, 0.004), "batches": (2,), "depths": (1,), **more}
    return SearchConfig((str(data),), method, trials, 4, **settings)  # type: ignore[arg-type]


def start(data: Path, out: Path, *more: str) -> subprocess.Popen[str]:
    words = [sys.executable, "-m", "trainer.cli", "search", str(data), "--out", str(out), *GRID, *more]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    return subprocess.Popen(words, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.fixture
def untrained(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Trials that end at once, with a value of their own: what is tested is how they are dealt out."""
    tried: list[float] = []

    def run_trial(trial: optuna.Trial, setting: search_module.Setting, *_: object) -> float:
        trial.set_user_attr("steps", 1)
        tried.append(setting.rate)
        return 1.0 - setting.rate

    monkeypatch.setattr(search_module, "run_trial", run_trial)
    monkeypatch.setattr(search_module, "prepare_crops", lambda *_: None)
    return tried


def test_two_processes_share_a_study_and_a_killed_one_is_made_up_for(cutouts: Path, tmp_path: Path) -> None:
    out = tmp_path / "search"
    victim = start(cutouts, out)
    while not (out / "trials" / "0000" / "config.json").exists():
        assert victim.poll() is None, victim.communicate()[1]
        time.sleep(0.05)
    victim.send_signal(signal.SIGKILL)
    victim.communicate()

    both = [start(cutouts, out) for _ in range(2)]
    try:
        for process in both:
            _, stderr = process.communicate(timeout=900)
            assert process.returncode == 0, stderr
    finally:
        for process in both:
            process.kill()
    study = open_study(config(cutouts), out, "")
    done = in_state(study, "COMPLETE")
    assert sorted(t.params["rate"] for t in done) == [0.001, 0.004]  # each once
    assert len(in_state(study, "FAIL")) == 1
    assert not in_state(study, "RUNNING", "WAITING")
    assert sorted(p.name for p in (out / "trials").iterdir() if p.is_dir()) == ["0000", "0001"]  # taken up, not anew
    results = json.loads((out / "results.json").read_text())
    assert [row["steps"] for row in results["trials"]] == [2, 2]
    assert results["trials"][0]["val_accuracy"] >= results["trials"][1]["val_accuracy"]
    assert (out / "results.md").read_text().count("\n| ") == 3 + 1
    assert (out / "results.png").read_bytes().startswith(b"\x89PNG")


def test_a_grid_ends_when_it_is_done(cutouts: Path, tmp_path: Path, untrained: list[float]) -> None:
    more = {"rates": (0.1, 0.2, 0.3), "batches": (8, 16)}
    search(config(cutouts, trials=4, **more), tmp_path / "s")
    assert len(untrained) == 4
    study = search(config(cutouts, trials=99, **more), tmp_path / "s")
    assert sorted(untrained) == [0.1, 0.1, 0.2, 0.2, 0.3, 0.3]
    assert study.best_params == {"rate": 0.1, "batch": study.best_params["batch"], "depth": 1}


@pytest.mark.parametrize("method", ["random", "tpe"])
@pytest.mark.parametrize("storage", ["", "sqlite"])
def test_other_methods_draw_between_the_ends(
    cutouts: Path, tmp_path: Path, untrained: list[float], method: str, storage: str
) -> None:
    url = f"sqlite:///{tmp_path}/study.db" if storage else ""
    search(config(cutouts, method, trials=4), tmp_path / "s", url)
    search(config(cutouts, method, trials=5), tmp_path / "s", url)
    assert len(untrained) == len(set(untrained)) == 5
    assert all(0.001 <= rate <= 0.004 for rate in untrained)
    assert (tmp_path / "s" / "study.log").exists() == (not storage)


@pytest.mark.parametrize("method", ["random", "tpe"])
@pytest.mark.parametrize("first", [1, 2])
def test_a_grid_and_what_other_methods_draw_go_into_one_study(
    cutouts: Path, tmp_path: Path, untrained: list[float], method: str, first: int
) -> None:
    search(config(cutouts, trials=first), tmp_path)
    search(config(cutouts, method, trials=4), tmp_path)
    assert {0.001, 0.004} == set(untrained[:2])  # the grid's are tried first
    assert all(0.001 < rate < 0.004 for rate in untrained[2:])
    search(config(cutouts, trials=5), tmp_path)
    assert len(untrained) == 4  # the grid is done


def test_other_data_of_the_same_name_or_corrected_is_another_search(
    cutouts: Path, tmp_path: Path, untrained: list[float]
) -> None:
    search(config(cutouts), tmp_path / "s")
    (tmp_path / "elsewhere").mkdir()
    moved = Path(shutil.copy(cutouts, tmp_path / "elsewhere"))
    search(config(moved), tmp_path / "s")
    cutouts_zip(moved, donors=3)
    with pytest.raises(ConfigError, match=r"search with other settings: contents \(\['\w{8}'\] there"):
        search(config(moved), tmp_path / "s")


def test_only_the_dead_are_revived(cutouts: Path, tmp_path: Path) -> None:
    (tmp_path / "trials").mkdir()
    study = open_study(config(cutouts), tmp_path, "")
    alive, dead, unbegun = study.ask(), study.ask(), study.ask()
    for trial in (alive, dead):
        search_module._draw(trial, config(cutouts))
    with lock(tmp_path / "trials" / "0000.lock"):
        assert revive(study, tmp_path) == 2
    assert [t.number for t in in_state(study, "RUNNING")] == [alive.number]
    again = study.ask()
    assert search_module._folder(again, tmp_path) == tmp_path / "trials" / f"{dead.number:04d}"
    assert again.suggest_float("rate", 0.001, 0.004, log=True) == dead.params["rate"]
    assert not in_state(study, "WAITING"), unbegun  # it was not of the grid and nothing of it was lost


def test_a_table_names_the_trials_that_another_process_is_at(
    cutouts: Path, tmp_path: Path, untrained: list[float]
) -> None:
    (tmp_path / "trials").mkdir()
    (tmp_path / "trials" / "0000.lock").touch()
    theirs = open_study(config(cutouts), tmp_path, "").ask()
    with lock(tmp_path / "trials" / "0000.lock"):
        found = results_of(search(config(cutouts), tmp_path))
    assert (found["running"], [row["trial"] for row in found["trials"]]) == ([theirs.number], [1])
    assert markdown(found).endswith("still running in another process, not in the table: trial 0\n")
    again = results_of(search(config(cutouts), tmp_path))  # its process died
    assert again["running"] == []
    assert "still running" not in markdown(again)
    assert len(again["trials"]) == 2


def begin(data: Path, out: Path) -> optuna.Trial:
    """A trial whose process dies at once."""
    (out / "trials").mkdir(exist_ok=True)
    study = open_study(config(data, "random"), out, "")
    revive(study, out)
    trial = study.ask()
    search_module._draw(trial, config(data, "random"))
    return trial


@pytest.mark.parametrize("stopped", [False, True])
def test_a_trial_that_kills_its_process_is_given_up(
    cutouts: Path, tmp_path: Path, untrained: list[float], stopped: bool
) -> None:
    for _ in range(3):
        trial = begin(cutouts, tmp_path)
        folder = search_module._folder(trial, tmp_path)
        assert folder.name == "0000"
        (folder / "checkpoints").mkdir(parents=True, exist_ok=True)
        if stopped:
            trial.set_user_attr(STOPPED, True)
    found = results_of(search(config(cutouts, "random", trials=2), tmp_path))
    if stopped:  # a person's Ctrl-C is not its fault
        assert found["failed"] == {}
        assert 0 in [row["trial"] for row in found["trials"]]
        return
    assert found["failed"] == {0: "its process died 3 times"}
    assert len(found["trials"]) == 1
    assert markdown(found).endswith("\nfailed: trial 0: its process died 3 times\n")
    assert not (folder / "checkpoints").exists()
    assert json.loads((tmp_path / "results.json").read_text())["failed"] == {"0": "its process died 3 times"}


def test_a_training_that_comes_to_nothing_ends_its_trial_alone(
    cutouts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search_module, "prepare_crops", lambda *_: None)

    def run_trial(trial: optuna.Trial, setting: search_module.Setting, *_: object) -> float:
        trial.set_user_attr("steps", 1)
        if setting.rate > 0.002:
            raise Diverged("trials/0001: the loss is nan at step 50; start over with a smaller --rate and --fresh")
        return 0.5

    monkeypatch.setattr(search_module, "run_trial", run_trial)
    found = results_of(search(config(cutouts), tmp_path))
    assert [row["rate"] for row in found["trials"]] == [0.001]
    assert list(found["failed"].values()) == ["trials/0001: the loss is nan at step 50"]


def test_a_search_that_comes_to_nothing_fails(
    cutouts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, untrained: list[float]
) -> None:
    def run_trial(*_: object) -> float:
        raise Diverged("trials/0000: the loss is nan at step 50; start over with a smaller --rate and --fresh")

    words = ["search", str(cutouts), "--out", str(tmp_path), *GRID, "--trials"]
    with monkeypatch.context() as broken:
        broken.setattr(search_module, "run_trial", run_trial)
        done = CliRunner().invoke(app, [*words, "1"])
    assert isinstance(done.exception, ConfigError)
    assert done.stdout.endswith("\nfailed: trial 0: trials/0000: the loss is nan at step 50\n")
    assert "got 1 that failed, first trial 0: trials/0000: the loss is nan at step 50; give" in str(done.exception)
    assert CliRunner().invoke(app, [*words, "2"]).exit_code == 0  # another comes to something


def test_a_folder_that_fails_ends_the_search_and_no_trial(
    cutouts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, untrained: list[float]
) -> None:
    def run_trial(*_: object) -> float:
        raise ConfigError("trials/0001 cannot be used: Stale file handle; choose another --out")

    with monkeypatch.context() as broken:
        broken.setattr(search_module, "run_trial", run_trial)
        with pytest.raises(ConfigError, match="Stale file handle"):
            search(config(cutouts), tmp_path)
    found = results_of(search(config(cutouts), tmp_path))
    assert (len(found["trials"]), found["failed"]) == (2, {})


def test_a_revived_trial_is_told_by_its_folder_and_with_all_its_time(
    cutouts: Path, tmp_path: Path, untrained: list[float]
) -> None:
    dead = begin(cutouts, tmp_path)
    folder = search_module._folder(dead, tmp_path)
    folder.mkdir()
    (folder / LOG_FILE).write_text("step\n")
    later = time.time() + 100
    os.utime(folder / LOG_FILE, (later, later))
    (row,) = results_of(search(config(cutouts, "random", trials=1), tmp_path))["trials"]
    assert row["trial"] == 0
    assert 99 < row["seconds"] < 130


def test_a_trials_checkpoints_stay_until_the_study_knows_of_it(
    cutouts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fit(config: Any, folder: Path, resume: bool) -> None:
        Run.open(folder, asdict(config), resume).log(1, val_accuracy=0.5)

    def killed(*_: object, **__: object) -> None:
        raise SystemExit

    monkeypatch.setattr(fit_module, "fit_classifier", fit)
    with monkeypatch.context() as patch:
        patch.setattr(optuna.Study, "tell", killed)
        with pytest.raises(SystemExit):
            search(config(cutouts), tmp_path)
    folder = tmp_path / "trials" / "0000"
    assert (folder / "checkpoints").is_dir()
    assert (folder / "train.npz").exists()
    search(config(cutouts), tmp_path)
    assert not (folder / "checkpoints").exists()
    assert not (folder / "train.npz").exists()


def test_what_cannot_be_searched(cutouts: Path, tmp_path: Path, untrained: list[float]) -> None:
    search(config(cutouts), tmp_path / "s")
    with pytest.raises(ConfigError, match=r"search with other settings: depths \(\[1\] there, \[4\] now\)"):
        search(config(cutouts, depths=(4,)), tmp_path / "s")
    with pytest.raises(ConfigError, match=r"--storage nonsense: cannot be opened as an Optuna storage"):
        search(config(cutouts), tmp_path / "s", "nonsense")
    with pytest.raises(ConfigError, match="--depths must be numbers above 0"):
        config(cutouts, depths=(0, 1))


def test_a_killed_trial_goes_on_where_the_data_lie_elsewhere(
    cutouts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def fit(config: Any, folder: Path, resume: bool) -> None:
        seen.append(asdict(config))
        run = Run.open(folder, asdict(config), resume)
        run.log(1, val_accuracy=0.5)
        if len(seen) == 1:
            raise KeyboardInterrupt
        (folder / "checkpoints").mkdir(exist_ok=True)

    monkeypatch.setattr(fit_module, "fit_classifier", fit)
    config = SearchConfig((str(cutouts),), "grid", 1, 8, rates=(1e-3,), batches=(8,), depths=(1,))
    with pytest.raises(KeyboardInterrupt):
        search(config, tmp_path / "out")
    elsewhere = tmp_path / "elsewhere" / cutouts.name
    elsewhere.parent.mkdir()
    elsewhere.write_bytes(cutouts.read_bytes())
    search(replace(config, data=(str(elsewhere),)), tmp_path / "out")
