"""A window that moves over an input: padding, stride, kernel, dilation; convolution or max-pooling."""

from traitlets import Bool, Enum, Int

from ee559.figures.interactive.figure import InteractiveFigure, module_source


class Windows(InteractiveFigure):
    """Step a window over a square input, with the sum of each output and the formula of its size.

    Source: slides B1 to B4.
    """

    module = "windows"
    state = ("operation", "input_size", "kernel_size", "stride", "padding", "dilation", "ceil_mode", "place")
    data = ("playing",)
    _esm = module_source("windows")

    operation = Enum(("convolution", "max-pooling"), "convolution").tag(sync=True)
    input_size = Int(5).tag(sync=True)
    kernel_size = Int(3).tag(sync=True)
    stride = Int(1).tag(sync=True)
    padding = Int(0).tag(sync=True)
    dilation = Int(1).tag(sync=True)
    ceil_mode = Bool(False).tag(sync=True)
    place = Int(0).tag(sync=True)
    playing = Bool(False).tag(sync=True)
