#!/usr/bin/env python3
"""Makes the table, the document and the plot of tools/bench.sh from the lines that `bench` prints.

    report.py table                 <results.tsv    a table for the terminal
    report.py document FILE.md      <results.tsv    replaces what is between the markers in FILE.md
    report.py plot FILE.svg         <results.tsv    events against time and peak memory
"""

import math
import sys
from xml.sax.saxutils import escape

BEGIN = "<!-- bench:begin -->"
END = "<!-- bench:end -->"
HEAD = ["", "ours: median (min..max)", "baseline", "ratio", "goal", ""]


def number(text):
    if text == "":
        return ""
    value = float(text)
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def read(stream):
    results = {"row": [], "point": [], "machine": [], "note": []}
    for line in stream:
        kind, *fields = line.rstrip("\n").split("\t")
        if kind in results:
            results[kind].append(fields)
    return results


def cells(row):
    name, unit, ours, least, most, baseline, ratio, goal, verdict = row
    spread = "" if least == most else f" ({number(least)}..{number(most)})"
    return [name, f"{number(ours)}{spread} {unit}", number(baseline),
            f"{float(ratio):.2f}" if ratio else "", goal, verdict]


def table(results):
    rows = [HEAD] + [cells(row) for row in results["row"]]
    widths = [max(len(row[i]) for row in rows) for i in range(len(HEAD))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip()
             for row in rows]
    return "\n".join(lines + [note for (note,) in results["note"]])


def document(results):
    lines = []
    if results["point"]:
        lines += ["![Seconds and peak memory against the size of the backlog](performance.svg)", ""]
    lines += ["| Machine | |", "|---|---|"]
    lines += [f"| {name} | {value} |" for name, value in results["machine"]]
    lines += ["", "| Measured | Ours: median (min..max) | Baseline | Ratio | Goal | |",
              "|---|---|---|---|---|---|"]
    lines += ["| " + " | ".join(cells(row)) + " |" for row in results["row"]]
    for (note,) in results["note"]:
        lines += ["", note + "."]
    return "\n".join(lines)


def replace_between_markers(path, text):
    with open(path, encoding="utf-8") as file:
        before, rest = file.read().split(BEGIN)
    after = rest.split(END)[1]
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"{before}{BEGIN}\n{text}\n{END}{after}")


def power_of_ten(value):
    exponent = round(math.log10(value))
    return f"{10 ** exponent:,}" if exponent >= 0 else f"{value:g}"


class Panel:
    """One chart: events on a logarithmic axis, something else on the other."""

    WIDTH, HEIGHT = 300, 220

    def __init__(self, left, title, points, is_log, limit=None):
        self.left, self.title, self.points, self.is_log = left, title, points, is_log
        self.limit = limit
        events = [x for x, _ in points]
        values = [y for _, y in points]
        self.x_range = (math.floor(math.log10(min(events))), math.ceil(math.log10(max(events))))
        if is_log:
            self.y_range = (math.floor(math.log10(min(values))), math.ceil(math.log10(max(values))))
        else:
            self.y_range = (0, 5 * math.ceil(max(values + [limit or 0]) / 5 + 0.2))

    def x(self, events):
        low, high = self.x_range
        return self.left + self.WIDTH * (math.log10(events) - low) / max(high - low, 1)

    def y(self, value):
        low, high = self.y_range
        at = math.log10(value) if self.is_log else value
        return 40 + self.HEIGHT * (1 - (at - low) / max(high - low, 1))

    def ticks(self):
        low, high = self.y_range
        if self.is_log:
            return [10.0 ** exponent for exponent in range(low, high + 1)]
        return range(low, high + 1, 5)

    def svg(self):
        bottom, right = 40 + self.HEIGHT, self.left + self.WIDTH
        out = [f'<text x="{self.left}" y="20" font-weight="bold">{escape(self.title)}</text>']
        for value in self.ticks():
            y = self.y(value)
            label = power_of_ten(value) if self.is_log else str(value)
            out.append(f'<path d="M{self.left} {y:.1f}H{right}" stroke="#ddd"/>')
            out.append(f'<text x="{self.left - 6}" y="{y + 4:.1f}" text-anchor="end">{label}</text>')
        for exponent in range(self.x_range[0], self.x_range[1] + 1):
            x = self.x(10 ** exponent)
            out.append(f'<path d="M{x:.1f} 40V{bottom}" stroke="#ddd"/>')
            out.append(f'<text x="{x:.1f}" y="{bottom + 18}" text-anchor="middle">'
                       f'{10 ** exponent:,}</text>')
        if self.limit:
            y = self.y(self.limit)
            out.append(f'<path d="M{self.left} {y:.1f}H{right}" stroke="#c33" '
                       'stroke-dasharray="5 4"/>')
            out.append(f'<text x="{right}" y="{y - 5:.1f}" text-anchor="end" fill="#c33">'
                       'limit</text>')
        places = [(self.x(events), self.y(value)) for events, value in self.points]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        out.append(f'<polyline points="{line}" fill="none" stroke="#246" stroke-width="2"/>')
        out += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="#246"/>' for x, y in places]
        return out


def plot(results):
    points = sorted(tuple(map(float, fields)) for fields in results["point"])
    if not points:
        raise SystemExit("report.py: no points to plot")
    panels = [Panel(70, "Seconds to deliver a backlog", [(x, s) for x, s, _ in points], True),
              Panel(460, "Peak memory, MB", [(x, mb) for x, _, mb in points], False, limit=25)]
    out = ['<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 790 310" '
           'font-family="sans-serif" font-size="12" fill="#222">',
           '<rect width="790" height="310" fill="white"/>']
    for panel in panels:
        out += panel.svg()
        out.append(f'<text x="{panel.left + panel.WIDTH / 2}" y="300" text-anchor="middle">'
                   'events pending</text>')
    return "\n".join(out + ["</svg>", ""])


def main(arguments):
    results = read(sys.stdin)
    if arguments == ["table"]:
        print(table(results))
    elif len(arguments) == 2 and arguments[0] == "document":
        replace_between_markers(arguments[1], document(results))
    elif len(arguments) == 2 and arguments[0] == "plot":
        with open(arguments[1], "w", encoding="utf-8") as file:
            file.write(plot(results))
    else:
        raise SystemExit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
