// Names as certificates carry them: GeneralName (RFC 5280 section 4.2.1.6) and Name (section 4.1.2.4).
// Always from the DER, never from a library's text of it: quoting rules of such texts have let one name
// pass for several.
import {
  contextTag,
  DerError,
  derTag,
  openDer,
  readObjectIdentifier,
  readVisibleText,
} from "#/lib/der.ts";
import type { DerElement } from "#/lib/der.ts";
import { attributeNames } from "./object-identifiers.ts";

export type GeneralNameKind =
  | "other"
  | "email"
  | "dns"
  | "x400"
  | "directory"
  | "edi"
  | "uri"
  | "ip"
  | "registered";

export interface GeneralName {
  readonly kind: GeneralNameKind;
  /** Text of email, dns and uri (visible ASCII, so no NUL); of the others their content in hex. */
  readonly value: string;
}

/** By context tag number; the value says whether the type is constructed. */
const kinds: readonly (readonly [GeneralNameKind, "primitive" | "constructed"])[] = [
  ["other", "constructed"],
  ["email", "primitive"],
  ["dns", "primitive"],
  ["x400", "constructed"],
  ["directory", "constructed"],
  ["edi", "constructed"],
  ["uri", "primitive"],
  ["ip", "primitive"],
  ["registered", "primitive"],
];

const kindByTag = new Map(
  kinds.map(([kind, form], number) => [contextTag(number, form), kind] as const),
);

/** Throws DerError for a tag that is no GeneralName and for text that is not visible ASCII. */
export function readGeneralName(element: DerElement): GeneralName {
  const kind = kindByTag.get(element.tag);
  if (kind === undefined) {
    throw new DerError("der_tag_unexpected", `Cannot read name: tag ${element.tag} is of no kind`);
  }
  if (kind === "email" || kind === "dns" || kind === "uri") {
    return { kind, value: readVisibleText(element) };
  }
  return { kind, value: Buffer.from(element.content).toString("hex") };
}

/** True for the Name without any attribute. */
export function isEmptyName(name: Uint8Array): boolean {
  return name.length === 2;
}

/** "CN=one, O=two" for people; attributes in the order of the DER. Never compared, only shown. */
export function describeName(name: DerElement): string {
  const parts: string[] = [];
  const sets = openDer(name, derTag.sequence);
  while (sets.nextTag !== null) {
    const set = sets.open(derTag.set);
    while (set.nextTag !== null) {
      const attribute = set.open(derTag.sequence);
      const type = readObjectIdentifier(attribute.take(derTag.objectIdentifier));
      const text = new TextDecoder().decode(attribute.next().content);
      attribute.finish();
      parts.push(`${attributeNames[type] ?? type}=${escape(text)}`);
    }
  }
  return parts.join(", ");
}

/** What could pass for a separator, or move a cursor, is shown as its code. */
function escape(text: string): string {
  return text.replaceAll(
    /[\p{C}\p{Zl}\p{Zp}\\,=]/gu,
    (character) => String.raw`\u{` + character.codePointAt(0)!.toString(16) + "}",
  );
}
