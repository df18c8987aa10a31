import click

from .count import count


@click.group()
@click.version_option(package_name="wordtally")
def main():
    """Counts the words of a text."""


@main.command()
@click.argument("file", type=click.File("r", encoding="utf-8"))
@click.option("--number", "-n", default=5, show_default=True, help="How many words to show.")
@click.option("--all", "everything", is_flag=True, help="Count `the` and its like too.")
@click.option("--format", "form", type=click.Choice(["table", "csv", "json"]), default="table")
def top(file, number, everything, form):
    """Shows the most frequent words of FILE (- for stdin)."""
    pairs = count(file.read(), everything).most_common(number)
    if form == "table":
        from rich.console import Console
        from rich.table import Table

        table = Table("word", "times")
        for word, times in pairs:
            table.add_row(word, str(times))
        Console().print(table)
    else:
        from . import export

        export.write(form, pairs)


@main.command()
@click.argument("left", type=click.File("r", encoding="utf-8"))
@click.argument("right", type=click.File("r", encoding="utf-8"))
def similar(left, right):
    """Says how alike two texts are, from 0 to 1."""
    import difflib

    ratio = difflib.SequenceMatcher(None, left.read(), right.read()).ratio()
    click.secho(f"{ratio:.2f}", fg="green" if ratio > 0.5 else "red")
