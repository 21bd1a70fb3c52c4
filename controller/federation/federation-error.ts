// Why a foreign bundle is not had. One closed union for log, metric and status.
import { MeshError } from "#/lib/errors.ts";

/**
 * endpoint_forbidden: an address that nobody may be asked at. endpoint_unreachable: nobody answers.
 * endpoint_untrusted: who answers does not prove to be whom the profile demands. answer_invalid: it is no
 * document. bundle_refused: the document must not be taken for that trust domain's.
 */
export type FederationErrorCode =
  | "endpoint_forbidden"
  | "endpoint_unreachable"
  | "endpoint_untrusted"
  | "answer_invalid"
  | "bundle_refused";

export class FederationError extends MeshError<FederationErrorCode> {}
