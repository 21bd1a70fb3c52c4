import { createPublicKey, randomBytes, X509Certificate } from "node:crypto";
import test from "ava";
import { fingerprint } from "#/identity/bundle.ts";
import { extensionOf, readCertificate } from "#/identity/certificate.ts";
import { readNameConstraints } from "#/identity/extensions.ts";
import { readName } from "#/identity/names.ts";
import { oid } from "#/identity/object-identifiers.ts";
import { parseTrustDomain, workloadId } from "#/identity/spiffe-id.ts";
import { silentLog } from "#/lib/log.ts";
import { createAuthorities, startMs, trustDomain } from "#/test/kit/certificate-authority.ts";
import { ManualClock } from "#/test/kit/manual-clock.ts";
import { createIntermediate, createIssuer, createRoot } from "./authority-certificate.ts";
import { IssuerSource, hangsFrom } from "./issuer.ts";
import type { IssuerOptions } from "./issuer.ts";
import { makeIntermediate, makeRoot } from "./mesh-authorities.ts";
import { signLeaf } from "./signer.ts";

const hourMs = 3_600_000;

async function options(change: Partial<IssuerOptions> = {}): Promise<IssuerOptions> {
  const { root, intermediate } = await createAuthorities();
  return {
    trustDomain,
    intermediate,
    roots: [root.certificate],
    clock: new ManualClock(startMs),
    randomBytes,
    random: () => 0.5,
    log: silentLog,
    ...change,
  };
}

