import test from "ava";
import * as fc from "fast-check";
import { chooseStyle } from "./paint.ts";
import { formatFields, formatTable } from "./table.ts";
import { displayWidth } from "./text.ts";

const plain = chooseStyle({ colour: false, unicode: true });
const bright = chooseStyle({ colour: true, unicode: true });

const columns = [
  { title: "POD", shrinks: true },
  { title: "LEFT", alignRight: true },
];
const rows = [
  ["app-a/app-a-5f6c7d-0", "12m 04s"],
  ["b", "9s"],
];

test("formatTable makes columns as wide as they need, numbers to the right", (t) => {
  t.deepEqual(formatTable(columns, rows, 80, plain), [
    "POD                      LEFT",
    "app-a/app-a-5f6c7d-0  12m 04s",
    "b                          9s",
  ]);
});

test("formatTable cuts what may shrink in the middle, and nothing else", (t) => {
  t.deepEqual(formatTable(columns, rows, 20, plain), [
    "POD             LEFT",
    "app-a…c7d-0  12m 04s",
    "b                 9s",
  ]);
});

test("formatTable is as wide as it must be when it cannot shrink further", (t) => {
  const lines = formatTable(columns, rows, 1, plain);
  t.is(displayWidth(lines[1]!), 8 + 2 + 7);
});

test("formatTable measures coloured cells by what is seen", (t) => {
  const coloured = [
    [bright.paint.green("ready"), "1"],
    ["not ready", "2"],
  ];
  const lines = formatTable([{ title: "STATE" }, { title: "N" }], coloured, 80, plain);
  t.is(displayWidth(lines[1]!), displayWidth(lines[2]!));
});

test("formatTable fills cells that are not there", (t) => {
  t.deepEqual(formatTable(columns, [["only"]], 80, plain), ["POD   LEFT", "only"]);
});

test("property: formatTable never exceeds the width once columns may shrink", (t) => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.string({ maxLength: 60 }), fc.string({ maxLength: 60 })), {
        maxLength: 8,
      }),
      fc.integer({ min: 20, max: 120 }),
      (cells, width) => {
        const shrinking = [
          { title: "ONE", shrinks: true },
          { title: "TWO", shrinks: true },
        ];
        const printable = cells.map((row) => row.map((cell) => cell.replaceAll(/[^ -~]/g, "?")));
        return formatTable(shrinking, printable, width, plain).every(
          (line) => displayWidth(line) <= width,
        );
      },
    ),
  );
  t.pass();
});

test("formatFields puts values in one column", (t) => {
  t.deepEqual(
    formatFields(
      [
        ["a", "1"],
        ["long name", "2"],
        ["none", ""],
      ],
      plain,
    ),
    ["a          1", "long name  2", "none"],
  );
});
