// Colours and line-drawing characters, chosen once from what the terminal can do.

export interface Paint {
  readonly bold: (text: string) => string;
  readonly dim: (text: string) => string;
  readonly red: (text: string) => string;
  readonly green: (text: string) => string;
  readonly yellow: (text: string) => string;
  readonly cyan: (text: string) => string;
  readonly magenta: (text: string) => string;
}

export interface Glyphs {
  readonly full: string;
  readonly half: string;
  readonly empty: string;
  readonly rule: string;
  readonly arrow: string;
  readonly passed: string;
  readonly failed: string;
  readonly warning: string;
  readonly waiting: string;
  readonly mark: string;
  readonly times: string;
  readonly spinner: readonly string[];
}

export interface Style {
  readonly paint: Paint;
  readonly glyphs: Glyphs;
}

const wrap =
  (open: number, close: number) =>
  (text: string): string =>
    text === "" ? "" : `\u001b[${open}m${text}\u001b[${close}m`;

const colours: Paint = {
  bold: wrap(1, 22),
  dim: wrap(2, 22),
  red: wrap(31, 39),
  green: wrap(32, 39),
  yellow: wrap(33, 39),
  cyan: wrap(36, 39),
  magenta: wrap(35, 39),
};

const same = (text: string): string => text;
const plain: Paint = {
  bold: same,
  dim: same,
  red: same,
  green: same,
  yellow: same,
  cyan: same,
  magenta: same,
};

const unicodeGlyphs: Glyphs = {
  full: "█",
  half: "▒",
  empty: "░",
  rule: "─",
  arrow: "→",
  passed: "✔",
  failed: "✘",
  warning: "!",
  waiting: "·",
  mark: "…",
  times: "×",
  spinner: Array.from("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"),
};

const asciiGlyphs: Glyphs = {
  full: "#",
  half: "=",
  empty: ".",
  rule: "-",
  arrow: "->",
  passed: "ok",
  failed: "FAILED",
  warning: "!",
  waiting: ".",
  mark: "~",
  times: "x",
  spinner: Array.from("|/-\\"),
};

/** Colours and characters for a terminal that can show them, or plain ASCII. */
export function chooseStyle(can: { readonly colour: boolean; readonly unicode: boolean }): Style {
  return {
    paint: can.colour ? colours : plain,
    glyphs: can.unicode ? unicodeGlyphs : asciiGlyphs,
  };
}
