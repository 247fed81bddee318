"""A group of commands of which one is meant when none is named."""

from __future__ import annotations

import click


class DefaultGroup(click.Group):
    """`sfexit contract HOME` is `sfexit contract show HOME`; a folder called like a member of the
    group is named as `./show`."""

    default = "show"

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or (args[0] not in self.commands and args[0] not in ctx.help_option_names):
            args = [self.default, *args]
        return super().parse_args(ctx, args)
