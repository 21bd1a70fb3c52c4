// The sidecar's own ports, which proxy-init and the injector know, too. Apart from the configuration: whoever needs a
// number (a worker, a hook) need not load what reads an environment.

export const inboundPort = 4000;
export const outboundPort = 5000;
export const adminPort = 4100;
