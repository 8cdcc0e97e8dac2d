"""Forms whose fields take the width that the dock gives, however long their entries are."""

from __future__ import annotations

from qtpy.QtWidgets import QComboBox, QFormLayout, QLayout, QSizePolicy, QWidget


def make_form(*rows: tuple[str, QWidget | QLayout]) -> QFormLayout:
    """Return a form without margins, of labels and fields."""
    form = QFormLayout()
    form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
    form.setContentsMargins(0, 0, 0, 0)
    for label, field in rows:
        form.addRow(label, field)
    return form


def show_row(form: QFormLayout, field: QWidget, *, shown: bool) -> None:
    """Show or hide a field with its label; QFormLayout.setRowVisible is missing in Qt 5."""
    field.setVisible(shown)
    label = form.labelForField(field)
    if label is not None:
        label.setVisible(shown)


def fill_the_width(choice: QComboBox) -> None:
    """Let a drop-down be as wide as its place, not as its longest entry."""
    choice.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    choice.setMinimumContentsLength(12)
    choice.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
