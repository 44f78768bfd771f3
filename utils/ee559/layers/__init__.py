"""The lecture's table of a module's operations: recorder.py watches it run, names.py and formulas.py write a row."""

from ee559.layers.table import LayerTable, layer_table

__all__ = ["LayerTable", "layer_table"]
