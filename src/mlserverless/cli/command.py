"""A command's help, laid out alike for all: what it does, its options by purpose, examples, JSON, exit codes."""

from collections.abc import Callable, Sequence
from typing import Any

import click

from mlserverless.cli.deprecated import Renamed, modern
from mlserverless.cli.suggest import meant

EXITS = {
    0: "all went well",
    1: "at least one image, check or comparison failed",
    2: "the command or a setting is wrong",
    3: "the model or the runtime cannot be used here",
}
ELSE = "Other options"


class Command(click.Command):
    """One command. Beyond click's own:

    ``examples``: (what it is for, the words that are typed) each; ``groups``: heading -> parameters' names;
    ``exits``: what its exit codes say, beside ``EXITS``, empty where it has no such code; ``answer``: the keys of
    what --json prints; ``pages``: where to read on; ``renamed``: options' former names, see ``deprecated``.
    """

    def __init__(
        self,
        *args: Any,
        examples: Sequence[tuple[str, str]] = (),
        groups: dict[str, tuple[str, ...]] | None = None,
        exits: dict[int, str] | None = None,
        answer: dict[str, str] | None = None,
        pages: Sequence[str] = (),
        renamed: Sequence[Renamed] = (),
        **more: Any,
    ) -> None:
        super().__init__(*args, **more)
        self.examples, self.groups, self.renamed = tuple(examples), groups or {}, tuple(renamed)
        self.exits, self.answer, self.pages = EXITS | (exits or {}), answer or {}, tuple(pages)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put today's names in place of former ones, each with a warning, then read as click does."""
        if not ctx.resilient_parsing:
            args = modern(self.name or "", args, self.renamed)
        return super().parse_args(ctx, args)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options under the headings of ``groups``; what none names comes last."""
        options = [param for param in self.get_params(ctx) if isinstance(param, click.Option)]
        left = {one.name: record for one in options if (record := one.get_help_record(ctx))}
        for heading, names in self.groups.items():
            if rows := [left.pop(name) for name in names if name in left]:
                with formatter.section(heading):
                    formatter.write_dl(rows)
        with formatter.section(ELSE if self.groups else "Options"):
            formatter.write_dl(list(left.values()))

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the examples, what --json prints, the exit codes, and the pages to read on."""
        with formatter.section("Examples"):
            for number, (purpose, typed) in enumerate(self.examples):
                if number:
                    formatter.write_paragraph()
                formatter.write_text(f"{purpose}:")
                formatter.write(f"{'':{formatter.current_indent + 2}}$ {typed}\n")
        if self.answer:
            with formatter.section("What --json prints"):
                formatter.write_dl(list(self.answer.items()))
        with formatter.section("Exit codes"):
            formatter.write_dl([(str(code), told) for code, told in sorted(self.exits.items()) if told])
        if self.pages:
            with formatter.section("Read on"):
                for page in self.pages:
                    formatter.write_text(page)


def command(kind: type[Command] = Command, **given: Any) -> Callable[[Callable[..., Any]], Command]:
    """Return the decorator that makes a `Command` of a function."""
    return click.command(cls=kind, **given)


class Choice(click.Choice[str]):
    """One of a few words; a typing slip is told with the word that was meant."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return ``value`` as it is declared; raise BadParameter with the nearest word."""
        try:
            return str(super().convert(value, param, ctx))
        except click.BadParameter as error:
            told = error.message + meant(str(value), map(str, self.choices))
            raise click.BadParameter(told, error.ctx, error.param, error.param_hint) from error
