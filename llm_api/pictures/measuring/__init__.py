"""The program of a measuring process, which alone knows NumPy, OpenCV, onnxruntime and RapidOCR.

`answering` reads requests and answers them: `pixels` decodes, `flaws` has the technical flags,
`lettering` reads text, `detector` finds objects. A worker imports nothing of it; its sandbox and
its decoders are those of `llm_api.pictures.child`.
"""
