"""Accelerators that are absent, hang, crash, lie: the labels' numbers stay the CPU's, and it is said.

The child processes, the runtime and its ``load_delegate`` are real; the library that it loads is delegate.c.
"""

from __future__ import annotations

import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from edge.errors import BundleMismatch, ConfigError, DelegateUnavailable
from edge.runtime import worker
from edge.runtime.bundle import TASKS, load_bundle
from edge.runtime.delegate import load
from edge.runtime.guarded import ANSWER_S, Acceleration, Accelerator, GuardedNetwork, acceleration
from edge.runtime.interpreter import Network
from edge.runtime.network import ON_CPU, PictureNetwork, compiled_models, networks_on
from tests.edge.runtime.compiled import compile_beside, compiled_beside
from tests.edge.runtime.pictures import pixels

HERE = Path(__file__).parent
TINY = HERE.parent / "tiny"
MODEL = (HERE / "tiny.tflite").read_bytes()
TRIES = 20
LONG_S = 60.0

Make = Callable[..., Accelerator]
Guard = Callable[..., GuardedNetwork]


@pytest.fixture
def make() -> Iterator[Make]:
    made: list[Accelerator] = []

    def make(*fault: str, **options: float) -> Accelerator:
        command = (sys.executable, "-m", "tests.edge.runtime.faulty_worker", *fault)
        if not fault:
            command = (sys.executable, "-m", "edge.runtime.worker")
        options = {"start_s": LONG_S, "answer_s": LONG_S} | options
        made.append(Accelerator("edgetpu", command=command, **options))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for accelerator in made:
        accelerator.close()


def guarded(accelerator: Accelerator, name: str = "locator") -> GuardedNetwork:
    accelerator.join(name, (MODEL, ".tflite", 1))
    return GuardedNetwork(name, accelerator, Network(MODEL, 1))


@pytest.fixture
def guard(make: Make) -> Guard:
    """Makes one network on an accelerator of its own."""
    return lambda *fault, **options: guarded(make(*fault, **options))


def settle(network: GuardedNetwork) -> None:
    """Asks until the accelerator computes or has failed."""
    deadline_s = time.monotonic() + LONG_S
    before = network._accelerator.failures
    while not network.accelerated and network._accelerator.failures == before and time.monotonic() < deadline_s:
        network.run_uint8(pixels(1))
        time.sleep(0.01)


def agrees(network: PictureNetwork) -> bool:
    found, right = network.run_uint8(pixels()), Network(MODEL, 1).run_uint8(pixels())
    return all(np.array_equal(found[name], right[name]) for name in right)


def test_it_works_and_its_answers_are_the_cpus(guard: Guard, caplog: pytest.LogCaptureFixture) -> None:
    network = guard("none", "0")
    assert network.status == "locator on cpu: edgetpu is starting"
    assert agrees(network)  # at once, on the CPU
    settle(network)
    assert network.accelerated
    assert network.status == "locator on edgetpu"
    assert acceleration() == Acceleration("edgetpu", {"locator": True}, 0)
    assert "as the CPU does" in caplog.text
    for n in (1, 46, 2):
        assert network.run_uint8(pixels(n))["scores"].shape == (n, 5)
    assert agrees(network)
    real = network.run(pixels()[..., None] / 255.0)
    np.testing.assert_array_equal(real["map"], network.run_uint8(pixels())["map"])
    assert network._accelerator.failures == 0


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("hang", "did not answer within 0.3 s"),
        ("crash", "was killed by signal 11"),
        ("throw", "gave up: EdgeTpuDelegateForCustomOp failed to invoke"),
        ("stop", "did not answer within 0.3 s"),
        ("nan", "gave NaN or infinite numbers"),
    ],
)
def test_what_goes_wrong_at_work(guard: Guard, caplog: pytest.LogCaptureFixture, fault: str, said: str) -> None:
    network = guard(fault, "2", answer_s=LONG_S)
    settle(network)
    assert network.accelerated
    network._accelerator._answer_s = 0.3 if fault in ("hang", "stop") else LONG_S
    assert agrees(network)
    assert not network.accelerated
    assert network.status == f"locator on cpu: edgetpu {said}"
    assert acceleration() == Acceleration("edgetpu", {"locator": False}, 1)
    assert f"edgetpu {said}; working on the CPU, next try in 2 s" in caplog.text
    assert agrees(network)


