// Bytes on the wire <-> the model, total both ways: every message of the model has its bytes, and any
// bytes give a message or a DiscoveryError, nothing else. Only this file and convert-resource.ts know
// the generated code.
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import { BinaryReader, BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { assertNever } from "#/lib/assert.ts";
import { messageOf } from "#/lib/errors.ts";
import { kindFromWire, kindToWire, resourceFromWire, resourceToWire } from "./convert-resource.ts";
import { wireInvalid } from "./convert-resource.ts";
import type { Resource, SubscriberMessage, Update } from "./discovery.ts";
import { DiscoveryError } from "./discovery.ts";
import * as wire from "./gen/discovery_pb.ts";
import * as identityWire from "./gen/identity_pb.ts";
import type { IssueJwtRequest, IssueJwtResponse, IssueRequest, IssueResponse } from "./identity.ts";

/** Resources that one Hello may name. Each costs its sender 2 bytes and us some hundred. */
export const heldResourcesMax = 100_000;
/** Characters of a NACK's reason that are kept: it goes into a log line. */
export const nackReasonCharactersMax = 1024;

export function encodeSubscriberMessage(message: SubscriberMessage): Uint8Array {
  return toBinary(
    wire.SubscribeRequestSchema,
    create(wire.SubscribeRequestSchema, { message: subscriberToWire(message) }),
  );
}

function subscriberToWire(message: SubscriberMessage): wire.SubscribeRequest["message"] {
  switch (message.kind) {
    case "hello": {
      const { podNamespace, podName, podUid } = message;
      const held = message.held.map(({ kind, name, version }) =>
        create(wire.HeldResourceSchema, { kind: kindToWire(kind), name, version }),
      );
      const value = create(wire.HelloSchema, { podNamespace, podName, podUid, held });
      return { case: "hello", value };
    }
    case "ack":
      return {
        case: "ack",
        value: create(wire.AckSchema, { sequence: message.sequence }),
      };
    case "nack": {
      const { sequence, reason } = message;
      return { case: "nack", value: create(wire.NackSchema, { sequence, reason }) };
    }
    default:
      return assertNever(message);
  }
}

/** Throws DiscoveryError: wire_invalid, or limit_exceeded before a flood of entries is built. */
export function decodeSubscriberMessage(bytes: Uint8Array): SubscriberMessage {
  limitHeld(bytes);
  const { message } = decode(wire.SubscribeRequestSchema, bytes);
  switch (message.case) {
    case "hello": {
      const { podNamespace, podName, podUid } = message.value;
      const held = message.value.held.map(({ kind, name, version }) => ({
        kind: kindFromWire(kind),
        name,
        version,
      }));
      return { kind: "hello", podNamespace, podName, podUid, held };
    }
    case "ack":
      return { kind: "ack", sequence: message.value.sequence };
    case "nack": {
      const { sequence, reason } = message.value;
      return { kind: "nack", sequence, reason: reason.slice(0, nackReasonCharactersMax) };
    }
    case undefined:
      throw wireInvalid("it is neither hello nor ack nor nack");
    default:
      return assertNever(message);
  }
}

/**
 * An update goes to many subscribers, its resources are encoded once: the bytes of each are kept
 * with it for as long as it lives.
 */
export function encodeUpdate(update: Update): Uint8Array {
  const writer = new BinaryWriter();
  const field = wire.UpdateSchema.field;
  writer.uint32((field.sequence.number << 3) | WireType.Varint).uint32(update.sequence);
  for (const resource of update.upserts) {
    writer
      .uint32((field.upserts.number << 3) | WireType.LengthDelimited)
      .bytes(encodeResource(resource));
  }
  for (const { kind, name } of update.removals) {
    const key = create(wire.ResourceKeySchema, { kind: kindToWire(kind), name });
    writer
      .uint32((field.removals.number << 3) | WireType.LengthDelimited)
      .bytes(toBinary(wire.ResourceKeySchema, key));
  }
  if (update.synced) writer.uint32((field.synced.number << 3) | WireType.Varint).bool(true);
  const response = new BinaryWriter();
  const outer = wire.SubscribeResponseSchema.field.update.number;
  response.uint32((outer << 3) | WireType.LengthDelimited).bytes(writer.finish());
  return response.finish();
}

const encodedResources = new WeakMap<Resource, Uint8Array>();

function encodeResource(resource: Resource): Uint8Array {
  let bytes = encodedResources.get(resource);
  if (bytes === undefined) {
    bytes = toBinary(wire.ResourceSchema, resourceToWire(resource));
    encodedResources.set(resource, bytes);
  }
  return bytes;
}

/** Bytes that the resource takes in an update; for cutting a large state into updates. */
export function encodedResourceBytes(resource: Resource): number {
  return encodeResource(resource).length;
}

/** Throws DiscoveryError: wire_invalid. */
export function decodeUpdate(bytes: Uint8Array): Update {
  const { message } = decode(wire.SubscribeResponseSchema, bytes);
  if (message.case === undefined) throw wireInvalid("it is not an update");
  const { sequence, upserts, removals, synced } = message.value;
  return {
    sequence,
    upserts: upserts.map(resourceFromWire),
    removals: removals.map(({ kind, name }) => ({ kind: kindFromWire(kind), name })),
    synced,
  };
}

/** The sequence of an update that `decodeUpdate` refused, to refuse it by; 0 when it has none. */
export function sequenceOf(bytes: Uint8Array): number {
  try {
    const { message } = fromBinary(wire.SubscribeResponseSchema, bytes);
    return message.value?.sequence ?? 0;
  } catch {
    return 0;
  }
}

export function encodeIssueRequest({ csr, token, lifetimeS, serving }: IssueRequest): Uint8Array {
  const schema = identityWire.IssueRequestSchema;
  return toBinary(schema, create(schema, { csr, token, lifetimeSeconds: lifetimeS, serving }));
}

/**
 * Field by field, as the answer is written: by the schema alone both would cost four times as much, for each
 * certificate. Throws DiscoveryError: wire_invalid.
 */
export function decodeIssueRequest(bytes: Uint8Array): IssueRequest {
  const { field: known } = identityWire.IssueRequestSchema;
  const request = { csr: new Uint8Array(), token: "", lifetimeS: 0, serving: false };
  readFields(bytes, (number, type, reader) => {
    if (number === known.csr.number && type === WireType.LengthDelimited) {
      request.csr = new Uint8Array(reader.bytes());
    } else if (number === known.token.number && type === WireType.LengthDelimited) {
      request.token = reader.string(true);
    } else if (number === known.lifetimeSeconds.number && type === WireType.Varint) {
      request.lifetimeS = reader.uint32();
    } else if (number === known.serving.number && type === WireType.Varint) {
      request.serving = reader.bool();
    } else reader.skip(type, number);
  });
  return request;
}

export function encodeIssueResponse(response: IssueResponse): Uint8Array {
  const { certificateChain, trustBundle, notAfter, receipt } = response;
  const { field } = identityWire.IssueResponseSchema;
  const { field: ofReceipt } = identityWire.LogReceiptSchema;
  const log = new BinaryWriter();
  log.tag(ofReceipt.checkpoint.number, WireType.LengthDelimited).string(receipt.checkpoint);
  log.tag(ofReceipt.entry.number, WireType.LengthDelimited).bytes(receipt.entry);
  log.tag(ofReceipt.path.number, WireType.LengthDelimited).bytes(receipt.path);
  const writer = new BinaryWriter();
  for (const certificate of certificateChain) {
    writer.tag(field.certificateChain.number, WireType.LengthDelimited).bytes(certificate);
  }
  for (const root of trustBundle) {
    writer.tag(field.trustBundle.number, WireType.LengthDelimited).bytes(root);
  }
  writer.tag(field.notAfterMs.number, WireType.Varint).int64(notAfter);
  writer.tag(field.logIndex.number, WireType.Varint).uint64(receipt.index);
  writer.tag(field.logReceipt.number, WireType.LengthDelimited).bytes(log.finish());
  return writer.finish();
}

/** Throws DiscoveryError: wire_invalid, also for an answer without a chain, roots or receipt. */
export function decodeIssueResponse(bytes: Uint8Array): IssueResponse {
  const response = decode(identityWire.IssueResponseSchema, bytes);
  const { certificateChain, trustBundle, logReceipt } = response;
  if (certificateChain.length === 0) throw wireInvalid("the certificate chain is empty");
  if (trustBundle.length === 0) throw wireInvalid("the trust bundle is empty");
  if (logReceipt === undefined) throw wireInvalid("the log's receipt is missing");
  return {
    certificateChain: certificateChain.map(copy),
    trustBundle: trustBundle.map(copy),
    notAfter: safeInteger(response.notAfterMs, "not_after_ms"),
    receipt: {
      index: safeInteger(response.logIndex, "log_index"),
      checkpoint: logReceipt.checkpoint,
      entry: copy(logReceipt.entry),
      path: copy(logReceipt.path),
    },
  };
}

export function encodeIssueJwtRequest({ token, audiences }: IssueJwtRequest): Uint8Array {
  const schema = identityWire.IssueJwtRequestSchema;
  return toBinary(schema, create(schema, { token, audiences: [...audiences] }));
}

/** Throws DiscoveryError: wire_invalid. */
export function decodeIssueJwtRequest(bytes: Uint8Array): IssueJwtRequest {
  const { token, audiences } = decode(identityWire.IssueJwtRequestSchema, bytes);
  return { token, audiences };
}

export function encodeIssueJwtResponse({ svid, expiresAt }: IssueJwtResponse): Uint8Array {
  const schema = identityWire.IssueJwtResponseSchema;
  return toBinary(schema, create(schema, { svid, expiresAtMs: BigInt(expiresAt) }));
}

/** Throws DiscoveryError: wire_invalid. */
export function decodeIssueJwtResponse(bytes: Uint8Array): IssueJwtResponse {
  const { svid, expiresAtMs } = decode(identityWire.IssueJwtResponseSchema, bytes);
  if (svid === "") throw wireInvalid("the token is empty");
  return { svid, expiresAt: safeInteger(expiresAtMs, "expires_at_ms") };
}

/** What is kept must not keep the whole message with it. */
function copy(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes);
}

