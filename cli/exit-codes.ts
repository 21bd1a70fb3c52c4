// How a command says to a shell what came of it.
export const EXIT_OK = 0;
export const EXIT_FAILED = 1;
export const EXIT_USAGE = 2;
/** As a shell says it of Ctrl-C. */
export const EXIT_STOPPED = 130;
