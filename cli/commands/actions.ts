// Which function does what a command's words say. A test holds this against the command tree.
import { caInstall, caRequest, caRotate } from "./ca.ts";
import { certsInspect, certsList } from "./certs.ts";
import { checkAll } from "./check.ts";
import type { Action } from "./context.ts";
import { injectManifests } from "./inject.ts";
import { printInstall } from "./install.ts";
import { logHead, logProve, logVerify } from "./log.ts";
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
  "certs inspect": certsInspect,
  "log head": (context) => logHead(context),
  "log prove": (context) => logProve(context),
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
