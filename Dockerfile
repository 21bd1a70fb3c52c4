# Every image of the mesh, one target each: controller, injector, proxy, proxy-init; of the demo: app-a,
# app-b, client, tour.
#
#   docker build --target proxy --tag signet/proxy .
#
# Source is what runs: nothing is compiled. What is shipped is Node, the libraries that Node is linked
# with, our production packages and the source; no shell, no npm, no package manager.
#
# BASE   an image with node, npm and Debian's libraries.
# TOOLS  programs of BASE to take along, as "sh tar rm" for editing code in a running pod; none otherwise.
# A secret named "certificates" (a PEM file) is trusted besides the usual roots while packages are
# fetched, for networks that need it.
ARG BASE=node:26-bookworm-slim

FROM ${BASE} AS packages
WORKDIR /signet
COPY package.json package-lock.json ./
# Not `npm ci` alone: it refuses a lock file that was made where a registry lacks optional packages
# for other platforms. No scripts: the package "node" would fetch a second Node.
RUN --mount=type=secret,id=certificates \
    if [ -s /run/secrets/certificates ]; then export NODE_EXTRA_CA_CERTS=/run/secrets/certificates; fi; \
    options="--omit=dev --ignore-scripts --no-audit --no-fund --loglevel=error"; \
    npm ci $options --loglevel=silent || npm install --no-save $options; \
    rm -rf node_modules/node node_modules/.bin node_modules/.package-lock.json /root/.npm; \
    find node_modules \( -name '*.map' -o -name '*.md' -o -name '*.d.ts' -o -name '*.d.cts' -o -name '*.d.mts' \) -delete
# What each kind of image needs of them. A package that is missing here fails the first start.
COPY tools/packages-of.mjs tools/
RUN node tools/packages-of.mjs /out/common pino zod \
 && node tools/packages-of.mjs /out/mesh pino zod @bufbuild/protobuf @grpc/grpc-js \
 && node tools/packages-of.mjs /out/control pino zod @bufbuild/protobuf @grpc/grpc-js @kubernetes/client-node \
      @peculiar/x509 reflect-metadata jose

# Node with what it is linked with, the C library's name resolution, and the usual certificates.
FROM ${BASE} AS collect
ARG TOOLS=""
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
 && cp -L /etc/ssl/certs/ca-certificates.crt /out/etc/ssl/certs/

# The programs that write redirect rules, with their libraries and the modules those load.
FROM ${BASE} AS redirect
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
 && for library in $(ldd /usr/sbin/xtables-nft-multi | grep -o '/[^ ]*'); do cp -L --parents "$library" /out; done

# The program that listens, for the tour's pods.
FROM ${BASE} AS listen
RUN apt-get update -qq \
 && apt-get install -y -qq --no-install-recommends tcpdump \
 && mkdir -p /out/usr/bin \
 && cp /usr/bin/tcpdump /out/usr/bin/ \
 && for library in $(ldd /usr/bin/tcpdump | grep -o '/[^ ]*'); do cp -L --parents "$library" /out; done

FROM scratch AS runtime
COPY --from=collect /out /
ENV NODE_ENV=production PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
WORKDIR /signet
COPY package.json ./
COPY lib lib
USER 1000:1000

# The folders of packages hold one another: an image has one of them.
FROM runtime AS control
COPY --from=packages /out/control ./
COPY identity identity
COPY api api
COPY cluster cluster

# Commands and flags are those of local/pod/images.ts, where the reasons stand.
FROM control AS controller
COPY ca ca
COPY controller controller
ENTRYPOINT ["node", "--disable-warning=ExperimentalWarning", "--disable-sigusr1", "--disallow-code-generation-from-strings", "--permission", "--allow-net", "--allow-fs-read=*", "--allow-worker", "--disable-warning=PERM0006", "--allow-fs-write=/run/signet", "controller/main.ts"]

FROM control AS injector
COPY injector injector
ENTRYPOINT ["node", "--disable-warning=ExperimentalWarning", "--disable-sigusr1", "--disallow-code-generation-from-strings", "injector/main.ts"]

FROM runtime AS proxy
COPY --from=packages /out/mesh ./
COPY identity identity
COPY api api
COPY proxy proxy
USER 1337:1337
ENTRYPOINT ["node", "--disable-warning=ExperimentalWarning", "--disable-sigusr1", "--disallow-code-generation-from-strings", "--permission", "--allow-net", "--allow-fs-read=*", "--allow-ffi", "--disable-warning=PERM0003", "--max-semi-space-size=4", "proxy/main.ts"]

# Root with NET_ADMIN and NET_RAW, for the moment that it runs.
FROM runtime AS proxy-init
COPY --from=packages /out/common ./
COPY --from=redirect /out /
COPY proxy-init proxy-init
USER 0:0
ENTRYPOINT ["node", "--disable-warning=ExperimentalWarning", "--disable-sigusr1", "--disallow-code-generation-from-strings", "proxy-init/main.ts"]

FROM runtime AS applications
COPY --from=packages /out/common ./
COPY apps apps

FROM applications AS app-a
ENTRYPOINT ["node", "--disable-warning=ExperimentalWarning", "apps/app-a/main.ts"]

FROM applications AS app-b
ENTRYPOINT ["node", "--disable-warning=ExperimentalWarning", "apps/app-b/main.ts"]

FROM applications AS client
ENTRYPOINT ["node", "--disable-warning=ExperimentalWarning", "apps/client/main.ts"]

# What "signet tour" adds to the demo: the client, a probe that asks for an identity, and tcpdump.
FROM runtime AS tour
COPY --from=packages /out/mesh ./
COPY --from=listen /out /
COPY identity identity
COPY api api
COPY apps apps
COPY cli/tour/resume-probe.ts cli/tour/resumption.ts cli/tour/
ENTRYPOINT ["node", "--disable-warning=ExperimentalWarning", "apps/client/main.ts"]
