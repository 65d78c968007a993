/*
 * weir-decode decodes media for weir, in a process of its own: what a hostile
 * stream does to a decoder costs that stream a moment, and nothing else. It
 * reads messages on stdin, answers on stdout and says on stderr what people
 * should know. See docs/formats/decode-protocol.md.
 *
 *   weir-decode --memory MIB --parent PID
 *
 * It has one thread and answers messages in order. It is not a program for
 * people; `weir-decode --version` tells what it was built with.
 */
#include "job.h"
#include "sandbox.h"
#include "wire.h"

#include <libavutil/log.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct job {
	uint32_t id;
	int used;
	struct audio *audio;
	struct video *video;
};

static struct job jobs[MAX_JOBS];

static struct job *find(uint32_t id)
{
	for (int i = 0; i < MAX_JOBS; i++)
		if (jobs[i].used && jobs[i].id == id)
			return &jobs[i];
	return NULL;
}

static enum AVCodecID codec_id(uint8_t c)
{
	switch (c) {
	case C_H264: return AV_CODEC_ID_H264;
	case C_H265: return AV_CODEC_ID_HEVC;
	case C_AV1: return AV_CODEC_ID_AV1;
	case C_VP8: return AV_CODEC_ID_VP8;
	case C_VP9: return AV_CODEC_ID_VP9;
	case C_AAC: return AV_CODEC_ID_AAC;
	case C_OPUS: return AV_CODEC_ID_OPUS;
	case C_PCMU: return AV_CODEC_ID_PCM_MULAW;
	case C_PCMA: return AV_CODEC_ID_PCM_ALAW;
	}
	return AV_CODEC_ID_NONE;
}

/* The most pixels of a picture that is decoded: 8K, with some room. */
#define MAX_PIXELS (8192 * 4352)

AVCodecContext *decoder(const struct request *r, char *why, size_t size)
{
	const AVCodec *codec = NULL;
	AVCodecContext *x = NULL;
	enum AVCodecID id = codec_id(r->in);
	if (id == AV_CODEC_ID_AV1)
		codec = avcodec_find_decoder_by_name("libdav1d");
	if (!codec && id != AV_CODEC_ID_NONE)
		codec = avcodec_find_decoder(id);
	if (!codec) {
		snprintf(why, size, "libavcodec has no decoder for codec %u", r->in);
		return NULL;
	}
	x = avcodec_alloc_context3(codec);
	if (!x)
		goto memory;
	x->thread_count = 1;
	x->max_pixels = MAX_PIXELS;
	x->pkt_timebase = (AVRational){1, (int)r->timescale};
	x->err_recognition = 0;
	if (id == AV_CODEC_ID_AV1)
		x->flags |= AV_CODEC_FLAG_LOW_DELAY;
	if (r->kind == JOB_AUDIO) {
		x->sample_rate = (int)r->rate;
		av_channel_layout_default(&x->ch_layout, r->channels);
	}
	/* VP8 and VP9 carry all they need in band; their records are those of
	 * MP4, which the decoders do not know. */
	if (r->config_size > 0 && r->in != C_VP8 && r->in != C_VP9 && r->in != C_PCMU && r->in != C_PCMA) {
		x->extradata = av_mallocz(r->config_size + AV_INPUT_BUFFER_PADDING_SIZE);
		if (!x->extradata)
			goto memory;
		memcpy(x->extradata, r->config, r->config_size);
		x->extradata_size = (int)r->config_size;
	}
	int err = avcodec_open2(x, codec, NULL);
	if (err < 0) {
		snprintf(why, size, "open the decoder %s: %s", codec->name, av_err2str(err));
		avcodec_free_context(&x);
		return NULL;
	}
	return x;
memory:
	snprintf(why, size, "no memory for a decoder");
	avcodec_free_context(&x);
	return NULL;
}

void emit(uint32_t job, const AVPacket *p, int64_t pts, int key)
{
	uint8_t head[13];
	head[0] = key ? OUTPUT_KEY : 0;
	put64(head + 1, pts);
	put32(head + 9, p->duration > 0 && p->duration < UINT32_MAX ? (uint32_t)p->duration : 0);
	write_message(MSG_OUTPUT, job, head, sizeof head, p->data, (size_t)p->size);
}

static void fail(uint32_t job, const char *why)
{
	write_message(MSG_FAILED, job, NULL, 0, why, strlen(why));
}

