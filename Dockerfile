# outhaul in a container: docs/installing.md says how it is run.
# Two stages: wheels are made where pip is, and what runs has neither a compiler nor a package cache.

FROM python:3.13-slim-bookworm AS build
WORKDIR /build
COPY pyproject.toml hatch_build.py README.md LICENSE ./
COPY src ./src
# For digests.c, which is optional: what runs has no compiler.
RUN apt-get update && apt-get install --yes --no-install-recommends gcc libc6-dev
RUN python -m venv /opt/outhaul \
 && /opt/outhaul/bin/pip install --no-cache-dir --disable-pip-version-check . \
 && /opt/outhaul/bin/python -m pip uninstall --yes pip

FROM python:3.13-slim-bookworm
LABEL org.opencontainers.image.title="outhaul" \
      org.opencontainers.image.description="Carries finished files to object storage, proves that they arrived, and only then lets go of the local copy" \
      org.opencontainers.image.licenses="Apache-2.0"
# The owner of the files on the host is to be the user of the container: docker run --user "$(stat -c %u:%g /data)".
RUN groupadd --gid 10001 outhaul \
 && useradd --uid 10001 --gid outhaul --home-dir /var/lib/outhaul --create-home --shell /usr/sbin/nologin outhaul \
 && install -d -o outhaul -g outhaul -m 0700 /var/lib/outhaul \
 && install -d -o outhaul -g outhaul -m 0755 /data /etc/outhaul
COPY --from=build /opt/outhaul /opt/outhaul
ENV PATH=/opt/outhaul/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1
USER outhaul
# The ledger must outlive the container: it knows which files are safe.
VOLUME ["/var/lib/outhaul", "/data"]
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5m --timeout=30s --start-period=1m --retries=1 CMD ["outhaul", "health", "--state", "/var/lib/outhaul"]
ENTRYPOINT ["outhaul"]
CMD ["watch", "/etc/outhaul/outhaul.toml", "--state", "/var/lib/outhaul"]
