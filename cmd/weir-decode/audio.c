/*
 * Sound: decoded, mixed to the channels of the output, put on its time, brought
 * to 48 kHz, cut into frames and coded.
 *
 *   sample ─► decoder ─► mixer ─► (fit) ─► resampler ─► queue ─► coder ─► packet
 *                        float     grid     48 kHz       frames
 *
 * A packet's time is that of the first sample that a decoder makes of it: the
 * coder's own delay is accounted for, so sound stays with its picture.
 *
 * Input times jitter and drift against the number of samples. A live job
 * follows them softly: the resampler stretches sound by at most one percent. A
 * job on the grid must give the same sound for the same instant wherever it
 * began, so there each decoded frame is fitted on its own into the time up to
 * the next one. In both, what is missing becomes silence.
 */
#include "job.h"
#include "wire.h"

#include <libavutil/audio_fifo.h>
#include <libavutil/channel_layout.h>
#include <libavutil/mathematics.h>
#include <libavutil/opt.h>
#include <libswresample/swresample.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_CHANNELS 2
#define DRIFT_SOFT (AUDIO_RATE / 200)  /* output samples from which a live job follows */
#define DRIFT_HARD (AUDIO_RATE / 10)   /* from which the time is taken as it is */
#define DRIFT_SPAN AUDIO_RATE	       /* over which drift is made good */
#define MAX_SILENCE (10 * AUDIO_RATE)  /* output samples; a longer gap is left a gap */
#define FIT_MOST 20		       /* a frame is fitted by at most its 1/20 */
#define MAX_FRAME_SAMPLES (AUDIO_RATE) /* of one decoded frame */

struct audio {
	uint32_t job;
	int grid;
	AVRational in_clock;
	AVCodecContext *dec, *enc;
	AVPacket *in, *out;
	AVFrame *raw, *frame;
	SwrContext *mixer, *resampler; /* of the form of input seen last */
	AVChannelLayout in_layout, out_layout;
	enum AVSampleFormat in_format;
	int in_rate;
	AVAudioFifo *queue;
	int64_t head;	  /* time of the first sample in the queue, 1/48000 s */
	int64_t last_out; /* of the last packet */
	int started;
	float *mixed[MAX_CHANNELS], *fitted[MAX_CHANNELS];
	int mixed_room, fitted_room; /* samples */
};

static const AVCodec *coder(uint8_t out)
{
	if (out == C_OPUS)
		return avcodec_find_encoder_by_name("libopus");
	if (out == C_AAC)
		return avcodec_find_encoder_by_name("aac");
	return NULL;
}

static int open_coder(struct audio *a, const struct request *r, char *why, size_t size)
{
	const AVCodec *codec = coder(r->out);
	if (!codec) {
		snprintf(why, size, "libavcodec has no coder for sound of codec %u", r->out);
		return -1;
	}
	a->enc = avcodec_alloc_context3(codec);
	if (!a->enc)
		return AVERROR(ENOMEM);
	a->enc->thread_count = 1;
	a->enc->sample_rate = AUDIO_RATE;
	a->enc->time_base = (AVRational){1, AUDIO_RATE};
	a->enc->sample_fmt = r->out == C_OPUS ? AV_SAMPLE_FMT_FLT : AV_SAMPLE_FMT_FLTP;
	a->enc->bit_rate = r->bitrate;
	av_channel_layout_copy(&a->enc->ch_layout, &a->out_layout);
	if (r->out == C_OPUS) {
		av_opt_set(a->enc->priv_data, "application", "audio", 0);
		av_opt_set(a->enc->priv_data, "frame_duration", "20", 0);
	} else {
		a->enc->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
		/* The other ways of this coder spoil plain tones at these rates;
		 * this one is also the quickest. */
		av_opt_set(a->enc->priv_data, "aac_coder", "fast", 0);
		av_opt_set_int(a->enc->priv_data, "aac_tns", 0, 0);
	}
	int err = avcodec_open2(a->enc, codec, NULL);
	if (err < 0)
		snprintf(why, size, "open the coder %s: %s", codec->name, av_err2str(err));
	return err;
}

