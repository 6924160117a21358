"""The HTTP service: photos in by multipart upload, captions out as JSON. Needs the extra ``serve``."""
