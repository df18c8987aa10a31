"""Looks at the sales of three shops."""

import argparse
import sys
from pathlib import Path

import pandas as pd

SALES = Path(__file__).parent / "data" / "sales.csv"


def read(file: str) -> pd.DataFrame:
    source = sys.stdin if file == "-" else file
    return pd.read_csv(source, parse_dates=["time"])


def describe(sales: pd.DataFrame, options) -> None:
    print(sales.describe(include="number").round(2).to_string())
    print()
    print(sales.groupby("shop")["amount"].sum().to_string())


def html(sales: pd.DataFrame, options) -> None:
    table = sales.pivot_table(index="shop", columns="item", values="amount", aggfunc="sum")
    if options.plain:
        print(table.to_html())
    else:
        # Styled tables are made with jinja2.
        print(table.style.format("{:.0f}").set_caption("Sales").to_html())


def fft(sales: pd.DataFrame, options) -> None:
    import numpy as np

    amounts = sales["amount"].to_numpy(dtype=float)
    spectrum = np.abs(np.fft.rfft(amounts - amounts.mean()))
    strongest = int(spectrum.argmax())
    print(f"period: {len(amounts) / strongest:.1f} half days")


def zones(sales: pd.DataFrame, options) -> None:
    times = sales["time"].dt.tz_localize("UTC").dt.tz_convert(options.zone)
    print(times.iloc[[0, 60, 239]].to_string(index=False))


def months(sales: pd.DataFrame, options) -> None:
    by_month = sales.set_index("time")["amount"].resample("MS").sum()
    print(by_month.to_csv(), end="")


def mean(sales: pd.DataFrame, options) -> None:
    from numpy import quantile
    from numpy.random import default_rng

    prices = sales["price"].to_numpy()
    means = default_rng(1).choice(prices, (500, len(prices))).mean(axis=1)
    low, high = quantile(means, [0.05, 0.95])
    print(f"mean {prices.mean():.2f}, most likely between {low:.2f} and {high:.2f}")


def query(sales: pd.DataFrame, options) -> None:
    found = sales.query(options.expression)
    print(found.to_json(orient="records", lines=True, force_ascii=False, date_format="iso"), end="")
    print(f"{len(found)} rows")


def main() -> int:
    parser = argparse.ArgumentParser(prog="sales", description=__doc__)
    parser.add_argument("--file", default=str(SALES), help="CSV file, - for stdin")
    commands = parser.add_subparsers(dest="command")
    commands.add_parser("describe", help="numbers in short (the default)")
    commands.add_parser("html", help="a table for a page").add_argument("--plain", action="store_true")
    commands.add_parser("fft", help="the strongest period")
    commands.add_parser("zones", help="times elsewhere").add_argument("zone", nargs="?", default="Asia/Tokyo")
    commands.add_parser("months", help="sums by month")
    commands.add_parser("mean", help="the mean price, and how sure it is")
    commands.add_parser("query", help="rows that fit").add_argument("expression")
    options = parser.parse_args()
    run = globals()[options.command or "describe"]
    run(read(options.file), options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
