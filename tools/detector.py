"""Makes the detector of `make vision`: `python -m tools.detector FOLDER FILE`.

FOLDER is that of an npm package with NanoDet-g as a TensorFlow.js graph. FILE becomes the same
network for onnxruntime. It needs the package onnx, which nothing else does.
"""

import base64
import hashlib
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

_OPSET, _IR = 18, 10
_DIGESTS = {
    "nanodet.json": "13fd80e63375bc0f825f471faaa22c79a304a9b365b18037513c03cf5e83a4b8",
    "nanodet.bin": "5d0e4f8c4eded666287330be03017d494787d35f523fd77ca23f59db984a4ad9",
}
_PREFIX = "PartitionedCall/onnx_tf_prefix_"
_INPUT, _SHAPE = "input_1", (1, 3, 416, 416)
_GRIDS = {154: 52, 165: 26, 176: 13}
# Of each grid: how sure it is of each kind, and the distances to the four sides of its box. What
# comes behind them only changes the order of axes.
_OUTPUTS: Mapping[str, tuple[int, int, int, int]] = {
    **{f"{_PREFIX}Sigmoid_{at}": (1, 80, side, side) for at, side in _GRIDS.items()},
    **{f"{_PREFIX}Split_{at - 1}:1": (1, 44, side, side) for at, side in _GRIDS.items()},
}
_TO_NCHW, _TO_NHWC = [0, 3, 1, 2], [0, 2, 3, 1]

Array = npt.NDArray[Any]


class ConversionError(Exception):
    """The package is not the one that this program was written for."""


@dataclass(frozen=True, slots=True)
class _Node:
    """A node of a TensorFlow graph; its constant inputs have their values in `constants`."""

    name: str
    inputs: Sequence[str]
    attributes: Mapping[str, Any]
    constants: Mapping[str, Array]

    def constant(self, place: int) -> Array:
        """Return the value of an input."""
        return self.constants[self.inputs[place]]

    def integers(self, name: str) -> list[int]:
        """Return an attribute that is a list."""
        return [int(one) for one in self.attributes[name]["list"].get("i", [])]

    def text(self, name: str) -> str:
        """Return an attribute that is a text."""
        return base64.b64decode(self.attributes[name]["s"]).decode()


@dataclass(slots=True)
class _Writer:
    """The ONNX graph as it grows."""

    nodes: list[Any] = field(default_factory=list)
    constants: dict[str, Array] = field(default_factory=dict)

    def add(self, kind: str, inputs: Sequence[str], *outputs: str, **options: Any) -> str:
        """Add a node; returns the name of its first output, a new one where none is given."""
        names = list(outputs) or [f"between_{len(self.nodes)}"]
        name = f"node_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), names, name=name, **options))
        return names[0]

    def constant(self, value: Array) -> str:
        """Add a constant; returns its name."""
        name = f"constant_{len(self.constants)}"
        self.constants[name] = np.ascontiguousarray(value)
        return name

    def turned(self, name: str, axes: Sequence[int], *outputs: str) -> str:
        """Add a change of axes."""
        return self.add("Transpose", [name], *outputs, perm=list(axes))


def _convolution(node: _Node, writer: _Writer) -> None:
    weights = node.constant(1).transpose(3, 2, 0, 1)
    is_nchw = node.text("data_format") == "NCHW"
    sides = slice(2, 4) if is_nchw else slice(1, 3)
    source = node.inputs[0] if is_nchw else writer.turned(node.inputs[0], _TO_NCHW)
    padding = {"SAME": "SAME_UPPER", "VALID": "VALID"}[node.text("padding")]
    result = writer.add(
        "Conv",
        [source, writer.constant(weights)],
        *([node.name] if is_nchw else []),
        strides=node.integers("strides")[sides],
        dilations=node.integers("dilations")[sides],
        auto_pad=padding,
    )
    if not is_nchw:
        writer.turned(result, _TO_NHWC, node.name)


def _pooling(node: _Node, writer: _Writer) -> None:
    source = writer.turned(node.inputs[0], _TO_NCHW)
    padding = {"SAME": "SAME_UPPER", "VALID": "VALID"}[node.text("padding")]
    shape, strides = node.integers("ksize")[1:3], node.integers("strides")[1:3]
    options = {"kernel_shape": shape, "strides": strides, "auto_pad": padding}
    writer.turned(writer.add("MaxPool", [source], **options), _TO_NHWC, node.name)


def _padding(node: _Node, writer: _Writer) -> None:
    before_and_after = node.constant(1).T.ravel().astype(np.int64)
    inputs = [node.inputs[0], writer.constant(before_and_after)]
    if len(node.inputs) > 2:
        inputs.append(writer.constant(node.constant(2).astype(np.float32)))
    writer.add("Pad", inputs, node.name)


def _resizing(node: _Node, writer: _Writer) -> None:
    corners = bool(node.attributes.get("align_corners", {}).get("b"))
    centers = bool(node.attributes.get("half_pixel_centers", {}).get("b"))
    mode = "align_corners" if corners else "half_pixel" if centers else "asymmetric"
    source = writer.turned(node.inputs[0], _TO_NCHW)
    bounds = [writer.constant(np.array([at], np.int64)) for at in (0, 2)]
    kept = writer.add("Slice", [writer.add("Shape", [source]), *bounds])
    wanted = writer.constant(node.constant(1).astype(np.int64))
    size = writer.add("Concat", [kept, wanted], axis=0)
    options = {"mode": "linear", "coordinate_transformation_mode": mode}
    writer.turned(writer.add("Resize", [source, "", "", size], **options), _TO_NHWC, node.name)


