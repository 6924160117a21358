# The light tier and the service, with the model that comes along. Needs nothing but memory at run time:
#   docker build --tag sightline . && docker run --read-only --publish 127.0.0.1:8000:8000 sightline
FROM python:3.13-slim AS build
WORKDIR /build
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY src src
# Compiled here once: a read-only container could not keep what it compiles. What captioning never loads is left behind.
RUN python -m venv /sightline \
    && /sightline/bin/pip install --no-cache-dir --constraint constraints.txt ".[serve]" \
    && /sightline/bin/pip uninstall --yes pip \
    && find /sightline -type d -name tests -prune -exec rm -rf {} + \
    && rm -rf /sightline/lib/python3*/site-packages/onnxruntime/transformers \
        /sightline/lib/python3*/site-packages/onnxruntime/quantization \
        /sightline/lib/python3*/site-packages/onnxruntime/tools \
    && /sightline/bin/sightline info

FROM python:3.13-slim
COPY --from=build /sightline /sightline
USER 65532:65532
# ONNX Runtime would otherwise keep an identity in the user's folder and look for a host to report to.
ENV PATH=/sightline/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 ORT_DISABLE_TELEMETRY=1
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s CMD ["python", "-c", \
    "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/readyz', timeout=2)"]
ENTRYPOINT ["sightline", "serve", "--host", "0.0.0.0"]
