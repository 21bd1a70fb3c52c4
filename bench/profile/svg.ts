// Boxes -> a flame graph as one SVG file that needs nothing else: titles under the pointer, a click zooms, a
// click on the lowest box goes back, Ctrl-F or the corner's word searches. Pure.
import type { Box } from "./layout.ts";

const width = 1600;
const rowHeight = 18;
const margin = 10;
const headHeight = 48;
const footHeight = 24;
/** Of the font below, roughly; a text is cut rather than let out of its box. */
const characterWidth = 7;

/** What a box is, for its colour. */
const kinds = [
  { match: /^\(garbage collector\)/, hue: 280, name: "garbage collector" },
  { match: /^\((?:program|root|idle)\)/, hue: 0, name: "kernel and native code" },
  { match: / node:/, hue: 200, name: "Node" },
  { match: / node_modules\//, hue: 160, name: "packages" },
  { match: /^/, hue: 35, name: "ours" },
] as const;

export interface Heading {
  readonly title: string;
  readonly subtitle: string;
}

export function renderSvg(boxes: readonly Box[], { title, subtitle }: Heading): string {
  const rows = boxes.reduce((most, { depth }) => Math.max(most, depth + 1), 0);
  const height = headHeight + rows * rowHeight + footHeight;
  const lines = [
    `<?xml version="1.0" encoding="UTF-8"?>`,
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="100%" font-family="monospace" font-size="12">`,
    `<style>g:hover rect { stroke: #000 } g { cursor: pointer } .found rect { fill: #d0f !important }</style>`,
    `<rect width="${width}" height="${height}" fill="#fff"/>`,
    `<text x="${margin}" y="20" font-size="15">${escapeXml(title)}</text>`,
    `<text x="${margin}" y="38" fill="#666">${escapeXml(subtitle)}</text>`,
    `<text id="search" x="${width - margin}" y="20" text-anchor="end" cursor="pointer">search</text>`,
    legend(height),
    ...boxes.map((box) => boxText(box, rows)),
    `<script><![CDATA[${script}]]></script>`,
    "</svg>",
  ];
  return `${lines.join("\n")}\n`;
}

function boxText(box: Box, rows: number): string {
  const { name, x, width: share, depth, totalUs, selfUs } = box;
  const left = margin + x * span;
  const wide = share * span;
  const top = headHeight + (rows - 1 - depth) * rowHeight;
  const title = `${name}\n${percent(share)} with what it calls (${milliseconds(totalUs)}), itself ${milliseconds(selfUs)}`;
  return (
    `<g data-x="${round(x, 7)}" data-w="${round(share, 7)}" data-d="${depth}"><title>${escapeXml(title)}</title>` +
    `<rect x="${round(left, 2)}" y="${top}" width="${round(wide, 2)}" height="${rowHeight - 1}" rx="2" fill="${colourOf(name)}"/>` +
    `<text x="${round(left + 3, 2)}" y="${top + 13}">${escapeXml(fit(name, wide))}</text></g>`
  );
}

const span = width - 2 * margin;

/** The name as far as it goes into `wide` pixels; nothing rather than a letter or two. */
export function fit(name: string, wide: number): string {
  const characters = Math.floor((wide - 6) / characterWidth);
  if (characters < 3) return "";
  return name.length <= characters ? name : `${name.slice(0, characters - 2)}..`;
}

/** Of one kind, but neighbours differ; the same name always looks the same. */
function colourOf(name: string): string {
  const { hue } = kinds.find(({ match }) => match.test(name))!;
  let hash = 0;
  for (const character of name) hash = (hash * 31 + character.codePointAt(0)!) % 1009;
  return `hsl(${hue + (hash % 20)},${hue === 0 ? 5 : 75}%,${70 + (hash % 12)}%)`;
}

function legend(height: number): string {
  return kinds
    .map(({ hue, name }, index) => {
      const x = margin + index * 220;
      const colour = `hsl(${hue},${hue === 0 ? 5 : 75}%,75%)`;
      return `<rect x="${x}" y="${height - 17}" width="12" height="12" fill="${colour}"/><text x="${x + 18}" y="${height - 7}">${name}</text>`;
    })
    .join("");
}

const percent = (share: number): string => `${(share * 100).toFixed(2)} %`;
const milliseconds = (us: number): string => `${(us / 1000).toFixed(1)} ms`;

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}

function escapeXml(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}

const script = `
const boxes = [...document.querySelectorAll("g")].map((g) => ({
  g, rect: g.querySelector("rect"), text: g.querySelector("text"), name: g.querySelector("title").textContent.split("\\n")[0],
  x: +g.dataset.x, w: +g.dataset.w, d: +g.dataset.d,
}));
const slack = 1e-6;
function zoom(to) {
  for (const box of boxes) {
    const above = box.d >= to.d && box.x >= to.x - slack && box.x + box.w <= to.x + to.w + slack;
    const below = box.d < to.d && box.x <= to.x + slack && box.x + box.w >= to.x + to.w - slack;
    box.g.style.display = above || below ? "" : "none";
    const x = ${margin} + (below ? 0 : (box.x - to.x) / to.w) * ${span};
    const w = (below ? 1 : box.w / to.w) * ${span};
    box.rect.setAttribute("x", x);
    box.rect.setAttribute("width", Math.max(0, w));
    box.text.setAttribute("x", x + 3);
    const fits = Math.floor((w - 6) / ${characterWidth});
    box.text.textContent = fits < 3 ? "" : box.name.length <= fits ? box.name : box.name.slice(0, fits - 2) + "..";
  }
}
function search() {
  const word = prompt("Which functions or files? (a regular expression)") || "";
  const pattern = word === "" ? null : new RegExp(word);
  for (const { g, name } of boxes) g.classList.toggle("found", pattern !== null && pattern.test(name));
}
for (const box of boxes) box.g.addEventListener("click", () => zoom(box));
document.getElementById("search").addEventListener("click", search);
addEventListener("keydown", (event) => {
  if (!event.ctrlKey || event.key !== "f") return;
  event.preventDefault();
  search();
});
`;
