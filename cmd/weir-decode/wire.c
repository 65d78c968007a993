#include "wire.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

/* libav reads a little past the end of packets. */
#define PADDING 64

uint8_t take8(struct cursor *c)
{
	if (c->left < 1) {
		c->bad = 1;
		return 0;
	}
	c->left--;
	return *c->p++;
}

uint16_t take16(struct cursor *c)
{
	uint16_t hi = take8(c);
	return (uint16_t)(hi << 8 | take8(c));
}

uint32_t take32(struct cursor *c)
{
	uint32_t hi = take16(c);
	return hi << 16 | take16(c);
}

int64_t take64(struct cursor *c)
{
	uint64_t hi = take32(c);
	return (int64_t)(hi << 32 | take32(c));
}

void put16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

void put32(uint8_t *p, uint32_t v)
{
	put16(p, (uint16_t)(v >> 16));
	put16(p + 2, (uint16_t)v);
}

void put64(uint8_t *p, int64_t v)
{
	put32(p, (uint32_t)((uint64_t)v >> 32));
	put32(p + 4, (uint32_t)v);
}

void die(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	_exit(1);
}

/* read_full returns 0 only when input ends before the first byte. */
static int read_full(uint8_t *p, size_t n)
{
	size_t got = 0;
	while (got < n) {
		ssize_t r = read(0, p + got, n - got);
		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			die("read a message: %s", strerror(errno));
		if (r == 0) {
			if (got == 0)
				return 0;
			die("input ends within a message");
		}
		got += (size_t)r;
	}
	return 1;
}

int read_message(struct message *m)
{
	static uint8_t *buffer;
	static size_t capacity;
	uint8_t head[9];
	if (!read_full(head, sizeof head))
		return 0;
	struct cursor c = {head, sizeof head, 0};
	uint32_t size = take32(&c);
	m->type = take8(&c);
	m->job = take32(&c);
	if (size < 5 || size > MAX_FRAME)
		die("a message of %u bytes is not within 5 and %u", size, MAX_FRAME);
	m->size = size - 5;
	if (m->size + PADDING > capacity) {
		free(buffer);
		capacity = m->size + PADDING;
		if (capacity < 65536)
			capacity = 65536;
		buffer = malloc(capacity);
		if (!buffer)
			die("no memory for a message of %u bytes", size);
	}
	if (m->size > 0 && !read_full(buffer, m->size))
		die("input ends within a message");
	memset(buffer + m->size, 0, PADDING);
	m->data = buffer;
	return 1;
}

void write_message(uint8_t type, uint32_t job, const void *head, size_t head_size, const void *body, size_t body_size)
{
	uint8_t front[9];
	if (head_size + body_size + 5 > MAX_FRAME)
		die("a message of %zu bytes is too long to send", head_size + body_size);
	put32(front, (uint32_t)(5 + head_size + body_size));
	front[4] = type;
	put32(front + 5, job);
	struct iovec parts[3] = {{front, sizeof front}, {(void *)head, head_size}, {(void *)body, body_size}};
	int i = 0;
	while (i < 3) {
		ssize_t n = writev(1, parts + i, 3 - i);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			_exit(0); /* the client is gone */
		while (i < 3 && (size_t)n >= parts[i].iov_len)
			n -= (ssize_t)parts[i++].iov_len;
		if (i < 3) {
			parts[i].iov_base = (uint8_t *)parts[i].iov_base + n;
			parts[i].iov_len -= (size_t)n;
		}
	}
}
