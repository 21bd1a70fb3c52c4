// Names as certificates carry them: GeneralName (RFC 5280 section 4.2.1.6) and Name (section 4.1.2.4).
// Always from the DER, never from a library's text of it: quoting rules of such texts have let one name
// pass for several.
import { isAscii, isUtf8 } from "node:buffer";
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

/**
 * What a string of each type may hold. RFC 5280 section 4.1.2.4 has new certificates use these; the
 * older types (TeletexString, BMPString) are refused.
 */
const stringContents: ReadonlyMap<number, (content: Uint8Array) => boolean> = new Map([
  [derTag.utf8String, isUtf8],
  [derTag.printableString, isAscii],
  [derTag.ia5String, isAscii],
]);

interface Attribute {
  readonly type: string;
  readonly value: DerElement;
}

/** The attributes of a Name in order; throws DerError unless it is one. */
export function readName(name: DerElement): readonly Attribute[] {
  const attributes: Attribute[] = [];
  const sets = openDer(name, derTag.sequence);
  while (sets.nextTag !== null) {
    const set = sets.open(derTag.set);
    do {
      const fields = set.open(derTag.sequence);
      const type = readObjectIdentifier(fields.take(derTag.objectIdentifier));
      const value = fields.next();
      fields.finish();
      if (stringContents.get(value.tag)?.(value.content) !== true) {
        throw new DerError("der_value_invalid", `Cannot read name: "${type}" is no string`);
      }
      attributes.push({ type, value });
    } while (set.nextTag !== null);
  }
  return attributes;
}

/** "CN=one, O=two" for people; attributes in the order of the DER. Never compared, only shown. */
export function describeName(name: DerElement): string {
  return readName(name)
    .map(({ type, value }) => {
      const text = new TextDecoder().decode(value.content);
      return `${attributeNames[type] ?? type}=${escape(text)}`;
    })
    .join(", ");
}

/** What could pass for a separator, or move a cursor, is shown as its code. */
function escape(text: string): string {
  return text.replaceAll(
    /[\p{C}\p{Zl}\p{Zp}\\,=]/gu,
    (character) => String.raw`\u{` + character.codePointAt(0)!.toString(16) + "}",
  );
}
