"""``mlserverless completion SHELL``: the lines that make a shell complete this command line."""

import click
from click.shell_completion import get_completion_class

from mlserverless.cli import COMPLETE
from mlserverless.cli.command import Choice, command

SHELLS = ("bash", "zsh", "fish")


@command(
    examples=(
        ("In this bash, and in every one to come", 'eval "$(mlserverless completion bash)"'),
        ("In fish", "mlserverless completion fish > ~/.config/fish/completions/mlserverless.fish"),
    ),
    exits={0: "it was printed", 1: "", 2: "there is no such shell", 3: ""},
    pages=("docs/reference/cli.md",),
)
@click.argument("shell", type=Choice(SHELLS))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print what makes SHELL complete commands, options, bundled models, clouds and files.

    Put the line of the example into ~/.bashrc or ~/.zshrc. bash needs version 4.4 or later.
    """
    found = get_completion_class(shell)
    assert found is not None
    click.echo(found(ctx.find_root().command, {}, "mlserverless", COMPLETE).source())
