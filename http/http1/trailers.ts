// Which fields may stand in a trailer section (RFC 9110 section 6.5.1). A recipient may merge trailers
// into the head, so whatever frames, routes, authenticates or identifies is refused there.
import { KIND, kindOf } from "./field-kind.ts";

export const TRAILER_NAME_BYTES_MAX = 64;

const refused: ReadonlySet<string> = new Set([
  // Framing and routing.
  "via",
  "max-forwards",
  "forwarded",
  "x-real-ip",
  // Authentication and cookies.
  "authorization",
  "proxy-authorization",
  "proxy-authenticate",
  "proxy-authentication-info",
  "www-authenticate",
  "cookie",
  "set-cookie",
  // What the content is.
  "content-encoding",
  "content-type",
  "content-range",
  "content-disposition",
  // How to handle request or response.
  "range",
  "cache-control",
  "pragma",
  "age",
  "date",
  "expires",
  "location",
  "retry-after",
  "vary",
  "warning",
  "origin",
  "referer",
  "user-agent",
]);
const refusedPrefixes: readonly string[] = [
  "x-forwarded-",
  "x-envoy-",
  "if-",
  "access-control-",
  "sec-",
  "x-http-method",
];

/** `name` holds `length` bytes in lower case, `_` already made `-`. */
export function isTrailerAllowed(name: Uint8Array, length: number): boolean {
  if (length === 0 || kindOf(name, 0, length) !== KIND.other) return false;
  const text = String.fromCharCode(...name.subarray(0, length));
  return !refused.has(text) && !refusedPrefixes.some((prefix) => text.startsWith(prefix));
}
