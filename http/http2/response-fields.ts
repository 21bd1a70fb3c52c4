// The head of a response as HTTP/2 has it: whether it is well formed (RFC 9113 section 8.3.2), and how
// much content must follow. One per connection, used for each response.
import { METHOD } from "../http1/method.ts";
import type { MethodCode } from "../http1/method.ts";
import type { StreamFault } from "./fault.ts";
import { FieldBlock } from "./field-block.ts";
import { KIND } from "./field-kind.ts";
import { contentLengthOf, fieldsFault } from "./fields-fault.ts";

const ZERO = 0x30;
const STATUS_DIGITS = 3;
const SWITCHING = 101;
const NO_CONTENT = 204;
const NOT_MODIFIED = 304;
const NO_FIELDS = new FieldBlock();

const PSEUDO_OF_REQUESTS =
  (1 << KIND.method) |
  (1 << KIND.scheme) |
  (1 << KIND.authority) |
  (1 << KIND.path) |
  (1 << KIND.protocol);

export class ResponseFields {
  fields: FieldBlock = NO_FIELDS;
  /** 100..999. */
  status = 0;
  /** 1xx: another head follows. */
  interim = false;
  /** Bytes of content that must follow; -1 where any number may. */
  contentBytes = -1;

  /** Reads a block as the head of a response to `method`; null when it is one. */
  read(fields: FieldBlock, endStream: boolean, method: MethodCode): StreamFault | null {
    this.fields = fields;
    const fault = fieldsFault(fields);
    if (fault !== null) return fault;
    const once = fields.has(KIND.status) && (fields.repeated & (1 << KIND.status)) === 0;
    if (!once || (fields.seen & PSEUDO_OF_REQUESTS) !== 0) return "bad_pseudo_fields";
    return this.#readStatus(endStream) ?? this.#readLength(endStream, method);
  }

  #readStatus(endStream: boolean): StreamFault | null {
    const { bytes } = this.fields;
    const field = this.fields.first[KIND.status]!;
    const start = this.fields.valueStart(field);
    if (this.fields.valueEnd(field) - start !== STATUS_DIGITS) return "bad_status";
    let status = 0;
    for (let at = start; at < start + STATUS_DIGITS; at += 1) {
      const digit = bytes[at]! - ZERO;
      if (digit < 0 || digit > 9) return "bad_status";
      status = status * 10 + digit;
    }
    // Nothing switches protocols in HTTP/2 (RFC 9113 section 8.6).
    if (status < 100 || status === SWITCHING) return "bad_status";
    this.status = status;
    this.interim = status < 200;
    return this.interim && endStream ? "interim_with_end" : null;
  }

  #readLength(endStream: boolean, method: MethodCode): StreamFault | null {
    const { status } = this;
    const length = contentLengthOf(this.fields);
    if (typeof length === "string") return length;
    const tunnels = method === METHOD.connect && status >= 200 && status < 300;
    if (this.interim || status === NO_CONTENT || tunnels) {
      // No length may be given here; recipients disagree on whether it counts.
      if (length > 0) return "content_not_allowed";
      this.contentBytes = tunnels ? -1 : 0;
      return null;
    }
    if (status === NOT_MODIFIED || method === METHOD.head) {
      this.contentBytes = 0;
      return null;
    }
    this.contentBytes = length;
    return endStream && length > 0 ? "content_length_mismatch" : null;
  }
}
