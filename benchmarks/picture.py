"""A picture of a run: for each work the peers' work per CPU-second of the server, as SVG."""

from __future__ import annotations

from html import escape
from typing import Any

from . import works
from .report import name_of, title_of
from .works import OURS

WIDTH, LEFT, RIGHT = 860, 190, 120
BAR, GAP, HEAD = 13, 3, 34
STYLE = """
text { font: 12px system-ui, sans-serif; fill: #24292f }
.head { font-weight: 600; font-size: 13px }
.note { fill: #57606a; font-size: 11px }
.bar { fill: #afb8c1 }
.ours { fill: #1f6feb }
.paper { fill: #ffffff }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 }
  .note { fill: #9198a1 }
  .bar { fill: #4b535d }
  .ours { fill: #4493f8 }
  .paper { fill: #0d1117 }
}
"""


def draw(summed: dict[str, Any], subtitle: str) -> str:
    """The picture; ours is 100 % in each work."""
    parts: list[str] = []
    y = 52
    for work, by_peer in summed.items():
        if work == works.MEMORY or OURS not in by_peer:
            continue
        rates = {peer: entry["per_cpu_second"] for peer, entry in by_peer.items()}
        most = max(rates.values())
        y += HEAD - 12
        parts.append(f'<text class="head" x="12" y="{y}">{escape(title_of(work))}</text>')
        y += 8
        for peer, rate in sorted(rates.items(), key=lambda item: -item[1]):
            length = max(1.0, (WIDTH - LEFT - RIGHT) * rate / most)
            kind = "bar ours" if peer == OURS else "bar"
            base = y + BAR - 2
            end = f"{LEFT + length + 6:.1f}"
            parts += [
                f'<text x="{LEFT - 8}" y="{base}" text-anchor="end">{escape(name_of(peer, work))}</text>',
                f'<rect class="{kind}" x="{LEFT}" y="{y}" width="{length:.1f}" height="{BAR}" rx="2"/>',
                f'<text class="note" x="{end}" y="{base}">{rate / rates[OURS]:.0%}</text>',
            ]
            y += BAR + GAP
    title = "Work per CPU-second of the server"
    size = f'width="{WIDTH}" height="{y + 14}"'
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y + 14}" {size} role="img">',
        f'<title>{title}</title><style>{STYLE}</style><rect class="paper" {size}/>',
        f'<text class="head" x="12" y="22" style="font-size:15px">{title}, ours = 100 %</text>',
        f'<text class="note" x="12" y="40">{escape(subtitle)}</text>',
    )
    return "\n".join((*head, *parts, "</svg>")) + "\n"
