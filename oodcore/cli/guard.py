"""What reaches a person when something goes wrong: one sentence, an exit code, no traceback.

0    done
1    a fault of ours; `--traceback` shows where
2    wrong input or wrong usage, also when some of many photos failed
130  stopped with Ctrl-C
"""

import errno
import sys
import warnings
from typing import Any

import typer
from typer.core import TyperGroup

from oodcore.errors import OODError

BAD_INPUT, FAULT, STOPPED = 2, 1, 130
FLAG = "--traceback"


class Guarded(TyperGroup):
    """The root command. `--traceback` may stand anywhere, as people add it at the end of a failed line."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        return super().parse_args(ctx, sorted(args, key=lambda word: word != FLAG))

    def invoke(self, ctx: Any) -> Any:
        if ctx.params.get("traceback"):
            return super().invoke(ctx)
        try:
            with warnings.catch_warnings():
                if not sys.warnoptions:
                    warnings.simplefilter("ignore")  # libraries warn their callers, not our users
                return super().invoke(ctx)
        except OODError as error:
            say(str(error))
            raise typer.Exit(BAD_INPUT) from error
        except KeyboardInterrupt as error:
            say("Stopped. Nothing was half written.")
            raise typer.Exit(STOPPED) from error
        except MemoryError as error:
            say("Not enough memory. Close other programs, or choose a smaller set or batch size.")
            raise typer.Exit(BAD_INPUT) from error
        except OSError as error:
            if error.errno == errno.EPIPE:  # `ood … | head`; the frame below ends quietly
                raise
            say(_of_the_system(error))
            raise typer.Exit(BAD_INPUT) from error
        except Exception as error:
            if _is_usage(error):
                raise
            say(f"Something went wrong that should not have: {_in_one_line(error)}. Add {FLAG} to see where.")
            raise typer.Exit(FAULT) from error


def say(sentence: str) -> None:
    """To stderr, so that results can be piped."""
    sys.stderr.write(sentence.rstrip() + "\n")


def _is_usage(error: Exception) -> bool:
    """Click's own: it knows how to show them. Typer carries a copy of click, so there is no one class to name."""
    return isinstance(error, typer.Exit | typer.Abort) or hasattr(error, "exit_code")


def _of_the_system(error: OSError) -> str:
    where = f" {error.filename}" if error.filename else ""
    return f"The system refused{where}: {error.strerror or error}. Check the path, its rights and the free space."


def _in_one_line(error: Exception) -> str:
    first = next(iter(str(error).splitlines()), "").strip().rstrip(".")
    return f"{type(error).__name__}: {first}" if first else type(error).__name__
