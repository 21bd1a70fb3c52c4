// What an API server is told, of good and of hostile pods.
import test from "ava";
import { applyPatch } from "./apply-patch.ts";
import { mutate, validate } from "./admission.ts";
import { config } from "./fixture.ts";
import { ReviewError, readReview, writeAnswer } from "./review.ts";
import type { Review } from "./review.ts";

const pod = (change: object = {}): Record<string, unknown> => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: "a-1", namespace: "a" },
  spec: { containers: [{ name: "app", image: "app" }] },
  ...change,
});

const review = (object: unknown, change: Partial<Review> = {}): Review => ({
  uid: "u",
  operation: "CREATE",
  subresource: "",
  namespace: "a",
  object,
  oldObject: null,
  ...change,
});

/** As it is stored. */
function injected(): Record<string, unknown> {
  const answer = mutate(review(pod()), "namespace", config);
  return applyPatch(pod(), answer.patch!);
}

test("a pod of a labelled namespace is injected, and the audit log says so", (t) => {
  const answer = mutate(review(pod()), "namespace", config);
  t.true(answer.allowed);
  t.is(answer.audit?.["proxy-injected"], "true");
  t.true(validate(review(injected()), "namespace", config).allowed);
});

test("a pod that is reviewed again is not patched again", (t) => {
  const answer = mutate(review(injected()), "namespace", config);
  t.true(answer.allowed);
  t.is(answer.patch, undefined);
});

test("a pod of another namespace is injected when it asks itself, and only then", (t) => {
  t.is(mutate(review(pod()), "pod", config).patch, undefined);
  const asking = pod({ metadata: { name: "a-1", labels: { "service-mesh": "enabled" } } });
  t.truthy(mutate(review(asking), "pod", config).patch);
});

const hostile: readonly (readonly [string, object, RegExp])[] = [
  ["on the host's network", { hostNetwork: true }, /host network/],
  ["as the sidecar's user", { securityContext: { runAsUser: 1337 } }, /user 1337/],
];
for (const [title, spec, message] of hostile) {
  test(`attack-30 a pod ${title} is refused by both webhooks, with a sentence that says why`, (t) => {
    const given = pod({ spec: { containers: [{ name: "app", image: "app" }], ...spec } });
    for (const judge of [mutate, validate]) {
      const answer = judge(review(given), "namespace", config);
      t.false(answer.allowed);
      t.regex(answer.message ?? "", message);
    }
  });
}

test("an annotation that does not parse is refused, with its name and what to write", (t) => {
  const annotations = { "signet.dev/svid-lifetime": "soon" };
  const answer = mutate(
    review(pod({ metadata: { name: "a-1", annotations } })),
    "namespace",
    config,
  );
  t.false(answer.allowed);
  t.regex(answer.message ?? "", /svid-lifetime.*30s/s);
});

test("attack-35 a pod whose sidecar was taken out on its way is not stored", (t) => {
  const answer = validate(review(pod()), "namespace", config);
  t.false(answer.allowed);
  t.regex(answer.message ?? "", /should have a sidecar/);
});

type Stored = { metadata: Record<string, unknown>; spec: Record<string, never> };
const changes: readonly (readonly [string, (stored: Stored) => object, RegExp])[] = [
  [
    "loses its mark",
    ({ metadata, ...rest }) => ({ ...rest, metadata: { ...metadata, annotations: {} } }),
    /signet.dev\/status/,
  ],
  [
    "opts out afterwards",
    ({ metadata, ...rest }) => ({
      ...rest,
      metadata: {
        ...metadata,
        annotations: { "signet.dev/status": "injected", "signet.dev/inject": "disabled" },
      },
    }),
    /signet.dev\/inject/,
  ],
  [
    "gets another proxy image",
    (stored) =>
      JSON.parse(JSON.stringify(stored).replace(config.images.proxy, "evil/proxy")) as object,
    /the mesh's own/,
  ],
  [
    "is debugged as the sidecar's user",
    ({ spec, ...rest }) => ({
      ...rest,
      spec: {
        ...spec,
        ephemeralContainers: [{ name: "debug", securityContext: { runAsUser: 1337 } }],
      },
    }),
    /user 1337/,
  ],
  [
    "is debugged with the identity's token",
    ({ spec, ...rest }) => ({
      ...rest,
      spec: {
        ...spec,
        ephemeralContainers: [
          { name: "debug", volumeMounts: [{ name: "signet-token", mountPath: "/t" }] },
        ],
      },
    }),
    /holds the pod's identity/,
  ],
];
for (const [title, change, message] of changes) {
  test(`attack-35 a pod that ${title} is refused`, (t) => {
    const before = injected();
    const after = change(before as unknown as Stored);
    const answer = validate(
      review(after, { operation: "UPDATE", oldObject: before }),
      "namespace",
      config,
    );
    t.false(answer.allowed);
    t.regex(answer.message ?? "", message);
  });
}

test("a running pod may change all that does not concern its sidecar, whatever is in force by now", (t) => {
  const before = injected() as unknown as Stored;
  const after = { ...before, metadata: { ...before.metadata, labels: { colour: "blue" } } };
  const newer = { ...config, images: { ...config.images, proxy: "signet/proxy:next" } };
  const change = review(after, { operation: "UPDATE", oldObject: before });
  t.true(validate(change, "namespace", newer).allowed);
});

test("a pod from before the namespace was labelled lives on as it is", (t) => {
  const host = pod({ spec: { containers: [{ name: "app" }], hostNetwork: true } });
  const change = review(host, { operation: "UPDATE", oldObject: host });
  t.true(validate(change, "namespace", config).allowed);
});

test("what is no pod is denied, not thrown", (t) => {
  for (const object of [null, 7, [], {}, { spec: { containers: "x" } }]) {
    t.false(mutate(review(object), "namespace", config).allowed);
  }
});

test("readReview refuses what is no AdmissionReview; writeAnswer is one", (t) => {
  for (const body of ["", "{", "[]", "{}", '{"apiVersion":"admission.k8s.io/v1beta1"}']) {
    t.throws(() => readReview(body), { instanceOf: ReviewError });
  }
  const text = writeAnswer("u", { allowed: false, message: "no", warnings: ["w".repeat(300)] });
  const { response } = JSON.parse(text) as { response: { warnings: string[]; status: object } };
  t.is(response.warnings[0]?.length, 256);
  t.deepEqual(response.status, { code: 403, reason: "Forbidden", message: "no" });
});
