# Every image of the mesh, one target each: controller, injector, proxy, proxy-init; of the demo: app-a,
# app-b, client, tour.
#
#   docker build --target proxy --tag signet/proxy .
#
# Source is what runs: nothing is compiled, types are blanked out. What is shipped is Node, the libraries
# that Node is linked with, our production packages and the source; no shell, no npm, no package manager.
# /signet/sbom.cdx.json says what that is in particular.
#
# BASE     an image with node, npm and Debian's libraries.
# TOOLS    programs of BASE to take along, as "sh tar rm" for editing code in a running pod; none otherwise.
# VERSION  for the labels: package.json's.
# A secret named "certificates" (a PEM file) is trusted besides the usual roots while packages are
# fetched, for networks that need it.
ARG BASE=node:26-bookworm-slim
ARG VERSION=0.1.0

FROM ${BASE} AS packages
WORKDIR /signet
COPY package.json package-lock.json ./
# Not `npm ci` alone: it refuses a lock file that was made where a registry lacks optional packages
# for other platforms. No scripts: the package "node" would fetch a second Node.
RUN --mount=type=secret,id=certificates \
    if [ -s /run/secrets/certificates ]; then export NODE_EXTRA_CA_CERTS=/run/secrets/certificates; fi; \
    options="--omit=dev --ignore-scripts --no-audit --no-fund --loglevel=error"; \
    npm ci $options --loglevel=silent || npm install --no-save $options; \
    rm -rf node_modules/node node_modules/.bin node_modules/.package-lock.json /root/.npm
# What each kind of image needs of them. A package that is missing here fails the first start.
COPY tools/packages-of.mjs tools/
RUN node tools/packages-of.mjs /out/common pino zod \
 && node tools/packages-of.mjs /out/mesh pino zod @bufbuild/protobuf @grpc/grpc-js \
 && node tools/packages-of.mjs /out/control pino zod @bufbuild/protobuf @grpc/grpc-js @kubernetes/client-node \
      @peculiar/x509 reflect-metadata jose

# Our own code without tests (.dockerignore) and without types. A context with less than all of it will do for
# targets that need no more.
FROM ${BASE} AS source
WORKDIR /signet
COPY . .
RUN node --disable-warning=ExperimentalWarning tools/strip-types.mjs . \
 && mkdir loader && mv tools/stripped.mjs loader/ && rm -r tools && mv loader tools