struct audio *audio_open(uint32_t job, const struct request *r, struct opened *o, char *why, size_t size)
{
	if (r->channels < 1 || r->channels > MAX_CHANNELS || r->rate < 4000 || r->rate > 192000) {
		snprintf(why, size, "sound of %u Hz to %u channels is not supported", r->rate, r->channels);
		return NULL;
	}
	struct audio *a = calloc(1, sizeof *a);
	if (!a)
		return NULL;
	a->job = job;
	a->grid = (r->flags & OPEN_GRID) != 0;
	a->in_clock = (AVRational){1, (int)r->timescale};
	a->last_out = INT64_MIN;
	av_channel_layout_default(&a->out_layout, r->channels);
	snprintf(why, size, "no memory for a job");
	a->in = av_packet_alloc();
	a->out = av_packet_alloc();
	a->raw = av_frame_alloc();
	a->frame = av_frame_alloc();
	if (!a->in || !a->out || !a->raw || !a->frame || open_coder(a, r, why, size) < 0)
		goto failed;
	a->queue = av_audio_fifo_alloc(a->enc->sample_fmt, r->channels, 4096);
	a->dec = decoder(r, why, size);
	if (!a->queue || !a->dec)
		goto failed;
	o->timescale = AUDIO_RATE;
	o->rate = AUDIO_RATE;
	o->channels = r->channels;
	o->delay = (uint32_t)a->enc->initial_padding;
	return a;
failed:
	audio_close(a);
	return NULL;
}

void audio_close(struct audio *a)
{
	if (!a)
		return;
	avcodec_free_context(&a->dec);
	avcodec_free_context(&a->enc);
	av_packet_free(&a->in);
	av_packet_free(&a->out);
	av_frame_free(&a->raw);
	av_frame_free(&a->frame);
	swr_free(&a->mixer);
	swr_free(&a->resampler);
	av_channel_layout_uninit(&a->in_layout);
	if (a->queue)
		av_audio_fifo_free(a->queue);
	for (int i = 0; i < MAX_CHANNELS; i++) {
		av_free(a->mixed[i]);
		av_free(a->fitted[i]);
	}
	free(a);
}

/* send_packets sends what the coder has ready. Times rise strictly. */
static int send_packets(struct audio *a)
{
	for (;;) {
		int err = avcodec_receive_packet(a->enc, a->out);
		if (err == AVERROR(EAGAIN) || err == AVERROR_EOF)
			return 0;
		if (err < 0)
			return err;
		if (a->out->pts > a->last_out) {
			a->last_out = a->out->pts;
			emit(a->job, a->out, a->out->pts, 1);
		}
		av_packet_unref(a->out);
	}
}

/* encode takes whole frames off the queue; with rest also the last, padded. */
static int encode(struct audio *a, int rest)
{
	int size = a->enc->frame_size;
	while (av_audio_fifo_size(a->queue) >= size || (rest && av_audio_fifo_size(a->queue) > 0)) {
		av_frame_unref(a->frame);
		a->frame->nb_samples = size;
		a->frame->format = a->enc->sample_fmt;
		a->frame->sample_rate = AUDIO_RATE;
		av_channel_layout_copy(&a->frame->ch_layout, &a->out_layout);
		int err = av_frame_get_buffer(a->frame, 0);
		if (err < 0)
			return err;
		int n = av_audio_fifo_read(a->queue, (void **)a->frame->data, size);
		if (n < size)
			av_samples_set_silence(a->frame->data, n, size - n, a->out_layout.nb_channels, a->enc->sample_fmt);
		a->frame->pts = a->head;
		a->head += size;
		err = avcodec_send_frame(a->enc, a->frame);
		if (err >= 0)
			err = send_packets(a);
		if (err < 0)
			return err;
	}
	return 0;
}

/* silence appends output samples of nothing. */
static int silence(struct audio *a, int64_t samples)
{
	while (samples > 0) {
		int n = samples < 4096 ? (int)samples : 4096;
		uint8_t *data[MAX_CHANNELS] = {0};
		int err = av_samples_alloc(data, NULL, a->out_layout.nb_channels, n, a->enc->sample_fmt, 0);
		if (err < 0)
			return err;
		av_samples_set_silence(data, 0, n, a->out_layout.nb_channels, a->enc->sample_fmt);
		err = av_audio_fifo_write(a->queue, (void **)data, n);
		av_freep(&data[0]);
		if (err < 0 || (err = encode(a, 0)) < 0)
			return err;
		samples -= n;
	}
	return 0;
}

