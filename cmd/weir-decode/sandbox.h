#ifndef WEIR_DECODE_SANDBOX_H
#define WEIR_DECODE_SANDBOX_H

/*
 * confine gives up everything that decoding does not need: more memory than
 * megabytes, files, core dumps, new privileges, life without the parent, and
 * all system calls but those that allocate, tell time, read and write. It
 * returns whether system calls are filtered on this machine.
 */
int confine(unsigned long megabytes, long parent);

#endif
