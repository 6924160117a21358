"""Torch operations that the exporter does not know, or turns into more nodes than ONNX Runtime needs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from onnxscript import opset20

_op: Any = opset20


def _stable_sort(values: Any, *, stable: bool, dim: int = -1, descending: bool = False) -> Any:
    """The exporter knows no stable sort; ONNX's TopK is one, as it gives equal values in their order."""
    return _op.TopK(values, _op.Shape(values, start=dim, end=dim + 1), axis=dim, largest=int(descending))


def _matmul(left: Any, right: Any) -> Any:
    """As the exporter's, but for a vector on the right (attention's v), a sum along each row.

    ONNX Runtime multiplies by a vector slowly, or adds up a row in another way for another number of rows.
    """
    if len(right.shape) != 1:
        return _op.MatMul(left, right)
    return _op.ReduceSum(_op.Mul(left, right), _op.Constant(value_ints=[-1]), keepdims=0)


def _mean(x: Any, dim: Any, keepdim: bool = False, dtype: Any = None) -> Any:
    """As the exporter's, but over a photo's locations by a product, photo for photo.

    ONNX Runtime adds up in another order for another number of photos; what is then rounded to integers may differ.
    """
    if len(x.shape) == 3 and list(dim) == [1] and keepdim and isinstance(x.shape[1], int):
        share = _op.Constant(value_floats=[1 / x.shape[1]] * x.shape[1])
        return _op.MatMul(_op.Unsqueeze(share, [0]), x)
    return _op.ReduceMean(x, _op.Constant(value_ints=list(dim)), keepdims=int(keepdim))


def _gather(data: Any, dim: int, index: Any, sparse_grad: bool = False) -> Any:
    """As the exporter's, but by one index a row where `select` spread it over the row."""
    spread = index.producer()
    if dim == 1 and spread is not None and spread.op_type == "Expand":
        row = spread.inputs[0]  # (P, K, 1, ...)
        if len(row.shape) > 2 and all(size == 1 for size in row.shape[2:]):
            return _op.GatherND(data, row if len(row.shape) == 3 else _op.Reshape(row, [0, 0, 1]), batch_dims=1)
    return _op.GatherElements(data, index, axis=dim)


def _floor_divide(left: Any, right: Any) -> Any:
    """Of indices, which are never negative; the exporter's has eight nodes to see to those that are."""
    return _op.Div(left, right)


def _remainder(left: Any, right: Any) -> Any:
    """Of indices, as `_floor_divide`."""
    return _op.Mod(left, right)


def _lerp(start: Any, end: Any, weight: Any) -> Any:
    """The exporter's takes the other end for weights over a half, for the last bit of accuracy."""
    return _op.Add(start, _op.Mul(weight, _op.Sub(end, start)))


TRANSLATIONS: dict[Callable[..., Any], Callable[..., Any]] = {
    torch.ops.aten.sort.stable: _stable_sort,
    torch.ops.aten.matmul.default: _matmul,
    torch.ops.aten.mean.dim: _mean,
    torch.ops.aten.gather.default: _gather,
    torch.ops.aten.floor_divide.default: _floor_divide,
    torch.ops.aten.remainder.Scalar: _remainder,
    torch.ops.aten.lerp.Tensor: _lerp,
}
