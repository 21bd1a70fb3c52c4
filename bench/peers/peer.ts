// What the configuration of a peer is made from. Each peer's file turns it into that peer's own words.

export interface PeerFolder {
  /** Absolute; holds the throw-away certificates and takes logs and sockets. Writable by the proxies. */
  readonly path: string;
}

/** What a proxy is in the path. plain-out: one hop, no TLS. out and in: the two ends of a pair. */
export type Role = "plain-out" | "out" | "in";

/** What the two proxies of a pair speak between them; tcp: the bytes of an opaque port, over TLS. */
export type Between = "http1" | "http2" | "tcp";

interface PeerFile {
  /** Name within the folder. */
  readonly name: string;
  readonly text: string;
}

/** How to run one proxy: its files, then the command, with the folder as working directory. */
export interface PeerPlan {
  readonly files: readonly PeerFile[];
  readonly command: string;
  readonly parameters: readonly string[];
  /** Emptied after each round. */
  readonly accessLog: string;
}
