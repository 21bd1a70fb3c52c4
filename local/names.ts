// Names, addresses and paths of one local mesh. A second instance (tests) differs by its prefix.

export interface Names {
  /** Begins every namespace, so that a crashed run can be found and cleaned. */
  readonly prefix: string;
  readonly stateDirectory: string;
}

export const nodeAddress = "10.77.0.1";
export const nodeAddressV6 = "fe80::1";
export const clusterDomain = "cluster.local";

export const nodeNamespace = (names: Names): string => `${names.prefix}-node`;
export const podNamespace = (names: Names, index: number): string => `${names.prefix}-pod-${index}`;
/** Interface names are at most 15 bytes. */
export const podLink = (index: number): string => `pod${index}`;
export const podAddress = (index: number): string =>
  `10.77.${1 + Math.floor(index / 250)}.${1 + (index % 250)}`;
export const podAddressV6 = (index: number): string => `fd77::${(index + 0x100).toString(16)}`;
export const clusterAddress = (index: number): string =>
  `10.78.${Math.floor(index / 250)}.${1 + (index % 250)}`;

export const podsMax = 1000;
export const servicesMax = 1000;

export const controlSocket = (names: Names): string => `${names.stateDirectory}/local.sock`;
/** One per prefix: the network is what two meshes would share. */
export const lockFile = (names: Names): string => `/run/${names.prefix}-mesh.json`;
/** And one per state directory: two prefixes with one would remove each other's files. */
export const stateLockFile = (names: Names): string => `${names.stateDirectory}/lock.json`;
export const runtimeLog = (names: Names): string => `${names.stateDirectory}/runtime.log`;
