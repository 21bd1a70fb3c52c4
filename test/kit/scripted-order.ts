// How a scripted worker is told what to do: by a service of this name in a snapshot, "order/WHAT@WORKER".
export const orderPrefix = "order/";