static void open_job(const struct message *m)
{
	struct cursor c = {m->data, m->size, 0};
	struct request r = {0};
	r.kind = take8(&c);
	r.in = take8(&c);
	r.out = take8(&c);
	r.flags = take8(&c);
	r.timescale = take32(&c);
	r.rate = take32(&c);
	r.channels = take8(&c);
	r.bitrate = take32(&c);
	r.max_width = take16(&c);
	r.max_height = take16(&c);
	r.config_size = take32(&c);
	r.config = c.p;
	if (c.bad || r.config_size != c.left || r.config_size > MAX_CONFIG)
		die("malformed OPEN of %zu bytes", m->size);
	if (find(m->job)) {
		fail(m->job, "the job is open already");
		return;
	}
	if (r.timescale == 0 || r.timescale > INT32_MAX) {
		fail(m->job, "the timescale is not within 1 and 2147483647");
		return;
	}
	struct job *j = NULL;
	for (int i = 0; i < MAX_JOBS && !j; i++)
		if (!jobs[i].used)
			j = &jobs[i];
	if (!j) {
		fail(m->job, "too many jobs in this worker");
		return;
	}
	char why[256] = "this kind of job is not known";
	struct opened o = {0};
	*j = (struct job){.id = m->job};
	if (r.kind == JOB_AUDIO)
		j->audio = audio_open(m->job, &r, &o, why, sizeof why);
	else if (r.kind == JOB_VIDEO)
		j->video = video_open(m->job, &r, &o, why, sizeof why);
	if (!j->audio && !j->video) {
		fail(m->job, why);
		return;
	}
	j->used = 1;
	uint8_t head[13];
	put32(head, o.timescale);
	put32(head + 4, o.rate);
	head[8] = o.channels;
	put32(head + 9, o.delay);
	write_message(MSG_OPENED, m->job, head, sizeof head, NULL, 0);
}

static int64_t cpu_micros(void)
{
	struct timespec t;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void sample_job(struct job *j, const struct message *m)
{
	struct cursor c = {m->data, m->size, 0};
	struct sample s = {0};
	s.flags = take8(&c);
	s.pts = take64(&c);
	s.duration = take32(&c);
	s.data = c.p;
	s.size = c.left;
	if (c.bad)
		die("malformed SAMPLE of %zu bytes", m->size);
	int64_t began = cpu_micros();
	int err = 0;
	if (s.size > 0)
		err = j->audio ? audio_decode(j->audio, &s) : video_decode(j->video, &s);
	uint8_t head[5];
	head[0] = err < 0 ? DONE_DAMAGED : 0;
	put32(head + 1, (uint32_t)(cpu_micros() - began));
	write_message(MSG_DONE, j->id, head, sizeof head, NULL, 0);
}

static void close_job(struct job *j)
{
	if (j->audio)
		audio_close(j->audio);
	if (j->video)
		video_close(j->video);
	*j = (struct job){0};
}

static void answer(const struct message *m)
{
	if (m->type == MSG_OPEN) {
		open_job(m);
		return;
	}
	struct job *j = find(m->job);
	if (!j) { /* it failed to open, and the client did not know yet */
		if (m->type == MSG_FLUSH)
			fail(m->job, "the job is not open");
		return;
	}
	switch (m->type) {
	case MSG_SAMPLE:
		sample_job(j, m);
		break;
	case MSG_KEY:
		if (j->video)
			video_key(j->video);
		break;
	case MSG_FLUSH:
		if (j->audio)
			audio_flush(j->audio);
		else
			video_flush(j->video);
		write_message(MSG_FLUSHED, j->id, NULL, 0, NULL, 0);
		break;
	case MSG_CLOSE:
		close_job(j);
		break;
	default:
		die("a message of type %u is not known", m->type);
	}
}

/* Damaged input makes libav complain about every frame: only what is wrong
 * with the process itself is for people. */
static void log_line(void *context, int level, const char *format, va_list args)
{
	(void)context;
	if (level > AV_LOG_FATAL)
		return;
	vfprintf(stderr, format, args);
}

static void hello(int filtered)
{
	uint8_t head[7];
	put16(head, PROTOCOL_VERSION);
	head[2] = filtered ? 1 : 0;
	put32(head + 3, avcodec_version());
	char name[64];
	unsigned v = avcodec_version();
	int n = snprintf(name, sizeof name, "libavcodec %u.%u.%u", v >> 16, v >> 8 & 255, v & 255);
	write_message(MSG_HELLO, 0, head, sizeof head, name, (size_t)n);
}

int main(int argc, char **argv)
{
	unsigned long memory = 0;
	long parent = 0;
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--version") == 0) {
			printf("weir-decode, protocol %d, %s\n%s\n", PROTOCOL_VERSION, LIBAVCODEC_IDENT, avcodec_license());
			return 0;
		}
		if (i + 1 < argc && strcmp(argv[i], "--memory") == 0)
			memory = strtoul(argv[++i], NULL, 10);
		else if (i + 1 < argc && strcmp(argv[i], "--parent") == 0)
			parent = strtol(argv[++i], NULL, 10);
		else
			die("unknown argument %s; this program is started by weir", argv[i]);
	}
	av_log_set_callback(log_line);
	hello(confine(memory, parent));
	struct message m;
	while (read_message(&m))
		answer(&m);
	return 0;
}