def _joining(node: _Node, writer: _Writer) -> None:
    writer.add("Concat", node.inputs[:-1], node.name, axis=int(node.constant(-1).item()))


def _splitting(node: _Node, writer: _Writer) -> None:
    lengths = writer.constant(node.constant(1).astype(np.int64))
    names = [node.name, *(f"{node.name}:{at}" for at in range(1, len(node.constant(1))))]
    axis = int(node.constant(2).item())
    writer.add("Split", [node.inputs[0], lengths], *names, axis=axis)


def _turning(node: _Node, writer: _Writer) -> None:
    writer.turned(node.inputs[0], [int(one) for one in node.constant(1)], node.name)


def _reshaping(node: _Node, writer: _Writer) -> None:
    shape = writer.constant(node.constant(1).astype(np.int64))
    writer.add("Reshape", [node.inputs[0], shape], node.name)


def _adding(node: _Node, writer: _Writer) -> None:
    writer.add("Add", node.inputs[:2], node.name)


def _leaking(node: _Node, writer: _Writer) -> None:
    slope = float(node.attributes.get("alpha", {}).get("f", 0.2))
    writer.add("LeakyRelu", node.inputs[:1], node.name, alpha=slope)


def _squashing(node: _Node, writer: _Writer) -> None:
    writer.add("Sigmoid", node.inputs[:1], node.name)


_CONVERSIONS: Mapping[str, Callable[[_Node, _Writer], None]] = {
    "Add": _adding,
    "AddV2": _adding,
    "ConcatV2": _joining,
    "Conv2D": _convolution,
    "LeakyRelu": _leaking,
    "MaxPool": _pooling,
    "Pad": _padding,
    "PadV2": _padding,
    "Reshape": _reshaping,
    "ResizeBilinear": _resizing,
    "Sigmoid": _squashing,
    "SplitV": _splitting,
    "Transpose": _turning,
}


def converted(folder: Path) -> Any:
    """Return the ONNX model of the network in a folder; raises ConversionError."""
    graph = json.loads(_checked(folder / "nanodet.json"))
    weights = dict(_weights(graph, _checked(folder / "nanodet.bin")))
    nodes = {node["name"]: node for node in graph["modelTopology"]["node"]}
    writer = _Writer()
    for name in _in_order(nodes):
        node = nodes[name]
        if node["op"] == "Const":
            writer.constants[name] = weights[name]
        elif node["op"] != "Placeholder":
            inputs = [one.removesuffix(":0") for one in node["input"]]
            read = _Node(name, inputs, node.get("attr", {}), weights)
            _CONVERSIONS[node["op"]](read, writer)
    return _model(writer)


def _checked(path: Path) -> bytes:
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != _DIGESTS[path.name]:
        raise ConversionError(f"{path.name} is not the file that this program was written for.")
    return data


def _weights(graph: Mapping[str, Any], data: bytes) -> Iterator[tuple[str, Array]]:
    """Yield the names and values of all constants: 16-bit floats, or 32-bit integers."""
    at = 0
    for group in graph["weightsManifest"]:
        for weight in group["weights"]:
            is_half = weight.get("quantization", {}).get("dtype") == "float16"
            kind = np.dtype(np.float16 if is_half else weight["dtype"])
            count = int(np.prod(weight["shape"], dtype=np.int64))
            value = np.frombuffer(data, kind, count, at).reshape(weight["shape"])
            yield weight["name"], value.astype(np.float32) if is_half else value
            at += count * kind.itemsize


def _in_order(nodes: Mapping[str, Any]) -> list[str]:
    """Return the names of the nodes that the outputs need, each behind those that it needs."""
    order: dict[str, None] = {}
    waiting = [(name.partition(":")[0], False) for name in _OUTPUTS]
    while waiting:
        name, is_ready = waiting.pop()
        if is_ready:
            order[name] = None
        elif name not in order:
            waiting.append((name, True))
            inputs = nodes[name].get("input", [])
            waiting += [(one.partition(":")[0], False) for one in reversed(inputs)]
    return list(order)


def _model(writer: _Writer) -> Any:
    used = {name for node in writer.nodes for name in node.input}
    values = [
        numpy_helper.from_array(value, name)
        for name, value in writer.constants.items()
        if name in used
    ]
    floats = TensorProto.FLOAT
    outputs = [(name, floats, shape) for name, shape in _OUTPUTS.items()]
    graph = helper.make_graph(
        writer.nodes,
        "nanodet",
        [helper.make_tensor_value_info(_INPUT, floats, _SHAPE)],
        [helper.make_tensor_value_info(*output) for output in outputs],
        values,
    )
    opsets = [helper.make_opsetid("", _OPSET)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=_IR)


def main() -> None:
    """Convert, and write the file in one step."""
    folder, file = (Path(one) for one in sys.argv[1:])
    model = converted(folder)
    onnx.checker.check_model(model)
    unfinished = file.with_suffix(".part")
    onnx.save(model, unfinished)
    unfinished.replace(file)


if __name__ == "__main__":
    main()
