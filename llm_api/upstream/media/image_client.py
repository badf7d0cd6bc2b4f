"""The client of one vendor of pictures."""

from llm_api.domain.images import ImageRequest
from llm_api.domain.making import FittedRequest
from llm_api.upstream.media.fitting.fitting import fitted
from llm_api.upstream.media.image_profiles import ImageModel
from llm_api.upstream.media.protocols import protocol_of
from llm_api.upstream.media.vendor_client import VendorClient
from llm_api.upstream.media.vendor_protocol import VendorProtocol


class ImageClient(VendorClient[ImageRequest, ImageModel]):
    """Calls one vendor; an ImageUpstream."""

    def fit(self, request: ImageRequest, model: str) -> FittedRequest:
        """See VendorUpstream."""
        return fitted(request, self.traits_of(model), model)

    def _speaker(self, model: ImageModel) -> VendorProtocol:
        return protocol_of(model)
