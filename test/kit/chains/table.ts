// The whole table, in the order in which it reads best.
import type { ChainCase } from "./chain-case.ts";
import { encodings } from "./encodings.ts";
import { keys } from "./keys.ts";
import { lengths } from "./lengths.ts";
import { lives } from "./lives.ts";
import { names } from "./names.ts";
import { orders } from "./orders.ts";
import { purposesOf } from "./purposes.ts";

export const chainCases: readonly ChainCase[] = [
  ...lives,
  ...lengths,
  ...orders,
  ...names,
  ...purposesOf,
  ...keys,
  ...encodings,
];