function safeInteger(value: bigint, name: string): number {
  const number = Number(value);
  if (!Number.isSafeInteger(number) || number < 0) throw wireInvalid(`${name} is out of range`);
  return number;
}

function decode<Schema extends DescMessage>(
  schema: Schema,
  bytes: Uint8Array,
): MessageShape<Schema> {
  try {
    return fromBinary(schema, bytes, { readUnknownFields: false });
  } catch (thrown) {
    throw wireInvalid(messageOf(thrown), thrown);
  }
}

/** Counts the entries of Hello.held in the raw bytes (attack case 52). */
function limitHeld(bytes: Uint8Array): void {
  const hello = wire.SubscribeRequestSchema.field.hello.number;
  const held = wire.HelloSchema.field.held.number;
  let entries = 0;
  eachField(bytes, (field, content) => {
    if (field !== hello || content === null) return;
    eachField(content, (inner) => {
      if (inner !== held || ++entries <= heldResourcesMax) return;
      throw new DiscoveryError(
        "limit_exceeded",
        `Cannot read the message: it holds more than ${heldResourcesMax} resources`,
      );
    });
  });
}

function eachField(
  bytes: Uint8Array,
  visit: (field: number, content: Uint8Array | null) => void,
): void {
  readFields(bytes, (field, type, reader) => {
    if (type === WireType.LengthDelimited) visit(field, reader.bytes());
    else {
      reader.skip(type, field);
      visit(field, null);
    }
  });
}

/** `read` takes each field's content, or skips it. Throws DiscoveryError. */
function readFields(
  bytes: Uint8Array,
  read: (field: number, type: WireType, reader: BinaryReader) => void,
): void {
  try {
    const reader = new BinaryReader(bytes);
    while (reader.pos < reader.len) {
      const [field, type] = reader.tag();
      read(field, type, reader);
    }
  } catch (thrown) {
    if (thrown instanceof DiscoveryError) throw thrown;
    throw wireInvalid(messageOf(thrown), thrown);
  }
}
