/*
 * Pictures: decoded, scaled down when they are over the bound, coded as VP8 or
 * VP9.
 *
 *   sample ─► decoder ─► scaler ─► coder ─► packet
 *                        4:2:0, limited range
 *
 * Every picture that the decoder gives is coded at once: the coder looks at no
 * later one. Its key frames are those of the input and those that the client
 * asks for.
 */
#include "job.h"
#include "wire.h"

#include <libavutil/imgutils.h>
#include <libavutil/mathematics.h>
#include <libavutil/opt.h>
#include <libswscale/swscale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEY_SPACING VIDEO_CLOCK		/* key frames of the input closer than this are not all kept */
#define USUAL_FRAME (VIDEO_CLOCK / 25) /* duration of a frame that tells none */

struct video {
	uint32_t job;
	int max_width, max_height;
	uint32_t bitrate;
	AVRational in_clock;
	const AVCodec *coder;
	AVCodecContext *dec, *enc; /* enc: NULL before the first picture */
	AVPacket *in, *out;
	AVFrame *raw, *scaled;
	struct SwsContext *scaler;
	int64_t base;	  /* input time of the first picture, 1/90000 s: the coder counts from 0 */
	int64_t last;	  /* time of the last picture that was coded */
	int64_t last_key; /* of the last key frame */
	int started, key;
};

static const AVCodec *coder_of(uint8_t out)
{
	return avcodec_find_encoder_by_name(out == C_VP9 ? "libvpx-vp9" : "libvpx");
}

struct video *video_open(uint32_t job, const struct request *r, struct opened *o, char *why, size_t size)
{
	if ((r->out != C_VP8 && r->out != C_VP9) || r->max_width < 16 || r->max_height < 16 || r->bitrate < 1000) {
		snprintf(why, size, "video to codec %u within %ux%u at %u b/s is not supported", r->out, r->max_width,
			 r->max_height, r->bitrate);
		return NULL;
	}
	const AVCodec *coder = coder_of(r->out);
	if (!coder) {
		snprintf(why, size, "libavcodec was built without libvpx or its codec %u", r->out);
		return NULL;
	}
	struct video *v = calloc(1, sizeof *v);
	if (!v)
		return NULL;
	snprintf(why, size, "no memory for a job");
	v->job = job;
	v->coder = coder;
	v->max_width = r->max_width;
	v->max_height = r->max_height;
	v->bitrate = r->bitrate;
	v->in_clock = (AVRational){1, (int)r->timescale};
	v->in = av_packet_alloc();
	v->out = av_packet_alloc();
	v->raw = av_frame_alloc();
	v->scaled = av_frame_alloc();
	if (v->in && v->out && v->raw && v->scaled)
		v->dec = decoder(r, why, size);
	if (!v->dec) {
		video_close(v);
		return NULL;
	}
	o->timescale = VIDEO_CLOCK;
	return v;
}

void video_close(struct video *v)
{
	if (!v)
		return;
	avcodec_free_context(&v->dec);
	avcodec_free_context(&v->enc);
	av_packet_free(&v->in);
	av_packet_free(&v->out);
	av_frame_free(&v->raw);
	av_frame_free(&v->scaled);
	sws_freeContext(v->scaler);
	free(v);
}

void video_key(struct video *v) { v->key = 1; }

/* bounded is the size of the output: that of the picture, or less at the same
 * shape, even both ways. */
static void bounded(const struct video *v, int *width, int *height)
{
	int w = v->raw->width, h = v->raw->height;
	if (w > v->max_width || h > v->max_height) {
		if ((int64_t)w * v->max_height > (int64_t)h * v->max_width) {
			h = (int)((int64_t)h * v->max_width / w);
			w = v->max_width;
		} else {
			w = (int)((int64_t)w * v->max_height / h);
			h = v->max_height;
		}
	}
	*width = w < 16 ? 16 : w & ~1;
	*height = h < 16 ? 16 : h & ~1;
}

static int open_coder(struct video *v, int width, int height)
{
	avcodec_free_context(&v->enc);
	AVCodecContext *x = avcodec_alloc_context3(v->coder);
	if (!x)
		return AVERROR(ENOMEM);
	x->thread_count = 1;
	x->width = width;
	x->height = height;
	x->pix_fmt = AV_PIX_FMT_YUV420P;
	x->time_base = (AVRational){1, VIDEO_CLOCK};
#if LIBAVCODEC_VERSION_MAJOR < 61
	/* What the coder takes as a frame's duration; later versions take the
	 * frame's own. */
	_Pragma("GCC diagnostic push") _Pragma("GCC diagnostic ignored \"-Wdeprecated-declarations\"");
	x->ticks_per_frame = USUAL_FRAME;
	_Pragma("GCC diagnostic pop");
#endif
	x->bit_rate = v->bitrate;
	x->rc_max_rate = v->bitrate;
	x->rc_buffer_size = (int)(v->bitrate / 2);
	x->gop_size = 60 * 60; /* about: key frames come on request */
	x->qmin = 4;
	x->qmax = 56;
	av_opt_set(x->priv_data, "deadline", "realtime", 0);
	av_opt_set_int(x->priv_data, "cpu-used", 8, 0);
	av_opt_set_int(x->priv_data, "lag-in-frames", 0, 0);
	av_opt_set_int(x->priv_data, "auto-alt-ref", 0, 0);
	if (v->coder->id == AV_CODEC_ID_VP9)
		av_opt_set_int(x->priv_data, "row-mt", 0, 0); /* one thread: EPERM to others */
	else
		av_opt_set(x->priv_data, "error-resilient", "default", 0);
	int err = avcodec_open2(x, v->coder, NULL);
	if (err < 0) {
		avcodec_free_context(&x);
		return err;
	}
	v->enc = x;
	return 0;
}

