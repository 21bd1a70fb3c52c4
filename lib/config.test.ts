import test from "ava";
import { ConfigError, list, logLevel, port, readConfig, seconds, z } from "./config.ts";

const schema = z.object({
  SIGNET_PORT: port(),
  SIGNET_WAIT_S: seconds(0, 3600).default(20),
  SIGNET_NAMES: list().optional(),
  SIGNET_LOG_LEVEL: logLevel(),
  POD_NAME: z.string().min(1).optional(),
});

test("readConfig reads what it knows and freezes it", (t) => {
  const config = readConfig(schema, {
    SIGNET_PORT: "80",
    SIGNET_NAMES: " a, b,,",
    PATH: "/bin",
    POD_NAME: undefined,
  });
  t.deepEqual(config, {
    SIGNET_PORT: 80,
    SIGNET_WAIT_S: 20,
    SIGNET_NAMES: ["a", "b"],
    SIGNET_LOG_LEVEL: "info",
  });
  t.true(Object.isFrozen(config));
});

test("readConfig tells every fault at once, and what to do", (t) => {
  const environment = { SIGNET_PORT: "0", SIGNET_LOG_LEVEL: "loud", SIGNET_PROT: "1" };
  const error = t.throws(() => readConfig(schema, environment), { instanceOf: ConfigError });
  t.is(error.code, "config_invalid");
  for (const name of ["SIGNET_PORT: ", "SIGNET_LOG_LEVEL: ", "SIGNET_PROT: unknown variable"]) {
    t.true(error.message.includes(name), error.message);
  }
  t.regex(error.next, /environment variables/);
});

for (const text of [
  "",
  " ",
  "0",
  "65536",
  "-1",
  "80.5",
  "0x50",
  "8e1",
  "+80",
  "http",
  "80 ",
  "٨٠",
]) {
  test(`readConfig refuses the port ${JSON.stringify(text)}`, (t) => {
    t.throws(() => readConfig(schema, { SIGNET_PORT: text }), {
      instanceOf: ConfigError,
      message: /SIGNET_PORT: /,
    });
  });
}

for (const text of ["", "-1", "3601", "1e9", "Infinity", "NaN", "ten"]) {
  test(`readConfig refuses ${JSON.stringify(text)} seconds`, (t) => {
    t.throws(() => readConfig(schema, { SIGNET_PORT: "80", SIGNET_WAIT_S: text }), {
      instanceOf: ConfigError,
      message: /SIGNET_WAIT_S: /,
    });
  });
}

test("readConfig takes the bounds of seconds, and parts of one", (t) => {
  const read = (text: string): number =>
    readConfig(schema, { SIGNET_PORT: "80", SIGNET_WAIT_S: text }).SIGNET_WAIT_S;
  t.deepEqual(["0", "3600", "0.5"].map(read), [0, 3600, 0.5]);
});

test("readConfig takes the links of a Service named signet-* for what they are", (t) => {
  const links = {
    SIGNET_CONTROLLER_SERVICE_HOST: "10.0.0.1",
    SIGNET_CONTROLLER_SERVICE_PORT: "8443",
    SIGNET_CONTROLLER_SERVICE_PORT_GRPC: "8443",
    SIGNET_CONTROLLER_PORT: "tcp://10.0.0.1:8443",
    SIGNET_CONTROLLER_PORT_8443_TCP_ADDR: "10.0.0.1",
  };
  t.notThrows(() => readConfig(schema, { SIGNET_PORT: "80", ...links }));
});

test("attack-48 readConfig is not moved by variables named like prototype members", (t) => {
  const environment = JSON.parse('{"SIGNET_PORT": "80", "__proto__": {"SIGNET_WAIT_S": "1"}}') as {
    SIGNET_PORT: string;
  };
  const config = readConfig(schema, environment);
  t.is(config.SIGNET_WAIT_S, 20);
  t.throws(() => readConfig(schema, { ...environment, SIGNET_constructor: "" }), {
    message: /SIGNET_constructor: unknown/,
  });
});
