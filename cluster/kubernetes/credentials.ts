// What it takes to speak with the API server: where it is, and what proves each side to the other.

export interface Credentials {
  /** PEM. */
  readonly ca: string;
  readonly certificate: string | null;
  readonly privateKey: string | null;
  /** The name that the server must prove, when it is not that of its address. */
  readonly serverName: string | null;
  /** Value of the Authorization header. */
  readonly authorization: string | null;
}

export interface Access {
  /** https, without a slash at its end. */
  readonly server: string;
  /** The present ones. Rejects with KubernetesError. */
  credentials(): Promise<Credentials>;
}
