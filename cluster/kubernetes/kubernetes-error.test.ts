import test from "ava";
import type { KubernetesErrorCode } from "./kubernetes-error.ts";
import { failureOf } from "./kubernetes-error.ts";

const tooLarge = { details: { causes: [{ reason: "ResourceVersionTooLarge" }] } };
const cases: readonly [status: number, body: unknown, code: KubernetesErrorCode][] = [
  [401, null, "denied"],
  [403, { message: "no" }, "denied"],
  [404, "not json", "not_found"],
  [409, {}, "conflict"],
  [410, {}, "expired"],
  [200, { reason: "Expired" }, "expired"],
  [504, tooLarge, "expired"],
  [500, { details: null }, "unavailable"],
  [500, { details: { causes: null } }, "unavailable"],
  [500, { details: { causes: [null, 1] } }, "unavailable"],
  [429, 7, "unavailable"],
  [503, [], "unavailable"],
  [422, { message: 5 }, "rejected"],
  [302, {}, "rejected"],
];
for (const [status, body, code] of cases) {
  test(`failureOf takes ${status} with ${JSON.stringify(body)} for ${code}`, (t) => {
    const error = failureOf("GET /x", status, body);
    t.is(error.code, code);
    t.true(error.message.startsWith(`Cannot GET /x: the API server answers ${status}`));
  });
}

test("failureOf tells the beginning of a long message", (t) => {
  t.true(failureOf("GET /x", 403, { message: "m".repeat(10_000) }).message.length < 400);
});
