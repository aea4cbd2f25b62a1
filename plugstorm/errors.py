"""What a person sees when something ends badly: one line, and the exit code that others depend on."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable

import typer

from config.words import hint
from evidence import exit_codes
from evidence.redact import redact_text
from ocppj.errors import HarnessError, TargetUnreachableError, UsageError

__all__ = ["guarded"]

_EXIT_CODES: tuple[tuple[type[HarnessError], int], ...] = (
    (UsageError, exit_codes.USAGE),
    (TargetUnreachableError, exit_codes.UNREACHABLE),
    # InconclusiveError, and an error of the protocol core that no room handled: nothing is known about the CSMS.
    (HarnessError, exit_codes.INVALID),
)


def guarded(work: Callable[[], int]) -> int:
    """Do a command's work and return its exit code; expected errors become one line on the standard error output."""
    try:
        return work()
    except typer.TyperException as error:
        _print_error(_explain(error))
        return exit_codes.USAGE
    except HarnessError as error:
        _print_error(f"plugstorm: error: {error}")
        return next(code for kind, code in _EXIT_CODES if isinstance(error, kind))
    except KeyboardInterrupt:
        _print_error("plugstorm: interrupted")
        return exit_codes.INTERRUPTED
    except BrokenPipeError:
        # Somebody closed our output, as `| head` does; the interpreter must not complain again when it flushes.
        sys.stdout = sys.stderr
        return exit_codes.PASSED
    except Exception:  # noqa: BLE001 - a mistake of ours must not look like a verdict about the CSMS
        traceback.print_exc()
        _print_error(
            "plugstorm: error: this is a mistake in Plugstorm, not in the CSMS; please report it with the lines above"
        )
        return exit_codes.INVALID


def _print_error(line: str) -> None:
    sys.stderr.write(" ".join(redact_text(line).split()) + "\n")


def _explain(error: typer.TyperException) -> str:
    """Write a mistake on the command line as one line with the nearest known word and the way to the help."""
    message = error.format_message().rstrip(".")
    context: typer.Context | None = getattr(error, "ctx", None)
    if context is None:
        return f"plugstorm: error: {message}; see plugstorm --help"
    option = getattr(error, "option_name", None)
    commands = getattr(context.command, "commands", {})
    if option is not None:
        known = [name for parameter in context.command.params for name in parameter.opts if name.startswith("--")]
        message = f"there is no option {option}; {hint(option, sorted(known))}"
    elif message.startswith("No such command"):
        message += f"; known are {', '.join(commands)}" if "?" not in message else ""
    return f"{context.command_path}: error: {message}; see {context.command_path} --help"