def test_an_answer_that_nobody_waited_for_is_nobody_elses(guard: Guard, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C ends the labelling of a frame, while the page may still ask for a capture."""
    network = guard("none", "0")
    settle(network)

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(worker, "receive", interrupted)
        with pytest.raises(KeyboardInterrupt):
            network.run_uint8(pixels()[::-1])
    assert agrees(network)
    settle(network)
    assert agrees(network)


@pytest.mark.parametrize("fault", ["wrong", "nan"])
def test_other_answers_than_the_cpus_are_never_used(guard: Guard, fault: str) -> None:
    network = guard(fault, "1")
    settle(network)
    assert not network.accelerated
    assert "gives other answers than the CPU" in network.status
    assert agrees(network)


@pytest.mark.parametrize(("difference", "taken"), [(0.0, True), (0.04, True), (0.06, False)])
def test_how_far_an_answer_may_lie_from_the_cpus(
    guard: Guard, monkeypatch: pytest.MonkeyPatch, difference: float, taken: bool
) -> None:
    """As a share of the range of the CPU's; the accelerator is the same model, so the CPU is the one to move."""
    network = guard("none", "0")

    def moved(pixels: np.ndarray) -> dict[str, np.ndarray]:
        right = Network(MODEL, 1).run_uint8(pixels)
        return {name: values + np.float32(difference * np.ptp(values)) for name, values in right.items()}

    monkeypatch.setattr(network._cpu, "run_uint8", moved)
    settle(network)
    assert network.accelerated is taken


def test_an_answer_of_a_child_that_is_gone_proves_nothing(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    """While the CPU checks the first answer a further network joins, and the child is started again."""
    accelerator = make("none", "0")
    network = guarded(accelerator)
    deadline_s = time.monotonic() + LONG_S
    while (child := accelerator._child) is None or not child.ready:
        network._accelerator._ready_for("locator")
        assert time.monotonic() < deadline_s
        time.sleep(0.01)

    def on_cpu() -> dict[str, np.ndarray]:
        accelerator.join("separator", (MODEL, ".tflite", 1))
        return Network(MODEL, 1).run_uint8(pixels())

    accelerator.compute("locator", "run_uint8", pixels(), on_cpu)
    assert child.proven == set()
    assert "computes from now on" not in caplog.text


def kill(accelerator: Accelerator, number: signal.Signals) -> None:
    if accelerator._child is not None:
        accelerator._child._process.send_signal(number)


def test_twenty_crashes_and_returns(guard: Guard, caplog: pytest.LogCaptureFixture) -> None:
    """The child dies from outside at any moment; nothing is lost, and it comes back each time."""
    network = guard("none", "0", first_pause_s=0.0)
    returned = 0
    for _ in range(TRIES):
        settle(network)
        returned += network.accelerated
        kill(network._accelerator, signal.SIGKILL)
        assert agrees(network)
    assert returned == TRIES
    assert len(open_files()) < 40


def open_files() -> list[Path]:
    return list(Path("/proc/self/fd").iterdir())


def test_the_pause_doubles_and_starts_again_after_an_answer(guard: Guard, caplog: pytest.LogCaptureFixture) -> None:
    network = guard("crash", "0", first_pause_s=0.01)  # at its warm-up
    while network._accelerator.failures < 4:
        assert agrees(network)
        time.sleep(0.01)
    pauses = [float(r.getMessage().rpartition("next try in ")[2].split()[0]) for r in caplog.records]
    assert pauses[:4] == [0.01, 0.02, 0.04, 0.08]


def test_one_that_never_gets_ready(guard: Guard) -> None:
    network = guard("hang", "0", start_s=0.5)
    settle(network)
    assert "was not ready within 0.5 s" in network.status
    assert agrees(network)


def test_a_child_that_cannot_be_started() -> None:
    network = guarded(Accelerator("gpu", command=("/dev/null/no",)))
    assert agrees(network)
    assert "gpu cannot be started" in network.status
    network.close()


# All networks in one process

ROLES = tuple(task for task in TASKS if task not in ON_CPU)


@pytest.mark.parametrize("fault", ["hang", "crash"])
def test_all_networks_fall_back_for_one_wait(make: Make, monkeypatch: pytest.MonkeyPatch, fault: str) -> None:
    """Counted in what is waited for, not by the clock: one answer that did not come, and then nothing any more."""
    accelerator = make(fault, "12")  # four warm-ups, four proofs, four answers
    networks = [guarded(accelerator, role) for role in ROLES]
    for network in networks:
        settle(network)
    assert all(agrees(network) for network in networks)
    assert all(accelerator.networks.values())
    assert ANSWER_S < 2
    accelerator._answer_s = 0.3
    waits_s: list[float] = []
    receive = worker.receive

    def waited(channel: socket.socket, within_s: float) -> object:
        waits_s.append(within_s)
        return receive(channel, within_s)

    monkeypatch.setattr(worker, "receive", waited)
    assert all(agrees(network) for network in networks)
    assert waits_s == [pytest.approx(0.3, abs=0.3)]
    assert acceleration() == Acceleration("edgetpu", dict.fromkeys(sorted(ROLES), False), 1)


def test_a_network_that_lies_stays_on_the_cpu_alone(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    accelerator = make("one wrong", "5")
    networks = [guarded(accelerator, role) for role in ROLES]
    for network in networks:
        settle(network)
    assert all(agrees(network) for network in networks)
    assert accelerator.networks == dict.fromkeys(sorted(ROLES), True) | {"separator": False}
    assert "separator: edgetpu gives other answers than the CPU" in caplog.text
    assert "gives other answers" in networks[1].status


def test_who_did_not_fail_forgives_nothing(make: Make) -> None:
    """A network that hangs each time, beside one that computes well: the pause doubles all the same."""
    accelerator = make("hang", "6", first_pause_s=0.01)
    well, ill = guarded(accelerator, "locator"), guarded(accelerator, "separator")
    for failures in (1, 2, 3):
        accelerator._answer_s = LONG_S
        settle(well)  # warm-ups are 0 and 1, this proof is 2
        settle(ill)  # 3
        assert agrees(well)  # 4
        assert agrees(well)  # 5
        accelerator._answer_s = 0.3
        assert agrees(ill)
        assert accelerator.failures == failures
        assert accelerator._pause_s == pytest.approx(0.01 * 2**failures)


def test_a_network_that_joins_later_is_taken_in(make: Make) -> None:
    accelerator = make("none", "0")
    first = guarded(accelerator, "locator")
    settle(first)
    second = guarded(accelerator, "separator")
    for network in (first, second):
        settle(network)
        assert network.accelerated
    assert accelerator.failures == 0
    with pytest.raises(ValueError, match="expected one network named locator"):
        guarded(accelerator, "locator")


def test_a_device_that_one_process_may_open_serves_all_networks(
    library: Path, tiny_models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Make
) -> None:
    for name, value in {"LD_LIBRARY_PATH": library, "FAKE_DELEGATE": "works", "FAKE_DEVICE": tmp_path / "tpu"}.items():
        monkeypatch.setenv(name, str(value))
    networks = []
    with networks_on("edgetpu"):
        for role in ROLES:
            compile_beside(tiny_models, role)
            network = Network.of_bundle(load_bundle(tiny_models / role, role), 1)
            assert isinstance(network, GuardedNetwork)
            networks.append(network)
    accelerator = networks[0]._accelerator
    deadline_s = time.monotonic() + LONG_S
    while not all(accelerator.networks.values()) and accelerator.failures == 0 and time.monotonic() < deadline_s:
        for network in networks:
            network.run_uint8(np.zeros(network.input_shape, np.uint8))
    assert all(accelerator.networks.values()), accelerator.networks
    another = guarded(make())  # a second process
    settle(another)
    assert "the device is held by another process" in another.status
    accelerator.close()


# The real library loading


@pytest.mark.parametrize(
    ("mode", "said"),
    [
        ("absent", "no device on any bus); plug the Coral in and install libedgetpu (feranick's builds"),
        ("crash", "was killed by signal 6"),
        ("refuse", "refuses the model"),
        ("hang", "was not ready within 3 s"),
    ],
)
def test_what_goes_wrong_at_the_start(
    guard: Guard, library: Path, monkeypatch: pytest.MonkeyPatch, mode: str, said: str
) -> None:
    monkeypatch.setenv("LD_LIBRARY_PATH", str(library))
    monkeypatch.setenv("FAKE_DELEGATE", mode)
    network = guard(start_s=3.0 if mode == "hang" else LONG_S)
    settle(network)
    assert said in network.status
    assert agrees(network)


def test_a_library_that_is_missing(guard: Guard) -> None:
    if Path("/usr/lib/x86_64-linux-gnu/libedgetpu.so.1").exists():
        pytest.skip("libedgetpu is installed here")
    network = guard()
    settle(network)
    assert "libedgetpu.so.1: cannot open shared object file" in network.status


def test_a_delegate_that_works(guard: Guard, library: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LD_LIBRARY_PATH", str(library))
    monkeypatch.setenv("FAKE_DELEGATE", "works")
    network = guard()
    settle(network)
    assert network.accelerated
    assert agrees(network)


def test_the_runtimes_own_errors(library: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the real libedgetpu: a library that is there and finds no device is the runtime's ValueError."""
    monkeypatch.setenv("FAKE_DELEGATE", "absent")
    with pytest.raises(DelegateUnavailable, match="finds no device"):
        load("edgetpu", (str(library / "libedgetpu.so.1"),))


@pytest.mark.parametrize(
    ("networks", "said"),
    [
        ({"locator": True, "verifier": True}, "on edgetpu"),
        ({"locator": False, "verifier": False}, "on cpu, not edgetpu"),
        ({"locator": True, "separator": False, "verifier": False}, "on edgetpu, but separator, verifier on cpu"),
    ],
)
def test_what_is_said(networks: dict[str, bool], said: str) -> None:
    assert Acceleration("edgetpu", networks, 0).said == said


# Behind the stages' seam


def test_a_bundle_opens_where_it_is_asked_to() -> None:
    bundle = load_bundle(TINY / "classifier", "classifier")
    assert isinstance(Network.of_bundle(bundle), Network)
    with networks_on("edgetpu"):
        network = Network.of_bundle(bundle)
    assert isinstance(network, GuardedNetwork)
    assert network.name == "classifier"
    network.close()
    with networks_on("cpu"):
        assert isinstance(Network.of_bundle(bundle), Network)


def test_another_word_is_refused() -> None:
    with pytest.raises(ConfigError, match="expected --delegate cpu, edgetpu, gpu, got 'tpu'"), networks_on("tpu"):
        pass


@pytest.mark.parametrize(
    ("named", "said"),
    [
        (
            None,
            "expected its SHA-256 under 'compiled' in bundle.json, found none; compile it again with 'trainer edgetpu",
        ),
        (b"another", "truncated or changed"),
    ],
)
def test_a_compiled_model_without_its_hash_is_not_used(
    tiny_models: Path, caplog: pytest.LogCaptureFixture, named: bytes | None, said: str
) -> None:
    compiled_beside(tiny_models, "classifier", MODEL, named=named)
    bundle = load_bundle(tiny_models / "classifier", "classifier")
    with networks_on("edgetpu"):
        network = Network.of_bundle(bundle)
    assert isinstance(network, GuardedNetwork)
    assert said in network.status
    assert said in caplog.text
    assert acceleration() == Acceleration("edgetpu", {"classifier": False}, 1)
    blank = np.zeros(network.input_shape, np.uint8)
    answer = network.run_uint8(blank)
    assert answer.keys() == Network(bundle.model_bytes, 1).run_uint8(blank).keys()
    assert network._accelerator._child is None
    network.close()


def test_the_compiled_model_is_named_when_it_computed(
    library: Path, tiny_models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LD_LIBRARY_PATH", str(library))
    monkeypatch.setenv("FAKE_DELEGATE", "works")
    model_id = compile_beside(tiny_models, "classifier")
    with networks_on("edgetpu"):
        network = Network.of_bundle(load_bundle(tiny_models / "classifier", "classifier"))
    assert isinstance(network, GuardedNetwork)
    blank = np.zeros(network.input_shape, np.uint8)
    with compiled_models() as found:
        deadline_s = time.monotonic() + LONG_S
        while not network.accelerated and time.monotonic() < deadline_s:
            network.run_uint8(blank)
        assert found == {}  # the CPU's answers, until the accelerator is proven
        network.run_uint8(blank)
        assert found == {"classifier_edgetpu": model_id}
    network.close()
    with compiled_models() as found:
        network.run_uint8(blank)
        assert found == {}


def test_what_was_not_compiled_is_not_said_to_run_on_the_chip(tiny_models: Path) -> None:
    """The library takes none of its operators: the runtime's own kernels compute, and the answers are right."""
    with networks_on("edgetpu"):
        network = Network.of_bundle(load_bundle(tiny_models / "classifier", "classifier"))
    assert isinstance(network, GuardedNetwork)
    network.run_uint8(np.zeros(network.input_shape, np.uint8))
    folder = tiny_models / "classifier"
    assert network.status == (
        f"classifier on cpu: edgetpu is not used: {folder}: expected a model compiled for edgetpu, found none; "
        f"compile it with 'trainer edgetpu {folder}'"
    )
    assert network._accelerator._child is None
    network.close()


def test_the_arbiter_stays_on_the_processor() -> None:
    bundle = load_bundle(TINY / "arbiter", "arbiter")
    for delegate in ("edgetpu", "gpu"):
        with networks_on(delegate):
            assert isinstance(Network.of_bundle(bundle, 1), Network)


def test_bundle_and_model_must_fit(tiny_models: Path) -> None:
    path = tiny_models / "classifier" / "bundle.json"
    path.write_text(path.read_text().replace('"height_px": ', '"height_px": 1'))
    with pytest.raises(BundleMismatch, match="export it again"):
        Network.of_bundle(load_bundle(tiny_models / "classifier", "classifier"))
