// Readings of several controllers, in one ConfigMap: each writes its own key, by server-side apply under its
// own name, and watches the others'. Only while a rotation is under way is anything written.
import type { RawObject } from "#/cluster/kubernetes/reflection.ts";
import { reflect, tellLoss } from "#/cluster/kubernetes/reflector.ts";
import type { KubernetesParts } from "#/cluster/kubernetes/reflector.ts";
import { Pass } from "#/cluster/kubernetes/pass.ts";
import type { Log } from "#/lib/log.ts";
import type { ReadingExchange } from "./driver.ts";
import type { Reading } from "./reading.ts";
import { parseReading } from "./reading.ts";

export interface ExchangeOptions extends KubernetesParts {
  readonly namespace: string;
  /** This controller's pod: its key. */
  readonly controller: string;
  readonly log: Log;
}

const mapName = "signet-rotation-readings";

/** Until disposed of. */
export function exchangeReadings(options: ExchangeOptions): ReadingExchange & AsyncDisposable {
  const { client, namespace, controller, log } = options;
  const path = `/api/v1/namespaces/${namespace}/configmaps`;
  const stack = new AsyncDisposableStack();
  let others: readonly Reading[] = [];
  let wanted = "";
  let written = "";
  const run = async (): Promise<void> => {
    const text = wanted;
    if (text === written) return;
    await client.call({
      method: "PATCH",
      path: `${path}/${mapName}`,
      query: { fieldManager: controller, force: "true" },
      contentType: "application/apply-patch+yaml",
      body: {
        apiVersion: "v1",
        kind: "ConfigMap",
        metadata: {
          name: mapName,
          namespace,
          labels: { "app.kubernetes.io/part-of": "signet" },
        },
        data: text === "" ? {} : { [controller]: text },
      },
    });
    written = text;
  };
  const pass = stack.use(new Pass({ ...options, name: "writing what is seen of a rotation", run }));
  stack.use(
    reflect({
      ...options,
      path,
      query: { fieldSelector: `metadata.name=${mapName}` },
      onChange: (change) => {
        others = change.type === "applied" ? readingsOf(change.object, controller) : [];
      },
      onState: tellLoss(log, `${path}/${mapName}`),
    }),
  );
  return {
    put(reading) {
      const text = reading === null ? "" : JSON.stringify(reading);
      if (text === wanted) return;
      wanted = text;
      pass.request();
    },
    others: () => others,
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

function readingsOf(object: RawObject, own: string): readonly Reading[] {
  const data = (object["data"] ?? {}) as Readonly<Record<string, unknown>>;
  return Object.entries(data).flatMap(([name, text]) => {
    if (name === own || typeof text !== "string") return [];
    return parseReading(text) ?? [];
  });
}
