// Where the application of the streams' mesh listens: each port is its pod's and its Service's. What a port
// says of itself differs, and with it what the sidecars may take its bytes for.

export const ports = {
  /** Declared as HTTP. */
  http: 8080,
  /** Opaque by its number (Redis): nothing is looked at. */
  opaque: 6379,
  /** Nothing is declared: the bytes decide. */
  detected: 7000,
  /** Its server speaks first; opaque by its number (MySQL). */
  bannerOpaque: 3306,
  /** Its server speaks first, and nothing is declared. */
  bannerDetected: 7001,
  /** TLS of the application's own, declared as such. */
  tls: 8443,
  /** The same, undeclared. */
  tlsDetected: 7002,
} as const;

export const host = "server.streams.svc.cluster.local";

/** What its server says first. */
export const banner = "220 ready\r\n";
