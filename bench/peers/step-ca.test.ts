import { generateKeyPairSync } from "node:crypto";
import test from "ava";
import { jwtVerify } from "jose";
import { stepCaConfig, stepCaToken } from "./step-ca.ts";

const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
const at = { host: "10.203.0.4", port: 8443 };
const uri = "spiffe://cluster.local/ns/app-a/sa/app-a";

interface Written {
  readonly address: string;
  readonly db?: object;
  readonly authority: {
    readonly claims: Readonly<Record<string, string>>;
    readonly provisioners: readonly { readonly type: string; readonly key: object }[];
  };
}

function configOf(database: "none" | "bbolt"): Written {
  const options = { ...at, database, publicKey: publicKey.export({ format: "jwk" }) };
  return JSON.parse(stepCaConfig({ path: "/folder" }, options)) as Written;
}

test("step-ca listens where it is asked, for leaves of 15 minutes, and knows no private key", (t) => {
  const { address, authority } = configOf("none");
  t.is(address, "10.203.0.4:8443");
  t.is(authority.claims["defaultTLSCertDuration"], "900s");
  const [provisioner, ...others] = authority.provisioners;
  t.is(others.length, 0);
  t.is(provisioner?.type, "JWK");
  t.like(provisioner?.key, { kty: "EC", crv: "P-256" });
  t.false("d" in provisioner!.key);
});

test("step-ca has a database on disk where its name says so, and none otherwise", (t) => {
  t.is(configOf("none").db, undefined);
  t.deepEqual(configOf("bbolt").db, { type: "bbolt", dataSource: "/folder/step-ca.db" });
});

test("step-ca's tokens are the provisioner's, for one name, and each has an identifier of its own", async (t) => {
  const now = Date.now();
  const token = stepCaToken(privateKey, { ...at, uri, tokenId: "one", now });
  const { payload } = await jwtVerify(token, publicKey, {
    issuer: "bench",
    audience: "https://10.203.0.4:8443/1.0/sign",
    algorithms: ["ES256"],
    currentDate: new Date(now),
  });
  t.like(payload, { sub: uri, sans: [uri], jti: "one" });
});
