"""A vision projector with random weights, in llama.cpp's file format, for the bundled text model.

It makes that model take pictures; what it says of them is nonsense. A projector of another width
does not belong to the model, and neither does one for a model with other words for pictures.
Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

import random
import struct
from array import array
from collections.abc import Mapping
from math import prod
from pathlib import Path

BUNDLED_WIDTH = 576  # of an embedding of SmolLM2-135M
LLAVA, IDEFICS = "mlp", "idefics3"
_VERSION, _ALIGNMENT, _F32 = 3, 32, 0
_UINT32, _FLOAT32, _BOOL, _STRING, _ARRAY = 4, 6, 7, 8, 9
_WIDTH, _INNER, _SIDE, _PATCH, _LAYERS = 32, 64, 64, 16, 2
_PATCHES, _SCALE = (_SIDE // _PATCH) ** 2, 2
Shape = tuple[int, ...]


def write_projector(path: Path, width: int = BUNDLED_WIDTH, kind: str = LLAVA) -> Path:
    """Write a projector of a kind to embeddings of a width, and return its path."""
    shapes, facts = _shapes(width, kind), _facts(width, kind)
    chance = random.Random(16)  # noqa: S311  # weights, not secrets
    head = struct.pack("<4sIQQ", b"GGUF", _VERSION, len(shapes), len(facts))
    head += b"".join(_text(key) + value for key, value in facts.items())
    offset, bodies = 0, []
    for name, shape in shapes.items():
        head += _text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, _F32, offset)
        weights = array("f", (chance.gauss(0, 0.02) for _ in range(prod(shape)))).tobytes()
        bodies.append(_padded(weights))
        offset += len(bodies[-1])
    path.write_bytes(_padded(head) + b"".join(bodies))
    return path


def _facts(width: int, kind: str) -> Mapping[str, bytes]:
    vision = {
        "image_size": _SIDE,
        "patch_size": _PATCH,
        "embedding_length": _WIDTH,
        "feed_forward_length": _INNER,
        "projection_dim": width,
        "attention.head_count": 2,
        "block_count": _LAYERS,
        "projector.scale_factor": _SCALE,
    }
    middle = struct.pack("<IIQ3f", _ARRAY, _FLOAT32, 3, 0.5, 0.5, 0.5)
    return {
        "general.architecture": struct.pack("<I", _STRING) + _text("clip"),
        "clip.projector_type": struct.pack("<I", _STRING) + _text(kind),
        "clip.has_vision_encoder": struct.pack("<IB", _BOOL, 1),
        "clip.use_gelu": struct.pack("<IB", _BOOL, 1),
        "clip.vision.attention.layer_norm_epsilon": struct.pack("<If", _FLOAT32, 1e-5),
        "clip.vision.image_mean": middle,
        "clip.vision.image_std": middle,
        **{f"clip.vision.{name}": struct.pack("<II", _UINT32, of) for name, of in vision.items()},
    }


def _shapes(width: int, kind: str) -> Mapping[str, Shape]:
    shapes: dict[str, Shape] = {"v.patch_embd.weight": (_PATCH, _PATCH, 3, _WIDTH)}
    for layer in range(_LAYERS):
        block = f"v.blk.{layer}"
        for norm in ("ln1", "ln2"):
            shapes |= _both(f"{block}.{norm}", _WIDTH)
        for part in ("attn_q", "attn_k", "attn_v", "attn_out"):
            shapes |= _both(f"{block}.{part}", _WIDTH, _WIDTH)
        shapes |= _both(f"{block}.ffn_up", _WIDTH, _INNER)
        shapes |= _both(f"{block}.ffn_down", _INNER, _WIDTH)
    if kind == IDEFICS:
        last = {"mm.model.fc.weight": (_WIDTH * _SCALE * _SCALE, width)}
        return shapes | {"v.position_embd.weight": (_WIDTH, _PATCHES)} | last
    shapes |= _both("v.pre_ln", _WIDTH) | _both("mm.0", _WIDTH, width) | _both("mm.2", width, width)
    # One position is that of the class.
    return shapes | {"v.class_embd": (_WIDTH,), "v.position_embd.weight": (_WIDTH, _PATCHES + 1)}


def _both(name: str, *shape: int) -> dict[str, Shape]:
    """Return the weight and the bias of a layer."""
    return {f"{name}.weight": shape, f"{name}.bias": shape[-1:]}


def _text(text: str) -> bytes:
    return struct.pack("<Q", len(text)) + text.encode()


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % _ALIGNMENT)
