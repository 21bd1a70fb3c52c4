// Which function does what a command's words say. A test holds this against the command tree.
import { caInstall, caRequest, caRotate } from "./ca.ts";
import { certsDiff } from "./certs-diff.ts";
import { certsWatch } from "./certs-watch.ts";
import { certsWho } from "./certs-who.ts";
import { certsInspect, certsList } from "./certs.ts";
import { checkAll } from "./check.ts";
import type { Action } from "./context.ts";
import { federationAdd, federationBundle, federationRemove } from "./federation.ts";
import { federationList, federationShow } from "./federation.ts";
import { identityList, identityResume, identitySuspend } from "./identity.ts";
import { injectManifests } from "./inject.ts";
import { printInstall } from "./install.ts";
import { logHead, logProve, logVerify } from "./log.ts";
import { logCopy, logWatch, logWitness } from "./log-follow.ts";
import { logShow } from "./log-show.ts";
import { localDown, localExec, localLogs, localStatus } from "./local.ts";
import { strictEnforce, strictPermit, strictStatus } from "./strict.ts";
import { uninstallMesh } from "./uninstall.ts";
import { localUp } from "./up.ts";
import { walkClaims } from "./tour.ts";
import { listNames, printCompletion, showVersion } from "./version.ts";

export const actions: Readonly<Record<string, Action>> = {
  "local up": localUp,
  "local status": localStatus,
  "local down": localDown,
  "local exec": localExec,
  "local logs": localLogs,
  "ca rotate": (context) => caRotate(context),
  "ca request": (context) => caRequest(context),
  "ca install": (context) => caInstall(context),
  "certs list": (context) => certsList(context),
  "certs inspect": (context) => certsInspect(context),
  "certs who": (context) => certsWho(context),
  "certs watch": (context) => certsWatch(context),
  "certs diff": (context) => certsDiff(context),
  "identity list": (context) => identityList(context),
  "identity suspend": (context) => identitySuspend(context),
  "identity resume": (context) => identityResume(context),
  "federation list": (context) => federationList(context),
  "federation show": (context) => federationShow(context),
  "federation bundle": (context) => federationBundle(context),
  "federation add": (context) => federationAdd(context),
  "federation remove": (context) => federationRemove(context),
  "log head": (context) => logHead(context),
  "log prove": (context) => logProve(context),
  "log show": (context) => logShow(context),
  "log watch": (context) => logWatch(context),
  "log copy": (context) => logCopy(context),
  "log witness": (context) => logWitness(context),
  "log verify": (context) => logVerify(context),
  "strict status": strictStatus,
  "strict enforce": strictEnforce,
  "strict permit": strictPermit,
  tour: walkClaims,
  install: printInstall,
  inject: injectManifests,
  uninstall: uninstallMesh,
  check: checkAll,
  completion: printCompletion,
  version: showVersion,
  complete: listNames,
};
