// What one HTTP/2 connection may cost us. Every number has its unit in its name; the test of each
// overflow stands beside the file that enforces it.

/** SETTINGS_HEADER_TABLE_SIZE that we offer, and the most that our encoder uses of a peer's. Bytes. */
export const TABLE_BYTES_MAX = 4096;

/** Every entry counts 32 bytes besides its text (RFC 7541 section 4.1), so there are never more. */
export const TABLE_ENTRIES_MAX: number = TABLE_BYTES_MAX / 32;

/** Fields of one block, pseudo-header fields included. */
export const BLOCK_FIELDS_MAX = 128;

/** Bytes of one block as they come, HEADERS and its CONTINUATIONs together. */
export const BLOCK_BYTES_MAX: number = 64 * 1024;

/**
 * SETTINGS_MAX_HEADER_LIST_SIZE that we offer: names, values and 32 bytes for each field. A larger
 * message is refused, the connection goes on.
 */
export const LIST_BYTES_MAX: number = 64 * 1024;

/** A block that unfolds to so much was made to do that (HPACK bomb): the connection ends. */
export const LIST_BYTES_BOMB: number = 4 * LIST_BYTES_MAX;
