"""`dms run`."""

import click


@click.command()
@click.option("--config", "config_file", metavar="FILE", help="The main file.  [default: the first one found]")
@click.option(
    "--data-dir", metavar="DIR", help="The node's data folder: general.data_dir, above all that is said of it."
)
@click.option("--set", "settings", metavar="KEY=VALUE", multiple=True, help="A setting; may be given again.")
@click.option("--strict", is_flag=True, help="Refuse to start with anything wrong in the configuration.")
def run(config_file: str | None, data_dir: str | None, settings: tuple[str, ...], strict: bool) -> int:
    """Start a node in the foreground. Ctrl-C stops it in a controlled way; a second Ctrl-C skips the drain."""
    from dms.init.run import run_node

    return run_node(config_file, data_dir, settings, strict)
