import { randomBytes } from "node:crypto";
import test from "ava";
import { drawAhead, drawnBytes } from "./drawn-ahead.ts";

test("drawAhead asks once for many", (t) => {
  const asked: number[] = [];
  const draw = drawAhead((length) => {
    asked.push(length);
    return randomBytes(length);
  });
  for (let turn = 0; turn < drawnBytes / 16; turn += 1) draw(16);
  t.deepEqual(asked, [drawnBytes]);
  draw(16);
  t.deepEqual(asked, [drawnBytes, drawnBytes]);
});

test("drawAhead tells every byte once, and none that was not drawn", (t) => {
  const source: number[] = [];
  const draw = drawAhead((length) => {
    const bytes = randomBytes(length);
    source.push(...bytes);
    return bytes;
  });
  const lengths = [16, 1, 0, 32, 4000, 16, 4096, 5, 100];
  const told = lengths.map((length) => draw(length));
  t.deepEqual(
    told.map(({ length }) => length),
    lengths,
  );
  const all = Buffer.from(source);
  const places = told.filter(({ length }) => length >= 16).map((bytes) => all.indexOf(bytes));
  t.false(places.includes(-1));
  t.is(new Set(places).size, places.length);
});

test("drawAhead changes nothing that it has told", (t) => {
  const draw = drawAhead((length) => new Uint8Array(length).fill(7));
  const first = draw(16);
  for (let turn = 0; turn < 1000; turn += 1) draw(16);
  t.deepEqual(first, new Uint8Array(16).fill(7));
});

test("drawAhead draws by itself what is longer than it keeps", (t) => {
  const asked: number[] = [];
  const draw = drawAhead((length) => {
    asked.push(length);
    return randomBytes(length);
  });
  t.is(draw(drawnBytes + 1).length, drawnBytes + 1);
  t.deepEqual(asked, [drawnBytes + 1]);
});
