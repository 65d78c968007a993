/*
 * A job is one stream of samples that is decoded and coded anew. audio.c and
 * video.c are the kinds.
 */
#ifndef WEIR_DECODE_JOB_H
#define WEIR_DECODE_JOB_H

#include <libavcodec/avcodec.h>
#include <stdint.h>

/* The clock of what comes out. */
#define AUDIO_RATE 48000
#define VIDEO_CLOCK 90000

/* What OPEN asks for. */
struct request {
	uint8_t kind, in, out, flags;
	uint32_t timescale; /* of input times */
	uint32_t rate;	    /* Hz, what the track says; audio */
	uint8_t channels;   /* of the output; audio */
	uint32_t bitrate;   /* bits per second of the output */
	uint16_t max_width, max_height; /* of the output; video */
	uint32_t config_size;
	const uint8_t *config;
};

/* One input sample. */
struct sample {
	int64_t pts;	   /* input ticks */
	uint32_t duration; /* input ticks, 0 if not known */
	uint8_t flags;
	const uint8_t *data;
	size_t size;
};

struct audio;
struct video;

/* What OPENED tells of the output. */
struct opened {
	uint32_t timescale, rate;
	uint8_t channels;
	uint32_t delay; /* samples that the coder adds before the first */
};

/* All open functions return NULL and write why when they fail. decode and
 * flush return 0, or a negative libav error when the sample was of no use. */
struct audio *audio_open(uint32_t job, const struct request *r, struct opened *o, char *why, size_t size);
int audio_decode(struct audio *a, const struct sample *s);
int audio_flush(struct audio *a);
void audio_close(struct audio *a);

struct video *video_open(uint32_t job, const struct request *r, struct opened *o, char *why, size_t size);
int video_decode(struct video *v, const struct sample *s);
int video_flush(struct video *v);
void video_key(struct video *v);
void video_close(struct video *v);

/* decoder opens the decoder of a request; NULL and why when it cannot. */
AVCodecContext *decoder(const struct request *r, char *why, size_t size);

/* emit sends a packet whose pts counts from base. */
void emit(uint32_t job, const AVPacket *p, int64_t pts, int key);

#endif
