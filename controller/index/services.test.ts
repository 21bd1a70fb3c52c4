import test from "ava";
import type { Protocol } from "#/api/discovery.ts";
import { protocolOf } from "./services.ts";

const port = (
  fields: Partial<Parameters<typeof protocolOf>[0]>,
): Parameters<typeof protocolOf>[0] => ({
  name: "",
  port: 8080,
  targetPort: null,
  appProtocol: null,
  ...fields,
});

const cases: readonly [Partial<Parameters<typeof protocolOf>[0]>, Protocol][] = [
  [{}, "detect"],
  [{ name: "web" }, "detect"],
  [{ name: "http" }, "http"],
  [{ name: "http-web" }, "http"],
  [{ name: "http2-web" }, "http"],
  [{ name: "grpc" }, "http"],
  [{ name: "grpc-api" }, "http"],
  [{ name: "httpd" }, "detect"],
  [{ name: "https" }, "tcp"],
  [{ name: "https-web" }, "tcp"],
  [{ name: "tcp-db" }, "tcp"],
  [{ name: "redis" }, "tcp"],
  [{ appProtocol: "http" }, "http"],
  [{ appProtocol: "HTTP" }, "http"],
  [{ appProtocol: "kubernetes.io/h2c" }, "http"],
  [{ appProtocol: "tcp", name: "http" }, "tcp"],
  [{ appProtocol: "example.com/own" }, "detect"],
  ...[25, 587, 3306, 4444, 5432, 6379, 9300, 11_211].map((number): [object, Protocol] => [
    { port: number },
    "tcp",
  ]),
  [{ port: 80, targetPort: 5432 }, "tcp"],
  [{ port: 9300, name: "http" }, "http"],
  [{ port: 80, targetPort: "postgres" }, "detect"],
];
for (const [fields, protocol] of cases) {
  test(`protocolOf ${JSON.stringify(fields)} is ${protocol}`, (t) => {
    t.is(protocolOf(port(fields)), protocol);
  });
}
