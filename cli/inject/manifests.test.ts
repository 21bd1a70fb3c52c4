import test from "ava";
import { injectorDefaults } from "#/injector/config.ts";
import { InjectError, injectText } from "./manifests.ts";

const config = { ...injectorDefaults, rootFingerprints: ["a".repeat(64)] };

const service = `# first
apiVersion: v1
kind: Service
metadata: {name: web}    # odd   spacing
`;
const pod = (name: string, more = ""): string => `---
# the pod
apiVersion: v1
kind: Pod
metadata:
  name: ${name}
  namespace: shop
spec:
  # of the application
  containers:
  - name: web # and its name
    image: nginx
${more}`;

test("injectText leaves what does not change byte for byte, and order and comments of what does", (t) => {
  const { text } = injectText(`${service}${pod("web")}---\n${service}`, "-", config);
  t.true(text.startsWith(`${service}---\n# the pod\n`));
  t.true(text.endsWith(`---\n${service}`));
  t.regex(text, /# of the application\n {2}containers:\n {2}- name: web # and its name\n/);
  t.regex(text, / {2}initContainers:\n {2}- name: proxy-init\n/);
});

test("injectText twice is as good as once", (t) => {
  const { text } = injectText(`${service}${pod("web")}`, "-", config);
  t.is(injectText(text, "-", config).text, text);
});

test("injectText tells every refusal, and what to do about the first", (t) => {
  const error = t.throws(
    () =>
      injectText(
        `${pod("a", "  hostNetwork: true\n")}${pod("b", "  os: {name: windows}\n")}`,
        "-",
        config,
      ),
    { instanceOf: InjectError, code: "refused" },
  );
  t.regex(error.message, /pod "a": it uses the host network.*; .*pod "b": its operating system/);
  t.regex(error.next, /Remove "hostNetwork"/);
});

test("injectText tells file and line of what is no YAML", (t) => {
  t.throws(() => injectText(`${service}---\na: [\n`, "shop.yaml", config), {
    instanceOf: InjectError,
    code: "manifest_invalid",
    message: /^Cannot read "shop.yaml" line \d: /,
  });
});

test("attack-25 injectText refuses aliases that multiply", (t) => {
  const levels = Array.from({ length: 12 }, (_, at) => {
    const last =
      at === 0
        ? "x"
        : Array<string>(9)
            .fill(`*a${at - 1}`)
            .join(", ");
    return `a${at}: &a${at} [${last}]\n`;
  });
  t.throws(() => injectText(levels.join(""), "-", config), { code: "manifest_invalid" });
});

test("injectText reads values as kubectl does", (t) => {
  const text = pod("web", "  hostNetwork: yes\n");
  t.throws(() => injectText(text, "-", config), { code: "refused" });
});

test("injectText of nothing is nothing", (t) => {
  t.is(injectText("", "-", config).text, "");
});
