import test from "ava";
import { requestHead, varyingMark, works } from "./works.ts";

test("works have names of their own", (t) => {
  t.is(new Set(works.map((work) => work.name)).size, works.length);
});

test("works with headers send twelve, exactly one of them varying", (t) => {
  const { headers } = works.find((work) => work.name === "h1-mtls-pair-headers")!;
  t.is(headers.length, 12);
  t.is(headers.filter(([, value]) => value.includes(varyingMark)).length, 1);
});

test("requestHead is one request with Host first", (t) => {
  const plain = works.find((work) => work.name === "h1-plain-hop")!;
  t.is(requestHead(plain, "app-b"), "GET /hello HTTP/1.1\r\nHost: app-b\r\n\r\n");
  const upload = works.find((work) => work.name === "h1-mtls-pair-1m")!;
  t.is(
    requestHead(upload, "app-b"),
    "POST /upload HTTP/1.1\r\nHost: app-b\r\nContent-Length: 1048576\r\n\r\n",
  );
});
