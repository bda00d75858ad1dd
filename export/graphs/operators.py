"""Groups of ONNX operators that the precision passes and the lint treat alike."""

from __future__ import annotations

from typing import Final

# fmt: off
FP32: Final = frozenset({
    # normalisations and softmax
    "LayerNormalization", "GroupNormalization", "InstanceNormalization", "BatchNormalization",
    "RMSNormalization", "LpNormalization", "MeanVarianceNormalization", "Softmax", "LogSoftmax",
    # sums and means
    "ReduceMean", "ReduceSum", "ReduceSumSquare", "ReduceL1", "ReduceL2", "ReduceLogSum",
    "ReduceLogSumExp", "ReduceProd", "GlobalAveragePool", "GlobalLpPool", "CumSum", "Sum",
    "Mean",
    # wide dynamics
    "Pow", "Exp", "Log", "Sqrt", "Reciprocal", "Softplus",
    # index arithmetic, sampling, and operators whose side inputs must be fp32
    "Floor", "Ceil", "Round", "Mod", "Range", "Resize", "Upsample", "GridSample",
    "RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike", "EyeLike",
    "Bernoulli",
    # scales stay fp32
    "QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear",
})
"""Always computed in fp32."""

CHEAP: Final = frozenset({
    "Add", "Sub", "Mul", "Div", "Neg", "Abs", "Relu", "LeakyRelu", "PRelu", "Clip", "Min",
    "Max", "Sigmoid", "Tanh", "Erf", "Gelu", "HardSigmoid", "HardSwish", "Elu", "Selu", "Where",
    "Cast", "Identity", "Dropout", "Reshape", "Flatten", "Transpose", "Squeeze", "Unsqueeze",
    "Concat", "Slice", "Split", "Expand", "Tile", "Gather", "Pad",
})
"""Not worth a pair of casts when everything around them is fp32."""

LAYOUT: Final = frozenset({
    "Transpose", "Reshape", "Squeeze", "Unsqueeze", "Flatten", "Identity",
})
"""They move values and leave them as they are."""

UNSAFE_IN_FP16: Final = frozenset({
    "LayerNormalization", "InstanceNormalization", "GroupNormalization", "Softmax",
    "LogSoftmax", "ReduceMean", "ReduceSum", "ReduceSumSquare", "ReduceL2", "GlobalAveragePool",
    "Pow", "Exp", "CumSum",
})
"""Sums, squares and exponentials that overflow or lose their small parts in half precision."""

RANDOM: Final = frozenset({
    "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Bernoulli",
})

INTEGER: Final = frozenset({
    "DynamicQuantizeLinear", "MatMulInteger", "ConvInteger", "QLinearMatMul", "QLinearConv",
})
"""Integer arithmetic that is not in Q/DQ form."""

DATA_DEPENDENT: Final = frozenset({"NonZero", "Unique", "Compress", "NonMaxSuppression"})
"""The shape of their output depends on the values of their input."""
# fmt: on
