# The image: rpftrace with what it needs to run, no compiler. docs/container.md says how to run it.
#
#     docker build -t rpftrace .
#
# The Debian packages of both stages stand in scripts/debian-packages.txt. HEALTHCHECK is of Docker's format of images: with
# buildah and podman add --format docker.
ARG BASE=docker.io/library/debian:trixie-slim
# A base that has some of what the build needs already makes it faster.
ARG BUILD_BASE=${BASE}

FROM ${BUILD_BASE} AS build
ENV DEBIAN_FRONTEND=noninteractive
RUN apt-get update && apt-get install -y --no-install-recommends nodejs npm libcap2-bin
WORKDIR /rpftrace
COPY package.json package-lock.json ./
COPY scripts/ scripts/
RUN node scripts/setup.mjs build
COPY . .
RUN npm run build
RUN node scripts/setup.mjs --list runtime > /runtime-packages \
 && node scripts/image-modules.mjs /image \
 && cp -r package.json LICENSE LICENSES bin proto deploy/image/healthy.mjs /image/ \
 && mkdir /image/dist && cp -r dist/program /image/dist/ \
 && install -D -m 644 build/Release/rpftrace.node /image/build/Release/rpftrace.node \
 && gcc -Os -s -Wall -Wextra -o /launch native/launch/launch.c \
 && setcap cap_bpf,cap_perfmon,cap_net_admin,cap_sys_admin,cap_sys_ptrace,cap_dac_read_search,cap_dac_override,cap_sys_resource,cap_syslog+p /launch

FROM ${BASE}
ARG BASE
ARG VERSION=0.1.0
LABEL org.opencontainers.image.title="rpftrace" \
      org.opencontainers.image.description="Tells which pod lost which packets on which device, why the kernel refused them, and who changed the setting behind it" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.licenses="Apache-2.0 AND (BSD-2-Clause OR GPL-2.0-only)" \
      org.opencontainers.image.base.name="${BASE}"
COPY --from=build /runtime-packages /tmp/runtime-packages
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive xargs apt-get install -y --no-install-recommends nodejs ca-certificates < /tmp/runtime-packages \
 && apt-get clean \
 && rm -rf /var/lib/apt/lists/* /var/log/apt /var/log/dpkg.log /tmp/runtime-packages \
 && groupadd --gid 65532 rpftrace \
 && useradd --uid 65532 --gid 65532 --no-create-home --home-dir /run/rpftrace --shell /usr/sbin/nologin rpftrace \
 && install -d -o 65532 -g 65532 -m 700 /run/rpftrace /var/lib/rpftrace
COPY --from=build /image /rpftrace
# With its file capabilities: to be copied, not to be made here, where it would take setcap.
COPY --from=build /launch /usr/local/bin/rpftrace
# The socket of `rpftrace serve`, where the root file system is read-only.
VOLUME ["/run/rpftrace"]
USER 65532:65532
WORKDIR /rpftrace
HEALTHCHECK --interval=30s --timeout=5s --start-period=15s CMD ["/usr/bin/node", "/rpftrace/healthy.mjs"]
ENTRYPOINT ["/usr/local/bin/rpftrace"]
