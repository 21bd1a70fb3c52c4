// A mesh whose one controller has a real ledger, signed by a real issuer, behind the real read API: all but
// the connection. What a dishonest controller would say can be put in its place.
import { randomBytes } from "node:crypto";
import { HeadSigner } from "#/ca/ledger/head-signer.ts";
import type { Ledger } from "#/ca/ledger/ledger.ts";
import { logKeyOf, newLogKey } from "#/ca/ledger/log-key.ts";
import type { LogKey } from "#/ca/ledger/log-key.ts";
import { IssuerSource } from "#/ca/issuer.ts";
import { MeshAccessError } from "#/cli/mesh.ts";
import type { Mesh } from "#/cli/mesh.ts";
import { logRoutes } from "#/controller/serve/log.ts";
import { toPem } from "#/identity/bundle.ts";
import { silentLog } from "#/lib/log.ts";
import { createAuthorities, startMs, trustDomain } from "./certificate-authority.ts";
import { logEntries, openLedgerInMemory } from "./ledger.ts";
import { ManualClock } from "./manual-clock.ts";

export class LogMesh implements AsyncDisposable {
  readonly clock: ManualClock;
  readonly key: LogKey;
  readonly #root: Uint8Array;
  readonly #issuer: IssuerSource;
  ledger: Ledger = openLedgerInMemory();
  /** Stands between the controller and whoever asks. */
  lie: (path: string, honest: unknown) => unknown = (_path, honest) => honest;

  private constructor(clock: ManualClock, key: LogKey, root: Uint8Array, issuer: IssuerSource) {
    this.clock = clock;
    this.key = key;
    this.#root = root;
    this.#issuer = issuer;
  }

  static async create(entries: number): Promise<LogMesh> {
    const clock = new ManualClock(startMs);
    const { root, intermediate } = await createAuthorities();
    const roots = [root.certificate];
    const common = { clock, randomBytes, random: () => 0.5, log: silentLog };
    const issuer = await IssuerSource.start({ trustDomain, intermediate, roots, ...common });
    const key = logKeyOf(newLogKey(), trustDomain, "signet-controller-0");
    const mesh = new LogMesh(clock, key, root.certificate, issuer);
    await mesh.grow(entries);
    return mesh;
  }

  /** So many entries more. */
  async grow(entries: number): Promise<void> {
    const from = this.ledger.size();
    for (let at = from; at < from + entries; at += 1_000) {
      const batch = logEntries(at, Math.min(at + 1_000, from + entries));
      await Promise.all(batch.map((entry) => this.ledger.append(entry)));
    }
  }

  /** Another history of the same log: `entries` of them, of which one is another. */
  async fork(entries: number, other: number): Promise<void> {
    await this.ledger[Symbol.asyncDispose]();
    this.ledger = openLedgerInMemory();
    const changed = { id: "spiffe://cluster.local/ns/x/sa/x" };
    const all = [
      ...logEntries(0, Math.min(other, entries)),
      ...logEntries(other, Math.min(other + 1, entries), changed),
      ...logEntries(other + 1, entries),
    ];
    await Promise.all(all.map((entry) => this.ledger.append(entry)));
  }

  get mesh(): Mesh {
    const asked = {
      place: "this machine",
      trustDomain: async () => trustDomain,
      bundle: async () => toPem(this.#root),
      inspect: async (path: string) => [this.lie(path, await this.#answer(path))],
    };
    return asked as unknown as Mesh;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#issuer.stop();
    await this.ledger[Symbol.asyncDispose]();
  }

  async #answer(path: string): Promise<unknown> {
    const url = new URL(path, "http://controller");
    const issuer = () => this.#issuer.current();
    const heads = new HeadSigner(this.key);
    const routes = logRoutes({ ledger: this.ledger, heads, issuer, pod: "signet-controller-0" });
    const { status, body } = await routes[url.pathname]!(url);
    if (status === 200) return JSON.parse(String(body)) as unknown;
    throw new MeshAccessError("failed", `The controller answers ${status}: ${String(body)}`);
  }
}
