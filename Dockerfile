# kinoscope on the CPU: docker build -t kinoscope .
FROM node:22-slim AS node

FROM python:3.12-slim

# npm, in which some weights are distributed.
COPY --from=node /usr/local/bin/node /usr/local/bin/node
COPY --from=node /usr/local/lib/node_modules/npm /usr/local/lib/node_modules/npm
RUN ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm

WORKDIR /src
COPY constraints.txt pyproject.toml README.md LICENSE ./

# torch comes first and alone, as in the Makefile. The default index has the build with CUDA; an index of CPU builds
# makes the image several GB smaller: --build-arg TORCH_INDEX=URL.
ARG TORCH_INDEX=""
RUN python -m pip install --no-cache-dir ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} torch==2.13.0

COPY src src
RUN python -m pip install --no-cache-dir -c constraints.txt '.[speech,export]'

# Weights are cached in /models; videos and results are in /data. Neither is part of the image.
RUN useradd --create-home --uid 1000 kinoscope && install -d -o kinoscope -g kinoscope /models /data
USER kinoscope
ENV KINOSCOPE_CACHE=/models
WORKDIR /data
VOLUME ["/models", "/data"]

ENTRYPOINT ["kinoscope"]
CMD ["--help"]