# Node with what it is linked with, the C library's name resolution, and the usual certificates; and who
# brought them. Node comes with symbols for debuggers, which are a fifth of it.
FROM ${BASE} AS collect
ARG TOOLS=""
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends binutils
COPY tools/owners-of.mjs /tools/
RUN mkdir -p /out/tmp /out/run /out/etc/ssl/certs /out/usr/local/bin && chmod 1777 /out/tmp \
 && for name in node $TOOLS; do \
      program="$(readlink -f "$(command -v "$name")")" && cp "$program" "/out/usr/local/bin/$name" \
      && for library in $(ldd "$program" | grep -o '/[^ ]*'); do cp -L --parents "$library" /out; done; \
    done \
 && for name in libnss_files.so.2 libnss_dns.so.2 libresolv.so.2; do \
      for library in /lib/*-linux-gnu/"$name"; do cp -L --parents "$library" /out; done; \
    done \
 && printf 'hosts: files dns\n' > /out/etc/nsswitch.conf \
 && printf 'root:x:0:0::/:\nnode:x:1000:1000::/:\nsignet:x:1337:1337::/:\n' > /out/etc/passwd \
 && printf 'root:x:0:\nnode:x:1000:\nsignet:x:1337:\n' > /out/etc/group \
 && cp -L /etc/ssl/certs/ca-certificates.crt /out/etc/ssl/certs/ \
 && strip /out/usr/local/bin/node \
 && node /tools/owners-of.mjs /out > /owners

# The programs that write redirect rules, with their libraries and the modules those load.
FROM ${BASE} AS redirect
COPY tools/owners-of.mjs /tools/
RUN apt-get update -qq \
 && apt-get install -y -qq --no-install-recommends iptables \
 && mkdir -p /out/usr/sbin \
 && cp /usr/sbin/xtables-nft-multi /out/usr/sbin/ \
 && for name in iptables ip6tables; do for verb in '' -save -restore; do \
      ln -s xtables-nft-multi "/out/usr/sbin/$name$verb"; \
    done; done \
 && for module in tcp udp owner comment addrtype multiport conntrack mark REDIRECT standard; do \
      for file in /usr/lib/*-linux-gnu/xtables/lib*t_"$module".so; do \
        if [ -e "$file" ]; then cp --parents "$file" /out; fi; \
      done; \
    done \
 && for library in $(ldd /usr/sbin/xtables-nft-multi | grep -o '/[^ ]*'); do cp -L --parents "$library" /out; done \
 && node /tools/owners-of.mjs /out > /owners

# The program that listens, for the tour's pods.
FROM ${BASE} AS listen
COPY tools/owners-of.mjs /tools/
RUN apt-get update -qq \
 && apt-get install -y -qq --no-install-recommends tcpdump \
 && mkdir -p /out/usr/bin \
 && cp /usr/bin/tcpdump /out/usr/bin/ \
 && for library in $(ldd /usr/bin/tcpdump | grep -o '/[^ ]*'); do cp -L --parents "$library" /out; done \
 && node /tools/owners-of.mjs /out > /owners

FROM scratch AS runtime
ARG VERSION
LABEL org.opencontainers.image.version=${VERSION} \
      org.opencontainers.image.vendor=Signet \
      org.opencontainers.image.licenses=Apache-2.0
COPY --from=collect /out /
ENV NODE_ENV=production PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
WORKDIR /signet
COPY package.json ./
COPY --from=source /signet/tools tools
COPY --from=source /signet/lib lib
USER 1000:1000

# The folders of packages hold one another: an image has one of them.
FROM runtime AS control
COPY --from=packages /out/control ./
COPY --from=source /signet/identity identity
COPY --from=source /signet/transparency transparency
COPY --from=source /signet/api api
COPY --from=source /signet/cluster cluster

FROM control AS controller-files
COPY --from=source /signet/ca ca
COPY --from=source /signet/controller controller

FROM control AS injector-files
COPY --from=source /signet/injector injector

FROM runtime AS proxy-files
COPY --from=packages /out/mesh ./
COPY --from=source /signet/identity identity
COPY --from=source /signet/transparency transparency
COPY --from=source /signet/api api
COPY --from=source /signet/proxy proxy

FROM runtime AS proxy-init-files
COPY --from=packages /out/common ./
COPY --from=redirect /out /
COPY --from=source /signet/proxy-init proxy-init

FROM runtime AS application-files
COPY --from=packages /out/common ./
COPY --from=source /signet/apps apps

FROM runtime AS tour-files
COPY --from=packages /out/mesh ./
COPY --from=listen /out /
COPY --from=source /signet/identity identity
COPY --from=source /signet/api api
COPY --from=source /signet/apps apps
COPY --from=source /signet/cli cli

# What is in each of them, by its files. A file that nobody brought fails the build.
FROM collect AS bill
WORKDIR /bill
COPY package.json package-lock.json ./
COPY tools/bill-of-materials.mjs tools/
RUN mkdir signet

FROM bill AS controller-bill
COPY --from=controller-files /signet /out/signet
RUN node tools/bill-of-materials.mjs controller /out /owners > signet/sbom.cdx.json

FROM bill AS injector-bill
COPY --from=injector-files /signet /out/signet
RUN node tools/bill-of-materials.mjs injector /out /owners > signet/sbom.cdx.json

FROM bill AS proxy-bill
COPY --from=proxy-files /signet /out/signet
RUN node tools/bill-of-materials.mjs proxy /out /owners > signet/sbom.cdx.json

FROM bill AS proxy-init-bill
COPY --from=redirect /out /out
COPY --from=redirect /owners /owners-redirect
COPY --from=proxy-init-files /signet /out/signet
RUN node tools/bill-of-materials.mjs proxy-init /out /owners /owners-redirect > signet/sbom.cdx.json

FROM bill AS application-bill
COPY --from=application-files /signet /out/signet
RUN node tools/bill-of-materials.mjs application /out /owners > signet/sbom.cdx.json

FROM bill AS tour-bill
COPY --from=listen /out /out
COPY --from=listen /owners /owners-listen
COPY --from=tour-files /signet /out/signet
RUN node tools/bill-of-materials.mjs tour /out /owners /owners-listen > signet/sbom.cdx.json

# Commands and flags are those of local/pod/images.ts, where the reasons stand; the import is what makes
# Node load the source as it is.
FROM controller-files AS controller
COPY --from=controller-bill /bill/signet ./
LABEL org.opencontainers.image.title=signet/controller \
      org.opencontainers.image.description="Certificate authority and control plane of the Signet mesh"
ENTRYPOINT ["node", "--import=./tools/stripped.mjs", "--disable-warning=ExperimentalWarning", "--disable-sigusr1", "--disallow-code-generation-from-strings", "--permission", "--allow-net", "--allow-fs-read=*", "--allow-ffi", "--disable-warning=PERM0003", "--allow-worker", "--disable-warning=PERM0006", "--allow-fs-write=/run/signet", "controller/main.ts"]

FROM injector-files AS injector
COPY --from=injector-bill /bill/signet ./
LABEL org.opencontainers.image.title=signet/injector \
      org.opencontainers.image.description="Admission webhooks of the Signet mesh"
ENTRYPOINT ["node", "--import=./tools/stripped.mjs", "--disable-warning=ExperimentalWarning", "--disable-sigusr1", "--disallow-code-generation-from-strings", "injector/main.ts"]

FROM proxy-files AS proxy
COPY --from=proxy-bill /bill/signet ./
LABEL org.opencontainers.image.title=signet/proxy \
      org.opencontainers.image.description="Sidecar of the Signet mesh"
USER 1337:1337
ENTRYPOINT ["node", "--import=./tools/stripped.mjs", "--disable-warning=ExperimentalWarning", "--disable-sigusr1", "--disallow-code-generation-from-strings", "--permission", "--allow-net", "--allow-fs-read=*", "--allow-ffi", "--disable-warning=PERM0003", "--max-semi-space-size=4", "--external-memory-accounted-in-global-limit", "--allow-worker", "--disable-warning=PERM0006", "--allow-fs-write=/run/spiffe", "proxy/main.ts"]

# Root with NET_ADMIN and NET_RAW, for the moment that it runs.
FROM proxy-init-files AS proxy-init
COPY --from=proxy-init-bill /bill/signet ./
LABEL org.opencontainers.image.title=signet/proxy-init \
      org.opencontainers.image.description="Writes the redirect rules of a pod in the Signet mesh"
USER 0:0
ENTRYPOINT ["node", "--import=./tools/stripped.mjs", "--disable-warning=ExperimentalWarning", "--disable-sigusr1", "--disallow-code-generation-from-strings", "proxy-init/main.ts"]

FROM application-files AS applications
COPY --from=application-bill /bill/signet ./

FROM applications AS app-a
LABEL org.opencontainers.image.title=signet/app-a \
      org.opencontainers.image.description="Sample application of the Signet mesh: calls app-b"
ENTRYPOINT ["node", "--import=./tools/stripped.mjs", "--disable-warning=ExperimentalWarning", "apps/app-a/main.ts"]

FROM applications AS app-b
LABEL org.opencontainers.image.title=signet/app-b \
      org.opencontainers.image.description="Sample application of the Signet mesh: answers"
ENTRYPOINT ["node", "--import=./tools/stripped.mjs", "--disable-warning=ExperimentalWarning", "apps/app-b/main.ts"]

FROM applications AS client
LABEL org.opencontainers.image.title=signet/client \
      org.opencontainers.image.description="Sends load through the Signet mesh"
ENTRYPOINT ["node", "--import=./tools/stripped.mjs", "--disable-warning=ExperimentalWarning", "apps/client/main.ts"]

# What "signet tour" adds to the demo: the client, a probe that asks for an identity, and tcpdump.
FROM tour-files AS tour
COPY --from=tour-bill /bill/signet ./
LABEL org.opencontainers.image.title=signet/tour \
      org.opencontainers.image.description="What the tour of the Signet mesh asks and listens with"
ENTRYPOINT ["node", "--import=./tools/stripped.mjs", "--disable-warning=ExperimentalWarning", "apps/client/main.ts"]
