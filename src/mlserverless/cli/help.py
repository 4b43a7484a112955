"""``mlserverless help COMMAND``: what ``mlserverless COMMAND --help`` shows."""

import click

from mlserverless.cli import completing
from mlserverless.cli.command import command


@command(
    examples=(
        ("What there is", "mlserverless help"),
        ("How to build a package", "mlserverless help build"),
    ),
    exits={0: "it was shown", 1: "", 2: "there is no such command", 3: ""},
)
@click.argument("name", metavar="[COMMAND]", required=False, shell_complete=completing.commands)
@click.pass_context
def help(ctx: click.Context, name: str | None) -> None:
    """Show the help of COMMAND; without one, of all."""
    above = ctx.find_root()
    if name is None:
        click.echo(above.get_help())
        return
    group = above.command
    assert isinstance(group, click.Group)
    _, found, _ = group.resolve_command(above, [name])
    assert found is not None
    with click.Context(found, info_name=name, parent=above) as inner:
        click.echo(found.get_help(inner))