/** Keys are made off the event loop: waits until `test` holds. */
async function until(test: () => boolean): Promise<void> {
  for (let turn = 0; turn < 500 && !test(); turn += 1) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

test("start makes an issuer for 24 hours under the intermediate", async (t) => {
  const source = await IssuerSource.start(await options());
  const issuer = source.current();
  t.is(issuer.notAfter, startMs + 24 * hourMs);
  t.is(issuer.chain.length, 2);
  const [own, above] = issuer.chain.map((der) => new X509Certificate(der));
  t.true(own!.ca);
  t.true(own!.checkIssued(above!));
  t.is(own!.serialNumber.toLowerCase(), issuer.serial);
  const constraints = extensionOf(readCertificate(issuer.chain[0]!), oid.nameConstraints);
  t.true(constraints?.critical);
  t.deepEqual(readNameConstraints(constraints!.value), {
    permitted: [{ kind: "uri", value: "cluster.local" }],
    excluded: [],
  });
  source.stop();
});

test("createRoot cuts names to what X.509 allows, and an issuer below it is proven all the same", async (t) => {
  const long = parseTrustDomain(`${"d".repeat(60)}.${"e".repeat(60)}.test`);
  const root = await makeRoot(long, startMs);
  const intermediate = await makeIntermediate(root, long, startMs);
  const source = await IssuerSource.start(
    await options({ intermediate, roots: [root.certificate], trustDomain: long }),
  );
  source.stop();
  for (const der of [root.certificate, ...source.current().chain]) {
    for (const { value } of readName(readCertificate(der).subject)) {
      t.true(value.content.length <= 64, `${value.content.length} characters`);
    }
  }
});

test("start never lets an issuer outlive its intermediate", async (t) => {
  const { root, intermediate } = await createAuthorities(hourMs);
  const source = await IssuerSource.start(
    await options({ intermediate, roots: [root.certificate] }),
  );
  t.is(source.current().notAfter, startMs + hourMs);
  source.stop();
});

test("current is a new issuer with a new key after a third of the life", async (t) => {
  const clock = new ManualClock(startMs);
  const source = await IssuerSource.start(await options({ clock }));
  const first = source.current();
  clock.advance(8 * hourMs - 1);
  t.is(source.current(), first);
  clock.advance(1);
  await until(() => source.current() !== first);
  const second = source.current();
  t.not(second.serial, first.serial);
  t.false(first.publicKey.equals(second.publicKey));
  t.is(second.notAfter, startMs + 32 * hourMs);
  source.stop();
});

test("current keeps the last good issuer while renewal fails, and refuses after its end", async (t) => {
  const { root, intermediate } = await createAuthorities(10 * hourMs);
  const clock = new ManualClock(startMs);
  const source = await IssuerSource.start(
    await options({ clock, intermediate, roots: [root.certificate] }),
  );
  const { notAfter } = source.current();
  clock.jump(notAfter - startMs - 1);
  t.notThrows(() => source.current());
  clock.jump(1);
  t.throws(() => source.current(), { name: "CaError", code: "issuer_expired" });
  source.stop();
});

test("stop leaves no timer behind", async (t) => {
  const clock = new ManualClock(startMs);
  const source = await IssuerSource.start(await options({ clock }));
  t.is(clock.timerCount, 1);
  source.stop();
  t.is(clock.timerCount, 0);
});

const times = { notBefore: startMs - hourMs, notAfter: startMs + 1_000 * hourMs };
test("start says so when certificate and key do not belong together", async (t) => {
  const [one, two] = await Promise.all([createAuthorities(), createAuthorities()]);
  const { certificate } = one.intermediate;
  const wrong = await options({
    intermediate: { certificate, privateKey: two.intermediate.privateKey },
    roots: [one.root.certificate],
  });
  await t.throwsAsync(IssuerSource.start(wrong), {
    code: "authority_invalid",
    message: /the key is another's/,
  });
});

const denials: readonly (readonly [string, string, () => Promise<Partial<IssuerOptions>>])[] = [
  [
    "an intermediate of another root",
    "authority_invalid",
    async () => ({ roots: [(await createAuthorities()).root.certificate] }),
  ],
  [
    "attack-3 an intermediate that may have no authority below it",
    "authority_invalid",
    async () => {
      const { root, intermediate } = await createAuthorities();
      const name = "leafs only";
      const short = await createIssuer(intermediate, { name, trustDomain, ...times });
      return { intermediate: short, roots: [root.certificate] };
    },
  ],
  [
    "an intermediate that has expired",
    "issuer_expired",
    async () => {
      const root = await createRoot({ name: "root", trustDomain, ...times });
      const intermediate = await createIntermediate(root, {
        name: "old",
        trustDomain,
        notBefore: times.notBefore,
        notAfter: startMs,
      });
      return { intermediate, roots: [root.certificate] };
    },
  ],
  ["no roots at all", "authority_invalid", async () => ({ roots: [] })],
];
for (const [title, code, change] of denials) {
  const attack = /^attack-\d+ /.exec(title)?.[0] ?? "";
  test(`${attack}start refuses ${title.slice(attack.length)}`, async (t) => {
    const wrong = await options(await change());
    await t.throwsAsync(IssuerSource.start(wrong), { name: "CaError", code });
  });
}

test("rehang makes an issuer under another intermediate, proves it first, and says in each leaf which it is", async (t) => {
  const [one, other] = [await createAuthorities(), await createAuthorities()];
  const { intermediate, root } = one;
  const source = await IssuerSource.start(
    await options({ intermediate, roots: [root.certificate] }),
  );
  const before = source.current();
  const roots = [other.root.certificate, root.certificate];
  const broken = { intermediate: other.intermediate, roots: [root.certificate] };
  await t.throwsAsync(source.rehang(broken), { code: "authority_invalid" });
  t.is(source.current(), before, "the last good one stays");
  await source.rehang({ intermediate: other.intermediate, roots });
  const after = source.current();
  t.deepEqual(after.chain[1], other.intermediate.certificate);
  const leafOf = (issuer: typeof after): Uint8Array =>
    signLeaf(
      {
        id: workloadId(trustDomain, "a", "b"),
        dnsNames: [],
        publicKey: createPublicKey(after.privateKey).export({ type: "spki", format: "der" }),
        notBefore: issuer.notBefore,
        notAfter: issuer.notAfter,
      },
      issuer,
      new Uint8Array(16),
    );
  const [was, is] = [intermediate, other.intermediate].map((each) => fingerprint(each.certificate));
  t.deepEqual([hangsFrom(leafOf(before), was!), hangsFrom(leafOf(before), is!)], [true, false]);
  t.deepEqual([hangsFrom(leafOf(after), was!), hangsFrom(leafOf(after), is!)], [false, true]);
  source.stop();
});
