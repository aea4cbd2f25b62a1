# syntax=docker/dockerfile:1
# Plugstorm as an image: `docker build -t plugstorm .`; with `--target locust` it is what Locust's operator for
# Kubernetes expects. docs/install.md says more; `make image-test` takes every step of this file.

# Debian 12, as in the test of this file. The packages above it are pinned with hashes by deploy/*.lock.
FROM python:3.11-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /build
# The packages change less often than the code, so they are a layer of their own.
COPY deploy/build.lock deploy/runtime.lock ./
RUN python -m venv tools \
 && tools/bin/python -m pip install --require-hashes --no-deps -r build.lock \
 && python -m venv /opt/plugstorm \
 && /opt/plugstorm/bin/python -m pip install --require-hashes --no-deps --only-binary :all: -r runtime.lock
COPY . source
WORKDIR /build/source
# Without pip: nothing is installed into the finished image.
RUN ../tools/bin/python -m hatchling build -t wheel -d ../dist \
 && /opt/plugstorm/bin/python -m pip install --no-index --no-deps ../dist/*.whl \
 && /opt/plugstorm/bin/python -m pip check \
 && /opt/plugstorm/bin/python -m compileall -q /opt/plugstorm/lib \
 && /opt/plugstorm/bin/python -m pip uninstall --yes pip

FROM python:3.11-slim-bookworm AS base
LABEL org.opencontainers.image.title="Plugstorm" \
      org.opencontainers.image.description="Load-test and interoperability harness for EV-charging back ends (OCPP-J)" \
      org.opencontainers.image.licenses="Apache-2.0"
# Run folders go to runs/ of the working directory; Locust's operator mounts locustfiles over the home of locust.
RUN useradd --uid 1000 --home-dir /plugstorm --create-home plugstorm \
 && mkdir -p /home/locust /plugstorm/runs \
 && chown 1000:1000 /home/locust /plugstorm/runs
COPY --from=build /opt/plugstorm /opt/plugstorm
COPY --chown=1000:1000 deploy/locustfile.py /home/locust/locustfile.py
COPY deploy/healthcheck.py /opt/plugstorm/healthcheck.py
# PLUGSTORM_ROOMS: every Python of /opt/plugstorm finds the rooms, so `locust -f` works with locustfiles of people.
ENV PATH=/opt/plugstorm/bin:$PATH PLUGSTORM_ROOMS=1 PYTHONUNBUFFERED=1
USER 1000:1000
HEALTHCHECK --interval=10s --timeout=5s --start-period=15s --retries=3 \
  CMD ["python", "/opt/plugstorm/healthcheck.py"]

# Locust itself: `docker run IMAGE --master`, as the operator calls it.
FROM base AS locust
WORKDIR /home/locust
EXPOSE 5557 8089
ENTRYPOINT ["locust"]

# The last stage is what a build without --target makes.
FROM base AS plugstorm
WORKDIR /plugstorm
VOLUME /plugstorm/runs
EXPOSE 5557 8089 9000 9001
ENTRYPOINT ["plugstorm"]
CMD ["--help"]
