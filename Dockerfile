# Both steps are scripts that .ci/run runs without a Docker engine.
FROM golang:1.26-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends python3-venv
COPY . /src
RUN /src/.ci/image-app /opt/clusterops && /src/.ci/image-tools /opt/clusterops /out

FROM debian:bookworm-slim
RUN apt-get update \
 && apt-get install -y --no-install-recommends python3 ca-certificates \
 && rm -rf /var/lib/apt/lists/* \
 && install -d -o 65532 -g 65532 /var/cache/clusterops
COPY --from=build /out/helm /out/kustomize /usr/local/bin/
COPY --from=build /opt/clusterops /opt/clusterops
# State lives in git and in the management cluster; the cache may vanish at any time.
ENV PATH=/opt/clusterops/bin:$PATH HOME=/tmp CLUSTEROPS_CACHE_DIR=/var/cache/clusterops CLUSTEROPS_DAEMON_LISTEN_HOST=0.0.0.0
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["clusterops"]
CMD ["run"]
