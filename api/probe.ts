// A check that kubelet asks of the sidecar in the application's place: the injector writes it into the
// sidecar's environment, the sidecar performs it.

export type Probe = (
  | {
      readonly kind: "http";
      readonly port: number;
      readonly path: string;
      readonly secure: boolean;
      readonly headers: readonly (readonly [string, string])[];
    }
  | { readonly kind: "tcp"; readonly port: number }
  | { readonly kind: "grpc"; readonly port: number; readonly service: string }
) & { readonly timeoutS: number };

/** By the name that stands in the path: container, slash, which probe. */
export type Probes = Readonly<Record<string, Probe>>;