/* scale makes the picture one that the coder takes. */
static int scale(struct video *v, int width, int height)
{
	AVFrame *f = v->raw;
	int full = f->color_range == AVCOL_RANGE_JPEG || f->format == AV_PIX_FMT_YUVJ420P ||
		   f->format == AV_PIX_FMT_YUVJ422P || f->format == AV_PIX_FMT_YUVJ444P;
	v->scaler = sws_getCachedContext(v->scaler, f->width, f->height, f->format, width, height, AV_PIX_FMT_YUV420P,
					 SWS_BILINEAR, NULL, NULL, NULL);
	if (!v->scaler)
		return AVERROR(ENOSYS);
	const int *matrix = sws_getCoefficients(f->height >= 720 ? SWS_CS_ITU709 : SWS_CS_ITU601);
	sws_setColorspaceDetails(v->scaler, matrix, full, matrix, 0, 0, 1 << 16, 1 << 16);
	if (!v->scaled->data[0] || v->scaled->width != width || v->scaled->height != height) {
		av_frame_unref(v->scaled);
		v->scaled->width = width;
		v->scaled->height = height;
		v->scaled->format = AV_PIX_FMT_YUV420P;
		int err = av_frame_get_buffer(v->scaled, 0);
		if (err < 0)
			return err;
	}
	int err = av_frame_make_writable(v->scaled);
	if (err < 0)
		return err;
	return sws_scale(v->scaler, (const uint8_t *const *)f->data, f->linesize, 0, f->height, v->scaled->data,
			 v->scaled->linesize);
}

static int send_packets(struct video *v)
{
	for (;;) {
		int err = avcodec_receive_packet(v->enc, v->out);
		if (err == AVERROR(EAGAIN) || err == AVERROR_EOF)
			return 0;
		if (err < 0)
			return err;
		if (v->out->size > 0)
			emit(v->job, v->out, v->out->pts + v->base, v->out->flags & AV_PKT_FLAG_KEY);
		av_packet_unref(v->out);
	}
}

/* wants_key decides whether the picture at a time becomes a key frame. */
static int wants_key(struct video *v, int64_t at)
{
	int key = v->key || !v->enc;
	if (v->raw->pict_type == AV_PICTURE_TYPE_I && at - v->last_key >= KEY_SPACING)
		key = 1;
	if (key) {
		v->key = 0;
		v->last_key = at;
	}
	return key;
}

/* take codes one decoded picture. */
static int take(struct video *v)
{
	AVFrame *f = v->raw;
	if (f->width < 2 || f->height < 2 || f->pts == AV_NOPTS_VALUE)
		return AVERROR_INVALIDDATA;
	int64_t at = av_rescale_q(f->pts, v->in_clock, (AVRational){1, VIDEO_CLOCK});
	if (v->started && at <= v->last)
		return 0; /* two pictures at one time: the first counts */
	int width, height;
	bounded(v, &width, &height);
	int full = f->color_range == AVCOL_RANGE_JPEG;
	AVFrame *picture = f;
	if (width != f->width || height != f->height || f->format != AV_PIX_FMT_YUV420P || full) {
		int err = scale(v, width, height);
		if (err < 0)
			return err;
		picture = v->scaled;
	}
	if (v->enc && (v->enc->width != width || v->enc->height != height))
		avcodec_free_context(&v->enc);
	int key = wants_key(v, at);
	if (!v->enc) {
		int err = open_coder(v, width, height);
		if (err < 0)
			return err;
		v->base = at;
	}
	int64_t since = v->started ? at - v->last : USUAL_FRAME;
	picture->pts = at - v->base;
	picture->pict_type = key ? AV_PICTURE_TYPE_I : AV_PICTURE_TYPE_NONE;
#if LIBAVUTIL_VERSION_MAJOR >= 58
	picture->duration = since < VIDEO_CLOCK ? since : USUAL_FRAME;
#else
	(void)since;
#endif
	v->started = 1;
	v->last = at;
	int err = avcodec_send_frame(v->enc, picture);
	return err < 0 ? err : send_packets(v);
}

static int drain(struct video *v)
{
	for (;;) {
		int err = avcodec_receive_frame(v->dec, v->raw);
		if (err == AVERROR(EAGAIN) || err == AVERROR_EOF)
			return 0;
		if (err >= 0)
			err = take(v);
		av_frame_unref(v->raw);
		if (err < 0)
			return err;
	}
}

int video_decode(struct video *v, const struct sample *s)
{
	int err = av_new_packet(v->in, (int)s->size);
	if (err < 0)
		return err;
	memcpy(v->in->data, s->data, s->size);
	v->in->pts = s->pts;
	v->in->dts = AV_NOPTS_VALUE;
	if (s->flags & SAMPLE_KEY)
		v->in->flags |= AV_PKT_FLAG_KEY;
	err = avcodec_send_packet(v->dec, v->in);
	av_packet_unref(v->in);
	int drained = drain(v);
	return err < 0 ? err : drained;
}

/* flush codes the pictures that the decoder holds back. */
int video_flush(struct video *v)
{
	avcodec_send_packet(v->dec, NULL);
	int err = drain(v);
	avcodec_flush_buffers(v->dec);
	v->key = 1;
	return err;
}
