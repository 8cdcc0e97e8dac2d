"""The curves of a training: the loss of each step, and the gain over the JPEG where it was measured."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import QPointF, QRectF, QSize, Qt
from qtpy.QtGui import QColor, QPainter, QPaintEvent, QPen, QPolygonF
from qtpy.QtWidgets import QSizePolicy, QWidget

MOST_POINTS = 600
"""Of a curve; beyond that neighbours are joined to their mean."""
LOSS_COLOR, GAIN_COLOR = QColor("#4c9be8"), QColor("#e8a33d")
MARGIN = 4
SETTLED = 0.1
"""The part of a curve, from its start, that may leave the picture above or below."""
Point = tuple[float, float]


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
        for top, curve, name, pattern, color in (
            (0.0, self.loss, "loss", "{:.3g}", LOSS_COLOR),
            (half, self.gain, "gain, dB", "{:+.2f}", GAIN_COLOR),
        ):
            area = QRectF(0, top, self.width(), half - MARGIN)
            self._draw(painter, area, curve.points, last, (name, pattern), color)
        painter.end()

    def _draw(
        self, painter: QPainter, area: QRectF, points: list[Point], last: float, text: tuple[str, str],
        color: QColor,
    ) -> None:  # fmt: skip
        name, pattern = text
        ink = self.palette().windowText().color()
        line = painter.fontMetrics().height()
        painter.setPen(ink)
        now = f"{name} {pattern.format(points[-1][1])}" if points else name
        painter.drawText(area, int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignTop), now)
        plot = area.adjusted(0, line, 0, 0)
        frame = QColor(ink)
        frame.setAlphaF(0.3)
        painter.setPen(frame)
        painter.drawLine(plot.bottomLeft(), plot.bottomRight())
        if points:
            painter.setPen(QPen(color, 1.5))
            placed = _placed(points, plot.adjusted(MARGIN, MARGIN, -MARGIN, -MARGIN), last)
            painter.drawPolyline(QPolygonF(placed))
            if len(points) < 30:  # each stands for itself
                painter.setBrush(color)
                for point in placed:
                    painter.drawEllipse(point, 2, 2)


def _placed(points: list[Point], plot: QRectF, last: float) -> list[QPointF]:
    # The first steps fall from so high that the rest would be flat beside them.
    settled = [value for step, value in points if step >= SETTLED * last] or [points[-1][1]]
    low, high = min(settled), max(settled)
    scale = plot.height() / (high - low) if high > low else 0.0
    return [
        QPointF(
            plot.left() + plot.width() * step / last,
            plot.bottom() - scale * (min(max(value, low), high) - low),
        )
        for step, value in points
    ]