/* configure sets the mixer and the resampler up for another form of input. */
static int configure(struct audio *a)
{
	AVFrame *f = a->raw;
	if (a->mixer && f->sample_rate == a->in_rate && f->format == a->in_format &&
	    av_channel_layout_compare(&f->ch_layout, &a->in_layout) == 0)
		return 0;
	if (f->sample_rate < 4000 || f->sample_rate > 192000 || f->ch_layout.nb_channels < 1 || f->ch_layout.nb_channels > 8)
		return AVERROR_INVALIDDATA;
	swr_free(&a->mixer);
	swr_free(&a->resampler);
	a->in_rate = f->sample_rate;
	a->in_format = f->format;
	av_channel_layout_uninit(&a->in_layout);
	if (f->ch_layout.order == AV_CHANNEL_ORDER_UNSPEC)
		av_channel_layout_default(&a->in_layout, f->ch_layout.nb_channels);
	else
		av_channel_layout_copy(&a->in_layout, &f->ch_layout);
	int err = swr_alloc_set_opts2(&a->mixer, &a->out_layout, AV_SAMPLE_FMT_FLTP, a->in_rate,
				      &a->in_layout, a->in_format, a->in_rate, 0, NULL);
	if (err >= 0)
		err = swr_init(a->mixer);
	if (err >= 0)
		err = swr_alloc_set_opts2(&a->resampler, &a->out_layout, a->enc->sample_fmt, AUDIO_RATE,
					  &a->out_layout, AV_SAMPLE_FMT_FLTP, a->in_rate, 0, NULL);
	if (err >= 0)
		err = swr_init(a->resampler);
	if (err < 0) { /* the next frame of this form must not find half of it */
		swr_free(&a->mixer);
		swr_free(&a->resampler);
	}
	return err;
}

static int room(float **planes, int *have, int channels, int want)
{
	if (want <= *have)
		return 0;
	for (int i = 0; i < channels; i++) {
		av_free(planes[i]);
		planes[i] = av_malloc_array((size_t)want, sizeof(float));
		if (!planes[i]) {
			*have = 0;
			return AVERROR(ENOMEM);
		}
	}
	*have = want;
	return 0;
}

/* fit makes n samples into want by linear interpolation. A fixed rule on the
 * frame alone, so that it does not matter which job does it. */
static int fit(struct audio *a, int n, int want)
{
	int channels = a->out_layout.nb_channels;
	int err = room(a->fitted, &a->fitted_room, channels, want);
	if (err < 0)
		return err;
	for (int c = 0; c < channels; c++) {
		const float *from = a->mixed[c];
		for (int i = 0; i < want; i++) {
			double at = (double)i * n / want;
			int k = (int)at;
			float part = (float)(at - k);
			float next = from[k + 1 < n ? k + 1 : n - 1];
			a->fitted[c][i] = from[k] + part * (next - from[k]);
		}
	}
	return want;
}

/* resample queues n mixed samples of planes. */
static int resample(struct audio *a, float **planes, int n)
{
	int most = swr_get_out_samples(a->resampler, n);
	if (most <= 0)
		return most;
	uint8_t *data[MAX_CHANNELS] = {0};
	int err = av_samples_alloc(data, NULL, a->out_layout.nb_channels, most, a->enc->sample_fmt, 0);
	if (err < 0)
		return err;
	err = swr_convert(a->resampler, data, most, (const uint8_t **)planes, n);
	if (err > 0)
		err = av_audio_fifo_write(a->queue, (void **)data, err);
	av_freep(&data[0]);
	return err;
}

/* begin starts the axis of the output at a time. */
static int begin(struct audio *a, int64_t pts)
{
	a->started = 1;
	av_audio_fifo_reset(a->queue);
	a->head = pts;
	if (!a->grid)
		return 0;
	int size = a->enc->frame_size;
	int64_t into = pts % size;
	if (into < 0)
		into += size;
	a->head = pts - into;
	return silence(a, into);
}

/* place reconciles the time of the next input with what was queued so far. It
 * returns 1 when the input is to be left out. */
