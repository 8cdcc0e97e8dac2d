"""The curves of a training: the loss of each step, and the gain over the JPEG where it was measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from qtpy.QtCore import QPointF, QRectF, QSize, Qt
from qtpy.QtGui import QColor, QPainter, QPaintEvent, QPen, QPolygonF
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_deartifact.widgets.training_past import Past, Point

MOST_POINTS = 600
"""Of a curve; beyond that neighbours are joined to their mean."""
FEW = 30
"""Points of a curve that are also drawn as dots."""
MARGIN = 4
SETTLED = 0.1
"""The part of a curve, from its start, that may leave the picture above or below."""


class Curve:
    """Points of growing steps, of which a bounded number is kept.

    Examples
    --------
    >>> curve = Curve(most=4)
    >>> for step in range(8):
    ...     curve.add(step, 10 * step)
    >>> len(curve.points) <= 4, curve.points[0]
    (True, (1.5, 15.0))
    """

    def __init__(self, most: int = MOST_POINTS) -> None:
        self.most = most
        self.points: list[Point] = []
        self._joined = 1
        self._waiting: list[Point] = []

    def add(self, step: float, value: float) -> None:
        """Take a point."""
        self._waiting.append((step, value))
        if len(self._waiting) < self._joined:
            return
        self.points.append(_mean(self._waiting))
        self._waiting.clear()
        if len(self.points) >= self.most:
            pairs = zip(self.points[::2], self.points[1::2], strict=False)
            self.points = [_mean(pair) for pair in pairs]
            self._joined *= 2

    def clear(self) -> None:
        """Forget all points."""
        self.__init__(self.most)  # type: ignore[misc]


def _mean(points: Sequence[Point]) -> Point:
    steps, values = zip(*points, strict=True)
    return sum(steps) / len(points), sum(values) / len(points)


class TrainingCurve(QWidget):
    """Two curves over the same steps, one above the other, each on its own scale.

    Parameters
    ----------
    parent : QWidget, optional
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.loss, self.gain = Curve(), Curve()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.MinimumExpanding)
        self.setMinimumHeight(110)
        self.setToolTip("Loss, and gain in PSNR over the JPEG on images kept for validation, by step")

    def sizeHint(self) -> QSize:
        """Ask for a height that shows both curves."""
        return QSize(240, 140)

    def add(self, step: int, loss: float | None, gain: float | None) -> None:
        """Take what a step gave."""
        if loss is not None:
            self.loss.add(step, loss)
        if gain is not None:
            self.gain.add(step, gain)
        self.update()

    def start_with(self, past: Past) -> None:
        """Take what was told before, ahead of what comes now."""
        for curve, points in ((self.loss, past.loss), (self.gain, past.gain)):
            for point in points:
                curve.add(*point)
        self.update()

    def clear(self) -> None:
        """Forget both curves."""
        self.loss.clear()
        self.gain.clear()
        self.update()

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Draw both curves."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        half = self.height() / 2
        last = max((curve.points[-1][0] for curve in (self.loss, self.gain) if curve.points), default=1)
        for top, curve, panel in ((0.0, self.loss, LOSS), (half, self.gain, GAIN)):
            area = QRectF(0, top, self.width(), half - MARGIN)
            panel.draw(painter, area, curve.points, last, self.palette().windowText().color())
        painter.end()


@dataclass(frozen=True)
class Panel:
    """How a curve is drawn.

    Attributes
    ----------
    name : str
    pattern : str
        Formats a value.
    color : str
    """

    name: str
    pattern: str
    color: str

    def draw(self, painter: QPainter, area: QRectF, points: list[Point], last: float, ink: QColor) -> None:
        """Draw the points of steps up to `last`, with the curve's range and its last value above them."""
        title = painter.fontMetrics().height()
        plot = area.adjusted(0, title, 0, 0)
        faint = QColor(ink)
        faint.setAlphaF(0.4)
        painter.setPen(faint)
        painter.drawLine(plot.bottomLeft(), plot.bottomRight())
        low, high = shown_range(points, last)
        if high > low:
            ends = f"{self.pattern.format(low)} to {self.pattern.format(high)}"
            painter.drawText(area, int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop), ends)
        painter.setPen(ink)
        now = f"{self.name} {self.pattern.format(points[-1][1])}" if points else self.name
        painter.drawText(area, int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignTop), now)
        painter.setPen(QPen(QColor(self.color), 1.5))
        placed = _placed(points, plot.adjusted(MARGIN, MARGIN, -MARGIN, -MARGIN), last, (low, high))
        painter.drawPolyline(QPolygonF(placed))
        painter.setBrush(QColor(self.color))
        for point in placed if len(placed) < FEW else ():
            painter.drawEllipse(point, 2, 2)


LOSS, GAIN = Panel("loss", "{:.3g}", "#4c9be8"), Panel("gain", "{:+.2f} dB", "#e8a33d")


def shown_range(points: Sequence[Point], last: float) -> tuple[float, float]:
    """Return the least and the largest value that a picture of the curve shows.

    The first steps of many fall from so high that the rest would be flat beside them, so that they may
    leave the picture.

    Examples
    --------
    >>> shown_range([(1, 9.0), (50, 2.0), (100, 1.0)], 100)
    (1.0, 9.0)
    >>> shown_range([(step, 900 / step) for step in range(1, 101)], 100)
    (9.0, 90.0)
    """
    values = [value for step, value in points if len(points) < FEW or step >= SETTLED * last]
    return (min(values), max(values)) if values else (0.0, 0.0)


def _placed(
    points: list[Point], plot: QRectF, last: float, ends: tuple[float, float]
) -> list[QPointF]:  # fmt: skip
    low, high = ends
    scale = plot.height() / (high - low) if high > low else 0.0
    return [
        QPointF(
            plot.left() + plot.width() * step / last,
            plot.bottom() - scale * (min(max(value, low), high) - low),
        )
        for step, value in points
    ]
