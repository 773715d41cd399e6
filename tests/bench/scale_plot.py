# SPDX-License-Identifier: GPL-2.0-or-later
"""Draws how figures grow with the cluster: one small drawing for each, hosts to the right (logarithmic), the
figure upwards (from 0), the wanted limit as a dashed line."""
import math
from xml.sax.saxutils import escape

PANELS = [
    ("start_s", "until all VMs are known, s"), ("change_p50", "change everywhere, p50, s"),
    ("change_p99", "change everywhere, p99, s"), ("storm_s", "complete after the storm, s"),
    ("failed_s", "killed: known everywhere, s"), ("back_s", "back: complete everywhere, s"),
    ("idle_events", "events when idle, 1/s"), ("idle_gossip_bytes", "gossip of a host, idle, B/s"),
    ("storm_gossip_bytes", "gossip of a host, storm, B/s"), ("idle_daemon_cpu", "CPU of a daemon, idle, %"),
    ("idle_agent_cpu", "CPU of an agent, idle, %"), ("rss", "RssAnon of a daemon, MiB")]
WIDTH, HEIGHT, COLUMNS = 300, 200, 3


def nice(value):
    """A round number that is not below."""
    if value <= 0:
        return 1
    power = 10 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 2.5, 5, 10) if step * power >= value)


def panel(key, title, figures, sizes, left, top):
    points = [(figure["hosts"], figure["value"]) for figure in figures if figure["key"] == key]
    wanted = next((figure["wanted"] for figure in figures if figure["key"] == key and figure["wanted"]), None)
    x0, x1, y0, y1 = left + 45, left + WIDTH - 20, top + HEIGHT - 35, top + 30
    highest = nice(max([value for _, value in points] + [wanted or 0]))
    low, high = math.log(min(sizes)), math.log(max(sizes))

    def x(hosts):
        return (x0 + x1) / 2 if low == high else x0 + 8 + (x1 - x0 - 16) * (math.log(hosts) - low) / (high - low)

    def y(value):
        return y0 - (y0 - y1) * value / highest

    parts = [f'<text x="{left + 45}" y="{top + 18}" class="title">{escape(title)}</text>',
             f'<path d="M{x0} {y1}V{y0}H{x1}" class="axis"/>',
             f'<text x="{x0 - 5}" y="{y0 + 4}" class="right">0</text>',
             f'<text x="{x0 - 5}" y="{y1 + 4}" class="right">{highest:g}</text>']
    parts += [f'<text x="{x(size):.1f}" y="{y0 + 16}" class="middle">{size}</text>' for size in sizes]
    if wanted:
        parts.append(f'<path d="M{x0} {y(wanted):.1f}H{x1}" class="wanted"/>')
    line = "L".join(f"{x(hosts):.1f} {y(value):.1f}" for hosts, value in points)
    if points:
        parts.append(f'<path d="M{line}" class="line"/>')
    for hosts, value in points:
        parts.append(f'<circle cx="{x(hosts):.1f}" cy="{y(value):.1f}" r="3"/>'
                     f'<text x="{x(hosts):.1f}" y="{y(value) - 6:.1f}" class="middle">{value:.3g}</text>')
    return parts


def draw(results, path):
    sizes = [size["hosts"] for size in results["sizes"]]
    height = HEIGHT * -(-len(PANELS) // COLUMNS) + 30
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH * COLUMNS} {height}">',
             "<style>text{font:11px sans-serif}.title{font-weight:bold}.right{text-anchor:end}"
             ".middle{text-anchor:middle}path{fill:none}.axis{stroke:#888}.line{stroke:#06c;stroke-width:2}"
             ".wanted{stroke:#c00;stroke-dasharray:4}circle{fill:#06c}</style>",
             '<rect width="100%" height="100%" fill="#fff"/>',
             f'<text x="10" y="18">hosts; {escape(results["machine"])}</text>']
    for index, (key, title) in enumerate(PANELS):
        parts += panel(key, title, results["figures"], sizes, index % COLUMNS * WIDTH, 24 + index // COLUMNS * HEIGHT)
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(parts + ["</svg>\n"]))
