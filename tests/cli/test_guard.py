import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from oodcore.cli.guard import Guarded
from oodcore.errors import DataError, UnknownNameError


def raising(error: BaseException) -> typer.Typer:
    program = typer.Typer(cls=Guarded)

    @program.callback()
    def root(traceback: bool = False) -> None: ...

    @program.command()
    def verb() -> None:
        raise error

    return program


@pytest.mark.parametrize(
    ("error", "code", "sentence"),
    [
        (DataError("The file is empty."), 2, "The file is empty.\n"),
        (UnknownNameError("No scorer is called 'x'."), 2, "No scorer is called 'x'.\n"),
        (KeyboardInterrupt(), 130, "Stopped."),
        (MemoryError(), 2, "Not enough memory."),
        (PermissionError(13, "Permission denied", "a.csv"), 2, "a.csv: Permission denied"),
        (ZeroDivisionError("division by zero"), 1, "ZeroDivisionError: division by zero. Add --traceback"),
        (RuntimeError("first\nsecond"), 1, "RuntimeError: first. Add"),
    ],
)
def test_every_error_is_one_sentence_and_an_exit_code(error: BaseException, code: int, sentence: str) -> None:
    result = CliRunner().invoke(raising(error), ["verb"])
    assert result.exit_code == code
    assert sentence in result.stderr
    assert result.stdout == ""
    assert len(result.stderr.strip().splitlines()) == 1
    assert "Traceback" not in result.output


@pytest.mark.parametrize("line", [["--traceback", "verb"], ["verb", "--traceback"]])
def test_traceback_may_stand_anywhere(line: list[str]) -> None:
    result = CliRunner().invoke(raising(ZeroDivisionError()), line)
    assert isinstance(result.exception, ZeroDivisionError)


def test_usage_errors_stay_clicks_own() -> None:
    result = CliRunner().invoke(raising(ValueError()), ["verb", "--nonsense"])
    assert result.exit_code == 2
    assert "--nonsense" in result.stderr


def ood(*words: str, **options: object) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([Path(sys.executable).parent / "ood", *words], text=True, capture_output=True, **options)


def cpu_seconds(*words: str) -> float:
    before = os.times()
    assert ood(*words).returncode == 0
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def test_help_imports_no_torch_and_no_numpy() -> None:
    code = (
        "import sys; sys.argv = ['ood', '--help']; from oodcore.cli import main\ntry: main()\nexcept SystemExit: pass\n"
    )
    code += "print('LOADED', [name for name in ('torch', 'numpy', 'PIL', 'sklearn') if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], text=True, capture_output=True, check=True)
    assert found.stdout.endswith("LOADED []\n")


def test_help_takes_under_a_second_of_cpu() -> None:
    assert min(cpu_seconds("--help") for _ in range(2)) < 1.0


def test_a_closed_pipe_is_no_fault() -> None:
    found = subprocess.run(f"{Path(sys.executable).parent / 'ood'} --help | true", shell=True, capture_output=True)
    assert b"Traceback" not in found.stderr


def test_ctrl_c_ends_with_130_and_a_sentence(tmp_path: Path) -> None:
    code = (
        "import signal, typer, time\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # a background shell lets children ignore it
        "from oodcore.cli.guard import Guarded\nprogram = typer.Typer(cls=Guarded)\n"
        "@program.callback()\ndef root(traceback: bool = False): ...\n"
        "@program.command()\ndef verb():\n    print('ready', flush=True)\n    time.sleep(30)\nprogram()"
    )
    with subprocess.Popen([sys.executable, "-c", code, "verb"], text=True, stdout=-1, stderr=-1) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "ready\n"
        time.sleep(0.05)
        running.send_signal(signal.SIGINT)
        _, said = running.communicate(timeout=40)
    assert running.returncode == 130
    assert said == "Stopped. Nothing was half written.\n"
