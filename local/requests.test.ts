import test from "ava";
import {
  readContainerRequest,
  readExecRequest,
  readObjectReference,
  readTail,
  tailMax,
} from "./requests.ts";

test("requests are read as the protocol has them", (t) => {
  const exec = { pod: "a", command: ["id"] };
  t.deepEqual(readExecRequest(JSON.stringify(exec)), exec);
  const container = { pod: "a", container: "proxy", action: "kill" };
  t.deepEqual(readContainerRequest(JSON.stringify(container)), container);
  const reference = { kind: "Pod", namespace: "n", name: "a" };
  t.deepEqual(readObjectReference(JSON.stringify(reference)), reference);
  t.is(readTail(null), 200);
  t.is(readTail("7"), 7);
  t.is(readTail("999999"), tailMax);
});

const bad: readonly (readonly [string, () => unknown])[] = [
  ["half of a JSON text", () => readExecRequest("{")],
  ["nothing", () => readExecRequest("")],
  ["a list", () => readExecRequest("[]")],
  ["no command", () => readExecRequest('{"pod":"a"}')],
  ["an empty command", () => readExecRequest('{"pod":"a","command":[]}')],
  ["a command as one text", () => readExecRequest('{"pod":"a","command":"id"}')],
  ["a command with a NUL", () => readExecRequest('{"pod":"a","command":["a\\u0000b"]}')],
  ["a number as pod", () => readExecRequest('{"pod":1,"command":["id"]}')],
  ["a field that nobody reads", () => readExecRequest('{"pod":"a","command":["id"],"user":0}')],
  ["an action that there is not", () => readContainerRequest('{"pod":"a","action":"stpo"}')],
  ["no action", () => readContainerRequest('{"pod":"a"}')],
  ["no kind", () => readObjectReference('{"namespace":"n","name":"a"}')],
  ["a tail of words", () => readTail("all")],
  ["a negative tail", () => readTail("-1")],
  ["no lines", () => readTail("0")],
];
for (const [what, read] of bad) {
  test(`requests refuse ${what}`, (t) => {
    t.throws(read, { code: "object_invalid", message: /^Cannot read the request: / });
  });
}
