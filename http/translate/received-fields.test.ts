import test from "ava";
import * as fc from "fast-check";
import { fuzzOptions } from "#/test/kit/fuzz.ts";
import { addField } from "#/test/kit/header-fields.ts";
import type { Field } from "#/test/kit/header-fields.ts";
import { linesOrReason } from "#/test/kit/translated.ts";
import type { FieldBlock } from "../http2/field-block.ts";
import { KIND } from "../http2/field-kind.ts";
import { HpackDecoder } from "../http2/hpack-decoder.ts";
import { HpackEncoder } from "../http2/hpack-encoder.ts";
import { close, open } from "./head-writer.ts";
import { fieldBytesMax, putFields } from "./received-fields.ts";

const DROP = 1 << KIND.method;

/** One connection's two tables: a line that came before comes with its number. */
class Connection {
  readonly #encoder = new HpackEncoder();
  readonly #decoder = new HpackDecoder();

  read(fields: readonly Field[]): FieldBlock {
    this.#encoder.begin();
    for (const field of fields) addField(this.#encoder, field);
    this.#decoder.decode(this.#encoder.bytes, 0, this.#encoder.length);
    return this.#decoder.block;
  }
}

function written(block: FieldBlock, drop = DROP): readonly string[] | string {
  open(fieldBytesMax(block) + 2);
  putFields(block, drop);
  return linesOrReason(close());
}

const plain = (fields: readonly Field[]): string[] =>
  fields.filter(([name]) => !name.startsWith(":")).map(([name, value]) => `${name}: ${value}`);

const method: Field = [":method", "GET"];
const names = ["a", "b", "c", "d", "e", "f"];

test("received fields are the same each time, whatever differs among them", (t) => {
  const connection = new Connection();
  for (let round = 0; round < 8; round += 1) {
    for (const [at] of names.entries()) {
      const fields = names.map((name, index): Field => [name, index === at ? String(round) : "x"]);
      t.deepEqual(written(connection.read([method, ...fields])), plain(fields));
    }
  }
});

test("received fields leave out what they are told to, also where another time they did not", (t) => {
  const connection = new Connection();
  const fields: Field[] = [method, ["a", "1"], ["server", "x"], ["b", "2"]];
  const without = plain([fields[1]!, fields[3]!]);
  for (let round = 0; round < 4; round += 1) {
    t.deepEqual(written(connection.read(fields)), plain(fields));
    t.deepEqual(written(connection.read(fields), DROP | (1 << KIND.server)), without);
  }
});

test("attack-43 received fields that were refused once are refused ever after", (t) => {
  const connection = new Connection();
  for (let round = 0; round < 4; round += 1) {
    t.is(written(connection.read([method, ["a", "1"], ["b", "2\r\nc: d"]])), "control_byte");
    t.is(written(connection.read([method, ["a", "1"], ["B", "2"]])), "bad_field_name");
    t.deepEqual(written(connection.read([method, ["a", "1"]])), ["a: 1"]);
  }
});

test("received fields property: heads of several connections, repeated and varied", (t) => {
  const field = fc.tuple(fc.constantFrom(...names, "cookie"), fc.constantFrom("x", "y", "z"));
  const head = fc.array(field, { minLength: 1, maxLength: 6 });
  const choice = fc.record({ connection: fc.nat(1), head: fc.nat(3) });
  const heads = fc.array(head, { minLength: 4, maxLength: 4 });
  fc.assert(
    fc.property(heads, fc.array(choice, { maxLength: 30 }), (list, choices) => {
      const connections = [new Connection(), new Connection()];
      for (const { connection, head: which } of choices) {
        const fields = list[which]!;
        const cookies = fields.filter(([name]) => name === "cookie").map(([, value]) => value);
        const first = fields.findIndex(([name]) => name === "cookie");
        const joined = fields
          .map(([name, value], at): Field => [name, at === first ? cookies.join("; ") : value])
          .filter(([name], at) => name !== "cookie" || at === first);
        t.deepEqual(written(connections[connection]!.read([method, ...fields])), plain(joined));
      }
    }),
    fuzzOptions(t, 300),
  );
});
