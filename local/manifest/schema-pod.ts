// A pod as it can be run here.
import {
  either,
  fault,
  flag,
  ignored,
  inert,
  integer,
  listOf,
  oneOf,
  record,
  required,
  text,
  unsupported,
} from "./shape.ts";
import type { Check } from "./shape.ts";
import {
  dnsName,
  dnsNameText,
  metadata,
  objectNameText,
  portName,
  portNumber,
} from "./schema-words.ts";

const userId = integer(0, 65_535);
const label = text(dnsName, dnsNameText);
const words = listOf(text());

const probePort = either(text(portName, "not a port's name"), portNumber);

const probe = record(
  {
    httpGet: record({
      path: text(/^\/[\x21-\x7e]{0,1023}$/, "not a path"),
      port: required(probePort),
      scheme: oneOf("HTTP"),
    }),
    tcpSocket: record({ port: required(probePort) }),
    exec: record({ command: required(words) }),
    initialDelaySeconds: integer(0, 3600),
    periodSeconds: integer(1, 3600),
    timeoutSeconds: integer(1, 3600),
    failureThreshold: integer(1, 1000),
    successThreshold: integer(1, 1),
  },
  (value) => {
    const kinds = ["httpGet", "tcpSocket", "exec"].filter((kind) => value[kind] !== undefined);
    return kinds.length === 1 ? null : "asks for none or several of httpGet, tcpSocket, exec";
  },
);

const variable = record(
  {
    name: required(text(/^[A-Za-z_.-][\w.-]*$/, "not a variable's name")),
    value: text(),
    valueFrom: record({
      fieldRef: required(
        record({
          apiVersion: inert,
          fieldPath: required(
            oneOf(
              "metadata.name",
              "metadata.namespace",
              "metadata.uid",
              "status.podIP",
              "status.podIPs",
              "spec.serviceAccountName",
            ),
          ),
        }),
      ),
    }),
  },
  (value) =>
    value["value"] !== undefined && value["valueFrom"] !== undefined
      ? "has a value and another source for it"
      : null,
);

const containerSecurity = record({
  runAsUser: userId,
  runAsGroup: userId,
  runAsNonRoot: flag,
  privileged: unsupported,
  // Always so: no_new_privs is set for every container.
  allowPrivilegeEscalation: oneOf(false),
  readOnlyRootFilesystem: flag,
  capabilities: record({
    add: listOf(text(/^(?:NET_ADMIN|NET_RAW|NET_BIND_SERVICE)$/, "not a capability given here")),
    // All are dropped but those added, asked for or not.
    drop: words,
  }),
  seccompProfile: inert,
  appArmorProfile: inert,
});

const ports = listOf(
  record({
    name: text(portName, "not a port's name"),
    containerPort: required(portNumber),
    protocol: oneOf("TCP", "UDP"),
  }),
);

const containerFields = {
  name: required(label),
  image: required(text(/^[\w][\w./:@-]{0,511}$/, "not an image")),
  imagePullPolicy: inert,
  args: words,
  env: listOf(variable),
  ports,
  volumeMounts: listOf(
    record({
      name: required(label),
      mountPath: required(
        text(/^\/(?:run|var\/run|tmp)\/.+$/, "only below /run, /var/run or /tmp without an image"),
      ),
      readOnly: flag,
    }),
  ),
  securityContext: containerSecurity,
  startupProbe: probe,
  readinessProbe: probe,
  livenessProbe: probe,
  // Not enforced: no image, no node to share out. See README.
  resources: inert,
  terminationMessagePath: inert,
  terminationMessagePolicy: inert,
};

const container = record(containerFields);
const initContainer = record({ ...containerFields, restartPolicy: oneOf("Always") });

const files = { defaultMode: inert, optional: oneOf(false) };

const volume = record(
  {
    name: required(label),
    emptyDir: record({ medium: inert, sizeLimit: inert }),
    configMap: record({ name: required(objectNameText), ...files }),
    secret: record({ secretName: required(objectNameText), ...files }),
    projected: record({
      defaultMode: inert,
      sources: required(
        listOf(
          record({
            serviceAccountToken: required(
              record({
                audience: text(),
                expirationSeconds: integer(600, 2 ** 32),
                path: required(text(/^[\w.-]{1,128}$/, "not the name of a file")),
              }),
            ),
          }),
        ),
      ),
    }),
  },
  (value) => (Object.keys(value).length === 2 ? null : "has none or several sources"),
);

export const podSpecShape: Check = record(
  {
    containers: required(listOf(container, { min: 1, max: 50 })),
    initContainers: listOf(initContainer, { max: 50 }),
    volumes: listOf(volume, { max: 100 }),
    serviceAccountName: objectNameText,
    serviceAccount: inert,
    automountServiceAccountToken: flag,
    terminationGracePeriodSeconds: integer(0, 3600),
    restartPolicy: oneOf("Always"),
    securityContext: record({
      runAsUser: userId,
      runAsGroup: userId,
      runAsNonRoot: flag,
      seccompProfile: inert,
      fsGroup: ignored("volumes belong to the first container that mounts them"),
    }),
    hostNetwork: unsupported,
    hostPID: unsupported,
    hostIPC: unsupported,
    shareProcessNamespace: unsupported,
    os: record({ name: oneOf("linux") }),
    dnsPolicy: oneOf("ClusterFirst"),
    enableServiceLinks: oneOf(false),
    // There is one node.
    nodeSelector: inert,
    affinity: inert,
    tolerations: inert,
    topologySpreadConstraints: inert,
    priorityClassName: inert,
    schedulerName: inert,
    imagePullSecrets: inert,
  },
  namesFault,
);

function namesFault(spec: Readonly<Record<string, unknown>>): string | null {
  const named = (field: string): readonly { readonly name: string }[] =>
    (spec[field] ?? []) as readonly { readonly name: string }[];
  const containers = [...named("initContainers"), ...named("containers")].map(({ name }) => name);
  return (
    twice(containers, "containers") ??
    twice(
      named("volumes").map(({ name }) => name),
      "volumes",
    )
  );
}

function twice(names: readonly string[], what: string): string | null {
  const again = names.find((name, index) => names.indexOf(name) !== index);
  return again === undefined ? null : `has two ${what} named "${again}"`;
}

const podName: Check = (value, path, report) => {
  const { name } = value as { readonly name?: unknown };
  // It becomes the host name of its containers.
  if (typeof name === "string" && dnsName.test(name)) return;
  report(fault([...path, "name"], `is ${JSON.stringify(name)}: ${dnsNameText}`));
};

export const podShape: Check = record({
  apiVersion: required(text()),
  kind: required(text()),
  metadata: required((value, path, report) => {
    metadata(value, path, report);
    podName(value, path, report);
  }),
  spec: required(podSpecShape),
  status: inert,
});
