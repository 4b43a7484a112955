"""The command line: one file a command, imported when it is called, so that ``--help`` is quick.

Exit codes: 0 all went well; 1 at least one image could not be classified; 2 the command or a setting is wrong; 3
the model or the runtime cannot be used here.
"""

import sys
from importlib import import_module
from importlib.util import find_spec
from typing import Any

STAGES = {
    "Try": {
        "predict": "Classify images: URLs, files, or - for standard input.",
        "serve": "Serve the model in a cloud's real runtime, on this machine.",
        "batch": "Classify a folder, list or bucket; go on where it stopped.",
    },
    "Bring a model": {
        "inspect": "Tell what a model file holds, and which engines run it.",
        "convert": "Turn a trained model into a model folder, and compare both.",
        "certify": "Compare what is served with what your notebook computed.",
    },
    "Deploy": {
        "init": "Write a project that can be deployed to the clouds you choose.",
        "doctor": "Check offline whether a cloud will take what is to be deployed.",
        "build": "Build the smallest package that answers right, for one cloud.",
        "deploy": "Check, build, and deploy with the provider's own tool.",
    },
    "Measure": {
        "bench": "Measure cold starts and requests; keep a budget; choose a size.",
        "conform": "Ask an endpoint, anywhere, whether it keeps the wire contract.",
    },
    "This command line": {
        "completion": "Print what makes a shell complete commands, options and models.",
        "help": "Show a command's help.",
    },
}
COMMANDS = {name: does for stage in STAGES.values() for name, does in stage.items()}
FAILED, WRONG, UNUSABLE = 1, 2, 3
WIDE = 120  # columns of a table in a file or a pipe, which say nothing of how wide they are
COMPLETE = "_MLSERVERLESS_COMPLETE"  # the variable by which a shell asks for completions
EPILOG = "mlserverless COMMAND --help has examples, exit codes and where to read on."


def width() -> int | None:
    """Return how many columns a table on the standard output has; None for the terminal's own."""
    return None if sys.stdout.isatty() else WIDE


def main() -> None:
    """Run the command line; where its packages are missing, say how to install them."""
    try:
        import click

        if find_spec("rich") is None:  # imported only when something is shown
            raise ImportError("rich")
    except ImportError:
        sys.stderr.write('The command line needs click and rich: pip install "mlserverless[cli]"\n')
        raise SystemExit(UNUSABLE) from None
    group(click)(prog_name="mlserverless", complete_var=COMPLETE)


def group(click: Any) -> Any:
    """Return the command that has all the others."""

    class Lazy(click.Group):  # type: ignore[misc]  # its base is Any here, since click is optional
        def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - click's signature
            return list(COMMANDS)

        def get_command(self, ctx: Any, name: str) -> Any:  # noqa: ARG002
            return getattr(import_module(f"mlserverless.cli.{name}"), name) if name in COMMANDS else None

        def resolve_command(self, ctx: Any, args: list[str]) -> Any:
            if args and args[0] not in COMMANDS and args[0][:1] != "-":
                from mlserverless.cli.suggest import meant

                more = meant(args[0], COMMANDS)
                raise click.UsageError(f"No such command {args[0]!r}.{more}", ctx)
            return super().resolve_command(ctx, args)

        def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002
            longest = max(map(len, COMMANDS))
            for stage, commands in STAGES.items():
                with formatter.section(stage):
                    formatter.write_dl([(name.ljust(longest), does) for name, does in commands.items()])

        def shell_complete(self, ctx: Any, incomplete: str) -> Any:
            from click.shell_completion import CompletionItem

            names = [CompletionItem(n, help=does) for n, does in COMMANDS.items() if n.startswith(incomplete)]
            return [*names, *click.Command.shell_complete(self, ctx, incomplete)]

    settings = {"help_option_names": ["-h", "--help"]}

    @click.group(cls=Lazy, context_settings=settings, epilog=EPILOG)  # type: ignore[untyped-decorator]
    @click.version_option(package_name="mlserverless", message="%(version)s")  # type: ignore[untyped-decorator]
    def mlserverless() -> None:
        """Run a TFLite image classifier on any cloud's functions, or here."""

    return mlserverless
