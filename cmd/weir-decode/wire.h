/*
 * The wire of weir-decode: frames on stdin and stdout, see
 * docs/formats/decode-protocol.md. All numbers are big endian.
 */
#ifndef WEIR_DECODE_WIRE_H
#define WEIR_DECODE_WIRE_H

#include <stddef.h>
#include <stdint.h>

/* Part of the protocol; do not change without raising PROTOCOL_VERSION. */
#define PROTOCOL_VERSION 2
#define MAX_FRAME ((8u << 20) + 4096) /* bytes behind the length: one sample and its head */
#define MAX_CONFIG 65536	      /* bytes of codec parameters */
#define MAX_JOBS 64		      /* open at a time */

/* From the client. */
enum { MSG_OPEN = 1, MSG_SAMPLE = 2, MSG_KEY = 3, MSG_FLUSH = 4, MSG_CLOSE = 5 };

/* To the client. */
enum { MSG_HELLO = 128, MSG_OPENED = 129, MSG_OUTPUT = 130, MSG_DONE = 131, MSG_FLUSHED = 132, MSG_FAILED = 133 };

/* Kinds of jobs. JOB_STILL is for key frames to pictures and not known yet. */
enum { JOB_AUDIO = 1, JOB_VIDEO = 2, JOB_STILL = 3 };

/* Codecs. */
enum { C_H264 = 1, C_H265 = 2, C_AV1 = 3, C_VP8 = 4, C_VP9 = 5, C_AAC = 16, C_OPUS = 17, C_PCMU = 18, C_PCMA = 19 };

/* Flags of OPEN, SAMPLE, OUTPUT and DONE. */
#define OPEN_GRID 1	 /* audio: frames begin at multiples of their length */
#define SAMPLE_KEY 1	 /* decoding can start here */
#define SAMPLE_LOSSY 2	 /* something is missing before it */
#define OUTPUT_KEY 1
#define DONE_DAMAGED 1	 /* the sample could not be decoded */

/* A message as it is read: the payload belongs to the reader until the next. */
struct message {
	uint8_t type;
	uint32_t job;
	const uint8_t *data;
	size_t size;
};

/* cursor takes numbers off a payload; reading past the end sets bad. */
struct cursor {
	const uint8_t *p;
	size_t left;
	int bad;
};

uint8_t take8(struct cursor *c);
uint16_t take16(struct cursor *c);
uint32_t take32(struct cursor *c);
int64_t take64(struct cursor *c);

void put16(uint8_t *p, uint16_t v);
void put32(uint8_t *p, uint32_t v);
void put64(uint8_t *p, int64_t v);

/* read_message returns 1, or 0 at the end of input. Anything malformed ends
 * the process: the client does not send such. */
int read_message(struct message *m);

/* write_message sends head and body as one frame; it ends the process when the
 * client is gone. */
void write_message(uint8_t type, uint32_t job, const void *head, size_t head_size, const void *body, size_t body_size);

/* die writes a line to stderr and ends the process. */
void die(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

#endif
