# Builds rpftrace and leaves what it needs to run. To trace it needs BPF and PERFMON; where the engine's seccomp profile refuses
# bpf() nevertheless (seen with buildah 1.28), add --security-opt seccomp=unconfined:
#
#     docker build -t rpftrace .
#     docker run --rm --cap-add BPF --cap-add PERFMON --network host rpftrace
#
# To hold the drops against the kernel's counters it has to enter the network namespaces of others, too:
# --pid host --cap-add SYS_ADMIN --cap-add SYS_PTRACE. To name pods: docs/attribution.md.
#
# The Debian packages of both stages stand in scripts/debian-packages.txt.
ARG BASE=docker.io/library/debian:trixie-slim

FROM ${BASE} AS build
ENV DEBIAN_FRONTEND=noninteractive
RUN apt-get update && apt-get install -y --no-install-recommends nodejs npm
WORKDIR /rpftrace
COPY package.json package-lock.json ./
COPY scripts/ scripts/
RUN node scripts/setup.mjs build && node scripts/setup.mjs --list runtime > /runtime-packages
COPY . .
RUN npm run build && npm ci --omit=dev --no-audit --no-fund

FROM ${BASE}
COPY --from=build /runtime-packages /runtime-packages
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive xargs apt-get install -y --no-install-recommends nodejs < /runtime-packages \
 && rm -rf /var/lib/apt/lists/* /runtime-packages
WORKDIR /rpftrace
COPY --from=build /rpftrace/package.json /rpftrace/LICENSE ./
COPY --from=build /rpftrace/LICENSES/ LICENSES/
COPY --from=build /rpftrace/bin/ bin/
COPY --from=build /rpftrace/dist/ dist/
COPY --from=build /rpftrace/proto/ proto/
COPY --from=build /rpftrace/node_modules/ node_modules/
COPY --from=build /rpftrace/build/Release/rpftrace.node build/Release/
ENTRYPOINT ["/rpftrace/bin/rpftrace"]
