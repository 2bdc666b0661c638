"""From a matplotlib figure to inline SVG: ids of its own, the page's colours."""

from __future__ import annotations

import io
import re
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from kairos_lib.report.page.html import Html

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.transforms import Transform

INK = "#0a0b0c"
"""Placeholder for the page's text colour while a figure is drawn."""
SERIES = (
    "#3a78c9", "#d9822b", "#2f9e8f", "#a85cb5", "#c2485c", "#7f9a2e", "#6d6fd0", "#b08a3e",
)  # fmt: skip
"""Mid tones, about 3 to 1 against white and near black; a page may set its own."""
GREY = "#8b9097"
"""For the remainder."""
NARROW_IN = 3.8
"""Width of a figure for a phone, where its letters are about 10 px high."""
NARROW_CHARACTERS = 54
"""Font size relative to the usual one, at that width."""
NARROW_COLUMNS = 3
TALLER = 1.75
"""Row height for a phone relative to a wide page: rows hold a label of two lines, and a note."""
BENEATH_PT = -8.0
"""From the middle of a row's one-line label to the top of its lowest line."""
NOTE_LINE_PT = 9.5
LEGEND: dict[str, Any] = {
    "loc": "lower left", "bbox_to_anchor": (0, 1.0), "frameon": False, "handlelength": 0.9,
    "handleheight": 0.9, "columnspacing": 1.4, "borderaxespad": 0.2, "borderpad": 0,
    "labelcolor": INK,
}  # fmt: skip
"""What colours mean, in lines above the figure."""
SETTINGS: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "kairos",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 8.5,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "text.color": INK,
    # A dollar sign in a title does not start a formula.
    "text.parse_math": False,
}


@contextmanager
def canvas(width_in: float, height_in: float) -> Iterator[tuple[Figure, Axes]]:
    """An empty figure for horizontal bars, without a window; its settings end with the block."""
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with mpl.rc_context(SETTINGS):
        figure = Figure(figsize=(width_in, height_in), layout="constrained")
        FigureCanvasSVG(figure)
        axes = figure.add_subplot()
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.spines["bottom"].set_alpha(0.35)
        axes.tick_params(axis="y", length=0, pad=6)
        axes.tick_params(axis="x", length=3)
        axes.grid(axis="x", color=INK, alpha=0.12, linewidth=0.7)
        axes.set_axisbelow(True)
        yield figure, axes


def inline(
    figure: Figure, name: str, title: str, description: str, narrow: Figure | None = None
) -> Html:
    """Convert a figure to one SVG element, or two; call within the block of its `canvas`.

    Args:
        figure: From `canvas`, with something drawn. Its layout changes if it is drawn twice.
        name: Makes its ids unique among the figures of a page.
        title: What it shows, in a few words.
        description: Its content, for readers who cannot see it.
        narrow: The same for a phone, `NARROW_IN` wide; if not given, the figure is drawn a
            second time at that width with letters of the same size. A page shows one of the two.
    """
    wide = _element(figure, name, title, description)
    if narrow is None:
        _rearrange(figure)
        narrow = figure
    drawn = Markup('<div class="wide">{}</div><div class="narrow">{}</div>').format(
        wide, _element(narrow, f"{name}-narrow", title, description)
    )
    return Html(Markup('<figure class="chart">{}</figure>').format(drawn))


def _rearrange(figure: Figure) -> None:
    """Make room for a figure's labels at a phone's width."""
    from matplotlib.text import Annotation, Text
    from matplotlib.transforms import ScaledTranslation

    taller = 1.0
    for axes in figure.axes:
        axes.set_xlabel(textwrap.fill(axes.get_xlabel(), NARROW_CHARACTERS))
        legend = axes.get_legend()
        if legend is not None:
            titles = [text.get_text() for text in legend.get_texts()]
            handles = [handle for handle in legend.legend_handles if handle is not None]
            axes.legend(handles, titles, **LEGEND, ncols=NARROW_COLUMNS)
        for note in [text for text in axes.texts if isinstance(text, Annotation)]:
            label = note.xycoords
            if not isinstance(label, Text):
                continue
            # What follows a row's label goes below it, and the label may take two lines.
            taller = TALLER
            beneath = note.get_text()
            note.remove()
            place = label.get_transform()

            def raised(points: float, place: Transform = place) -> Transform:
                return place + ScaledTranslation(0, points / 72, figure.dpi_scale_trans)

            if beneath:
                axes.text(
                    *label.get_position(), beneath, transform=raised(BENEATH_PT), va="bottom",
                    color=INK, alpha=note.get_alpha(), fontsize=note.get_fontsize(),
                )  # fmt: skip
            lines = textwrap.wrap(
                label.get_text(), NARROW_CHARACTERS, max_lines=2, placeholder=" …"
            )
            label.set_text("\n".join(lines))
            label.set_verticalalignment("bottom")
            label.set_transform(raised(BENEATH_PT + (NOTE_LINE_PT if beneath else 0)))
    figure.set_size_inches(NARROW_IN, figure.get_size_inches()[1] * taller)


def _element(figure: Figure, name: str, title: str, description: str) -> Markup:
    """The figure in its present state as SVG."""
    buffer = io.StringIO()
    figure.savefig(
        buffer,
        format="svg",
        transparent=True,
        metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")),
    )
    drawn = buffer.getvalue()
    body = drawn[drawn.index(">", drawn.index("<svg")) + 1 :]
    box = re.search(r'viewBox="([^"]+)"', drawn)
    if box is None:
        raise ValueError("matplotlib wrote an SVG without a viewBox")
    head = (
        Markup('<svg viewBox="{}" role="img" aria-labelledby="{}-title {}-desc">')
        + Markup('<title id="{}-title">{}</title><desc id="{}-desc">{}</desc>')
    ).format(box[1], name, name, name, title, name, description)
    return head + Markup(_at_home(body, name))


def _at_home(body: str, name: str) -> str:
    """Adapt a drawing to its page."""
    # A style sheet in an inline SVG applies to the whole page, and metadata is of no use there.
    body = re.sub(r"<(style|metadata)\b.*?</\1>", "", body, flags=re.DOTALL)
    referenced = set(re.findall(r'(?:url\(#|href="#)([^)"]+)', body))
    body = re.sub(
        r' id="([^"]+)"',
        lambda match: f' id="{name}-{match[1]}"' if match[1] in referenced else "",
        body,
    )
    body = re.sub(r'(url\(#|href="#)', rf"\g<1>{name}-", body).replace("xlink:href", "href")
    # Use the page's own font: the part before the size (a weight) is kept.
    body = re.sub(
        r"font: ((?:\d+ |bold )?)([\d.]+)px [^;\"]*",
        lambda match: (
            (f"font-weight: {match[1].strip()}; " if match[1] else "") + f"font-size: {match[2]}px"
        ),
        body,
    )
    body = body.replace(INK, "currentColor")
    body = body.replace(GREY, f"var(--kairos-rest, {GREY})")
    for index, colour in enumerate(SERIES, start=1):
        body = body.replace(colour, f"var(--kairos-{index}, {colour})")
    return re.sub(r"\n\s*", "\n", body)