static int place(struct audio *a, int64_t pts, int lossy)
{
	if (!a->started)
		return begin(a, pts);
	int64_t tail = a->head + av_audio_fifo_size(a->queue) + swr_get_delay(a->resampler, AUDIO_RATE);
	int64_t drift = pts - tail;
	int64_t tolerated = a->grid ? 8 : DRIFT_HARD;
	if (llabs(drift) <= (lossy ? DRIFT_SOFT : tolerated)) {
		if (!a->grid && llabs(drift) >= DRIFT_SOFT)
			swr_set_compensation(a->resampler, (int)(drift * AUDIO_RATE / DRIFT_SPAN / 2), DRIFT_SPAN);
		return 0;
	}
	if (drift < 0)
		return a->grid || drift > -AUDIO_RATE ? 1 : begin(a, pts);
	if (drift > MAX_SILENCE) {
		int err = encode(a, 1);
		return err < 0 ? err : begin(a, pts);
	}
	return silence(a, drift);
}

/* take queues one decoded frame. */
static int take(struct audio *a, const struct sample *s)
{
	AVFrame *f = a->raw;
	int err = configure(a);
	if (err < 0)
		return err;
	int64_t at = f->pts != AV_NOPTS_VALUE ? f->pts : s->pts;
	err = place(a, av_rescale_q_rnd(at, a->in_clock, (AVRational){1, AUDIO_RATE}, AV_ROUND_NEAR_INF),
		    (s->flags & SAMPLE_LOSSY) != 0);
	if (err != 0)
		return err > 0 ? 0 : err;
	if (f->nb_samples > MAX_FRAME_SAMPLES)
		return AVERROR_INVALIDDATA;
	err = room(a->mixed, &a->mixed_room, a->out_layout.nb_channels, f->nb_samples + 64);
	if (err < 0)
		return err;
	int n = swr_convert(a->mixer, (uint8_t **)a->mixed, a->mixed_room, (const uint8_t **)f->extended_data, f->nb_samples);
	if (n <= 0)
		return n;
	float **planes = a->mixed;
	if (a->grid && s->duration > 0) {
		AVRational rate = {1, a->in_rate};
		int64_t want = av_rescale_q(s->pts + s->duration, a->in_clock, rate) - av_rescale_q(s->pts, a->in_clock, rate);
		if (want > 0 && want != n && llabs(want - n) <= n / FIT_MOST) {
			n = fit(a, n, (int)want);
			if (n < 0)
				return n;
			planes = a->fitted;
		}
	}
	err = resample(a, planes, n);
	return err < 0 ? err : encode(a, 0);
}

/* drain takes what the decoder has ready. */
static int drain(struct audio *a, const struct sample *s)
{
	for (;;) {
		int err = avcodec_receive_frame(a->dec, a->raw);
		if (err == AVERROR(EAGAIN) || err == AVERROR_EOF)
			return 0;
		if (err >= 0)
			err = take(a, s);
		av_frame_unref(a->raw);
		if (err < 0)
			return err;
	}
}

int audio_decode(struct audio *a, const struct sample *s)
{
	int err = av_new_packet(a->in, (int)s->size);
	if (err < 0)
		return err;
	memcpy(a->in->data, s->data, s->size);
	a->in->pts = a->in->dts = s->pts;
	err = avcodec_send_packet(a->dec, a->in);
	av_packet_unref(a->in);
	int drained = drain(a, s);
	return err < 0 ? err : drained;
}

/* flush codes what is queued. The job goes on with what comes next. */
int audio_flush(struct audio *a)
{
	struct sample none = {0};
	avcodec_send_packet(a->dec, NULL);
	int err = drain(a, &none);
	avcodec_flush_buffers(a->dec);
	if (err >= 0 && a->resampler)
		err = resample(a, NULL, 0);
	if (err >= 0)
		err = encode(a, 1);
	/* Frames of silence push the last sound out of the coder's delay. */
	if (err >= 0 && a->started)
		err = silence(a, 2 * (int64_t)a->enc->frame_size + a->enc->initial_padding);
	av_audio_fifo_reset(a->queue);
	swr_free(&a->mixer);
	swr_free(&a->resampler);
	a->started = 0;
	return err;
}
