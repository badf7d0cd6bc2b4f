"""What the tests of measuring share: judged pictures, and what an installation has."""

import importlib.util

import pytest
from PIL import Image

from llm_api.domain.judging import JudgedPicture
from llm_api.pictures.meter import DETECTOR
from tests.pictures import making, scenes
from tests.support.service import REPOSITORY_ROOT

needs_packages = pytest.mark.skipif(
    importlib.util.find_spec("rapidocr") is None,
    reason="requirements/vision.txt is not installed: `make run` installs it",
)
needs_samples = pytest.mark.skipif(
    not scenes.SAMPLES.is_dir(), reason="no .models/samples: `make test` installs them"
)
needs_detector = pytest.mark.skipif(
    not (REPOSITORY_ROOT / DETECTOR).is_file(),
    reason="no .models/vision: `make vision` installs the detector",
)


def judged(image: Image.Image, original: bytes | None = None) -> JudgedPicture:
    """Return a picture as judges get it; `original` is what came in, if it is something else."""
    data = making.written(image, "PNG", compress_level=1)
    return JudgedPicture(data, "image/png", image.width, image.height, original or data)
