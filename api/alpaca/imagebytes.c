/* SPDX-License-Identifier: MIT */
/*
 * The picture as ImageBytes, made while it is sent out of the frame's own memory, which has Alpaca's order (x outer,
 * y inner, planes innermost).
 */
#include "alpaca_call.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "camera.h"
#include "image.h"

enum {
	HEADER_BYTES = 44,
	BLOCK_BYTES = 256 * 1024, /* copied in a fraction of a millisecond, because a halt may wait for it */
	/* Elements that have to be converted take longer than those that are copied, so a block has fewer. */
	CONVERTED_BLOCK_BYTES = 64 * 1024,
};

/* ImageArrayElementTypes of the Alpaca ImageBytes specification. */
enum { ELEMENT_INT32 = 2, ELEMENT_DOUBLE = 3, ELEMENT_BYTE = 6, ELEMENT_UINT16 = 8 };

/* For each type of elements: what the client ends up with, what is on the wire, and its size there. Whole numbers
 * become Int32, as ImageArray wants them; clients widen smaller ones. Floats of either size are sent as Double, the one
 * type of fractions that the JSON form has, too: alpyca reads no Single, and clients widen none. */
static const struct wire {
	uint32_t element, transmission;
	size_t size;
} wires[] = {
	[IMAGE_U8] = {ELEMENT_INT32, ELEMENT_BYTE, 1},
	[IMAGE_U16] = {ELEMENT_INT32, ELEMENT_UINT16, 2},
	[IMAGE_I32] = {ELEMENT_INT32, ELEMENT_INT32, 4},
	[IMAGE_F32] = {ELEMENT_DOUBLE, ELEMENT_DOUBLE, 8},
	[IMAGE_F64] = {ELEMENT_DOUBLE, ELEMENT_DOUBLE, 8},
};

struct bytes_stream {
	struct image_reader reader;
	const struct frame *frame; /* the reader's */
	const struct wire *wire;
	uint64_t size;
	unsigned char header[HEADER_BYTES];
};

static void put_le(unsigned char *out, uint64_t value, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++) {
		out[i] = (unsigned char)(value >> (8 * i));
	}
}

/* Writes one element as it stands on the wire, 8 bytes at most. */
static void put_element(const struct bytes_stream *stream, size_t index, unsigned char *out)
{
	double value = image_published(stream->frame, index);
	uint64_t bits;
	if (stream->wire->element == ELEMENT_DOUBLE) {
		memcpy(&bits, &value, sizeof bits);
	} else {
		bits = (uint64_t)(int64_t)value;
	}
	put_le(out, bits, stream->wire->size);
}

/* Whether the elements stand in memory as they do on the wire. Floats do not, because some may be missing. */
static bool is_copied(enum image_type type)
{
	return !image_type_is_float(type) && (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ || type == IMAGE_U8);
}

/* Copies bytes at..at+len of the elements. */
static void copy_elements(const struct bytes_stream *stream, uint64_t at, size_t len, char *out)
{
	if (is_copied(stream->frame->info.type)) {
		memcpy(out, (const char *)stream->frame->pixels + at, len);
		return;
	}
	size_t size = stream->wire->size;
	while (len > 0) {
		unsigned char element[8];
		size_t from = (size_t)(at % size);
		size_t n = size - from < len ? size - from : len;
		put_element(stream, (size_t)(at / size), element);
		memcpy(out, element + from, n);
		at += n;
		out += n;
		len -= n;
	}
}

static ssize_t read_bytes(void *arg, uint64_t pos, char *out, size_t max)
{
	const struct bytes_stream *stream = arg;
	if (pos >= stream->size) {
		return HTTP_STREAM_END;
	}
	size_t done = 0;
	while (pos < HEADER_BYTES && done < max) {
		out[done++] = (char)stream->header[pos++];
	}
	if (done == max) {
		return (ssize_t)done;
	}
	size_t len = max - done < stream->size - pos ? max - done : (size_t)(stream->size - pos);
	copy_elements(stream, pos - HEADER_BYTES, len, out + done);
	return (ssize_t)(done + len);
}

static void release_bytes(void *arg)
{
	struct bytes_stream *stream = arg;
	image_reader_end(&stream->reader);
	free(stream);
}

enum err_code image_stream_bytes(struct image_reader *reader, uint32_t client_transaction,
	uint32_t server_transaction, struct http_response *res)
{
	struct bytes_stream *stream = calloc(1, sizeof *stream);
	if (stream == NULL) {
		image_reader_end(reader);
		return ERR_NOMEM;
	}
	const struct frame *frame = reader->frame;
	stream->reader = *reader;
	stream->frame = frame;
	stream->wire = &wires[frame->info.type];
	stream->size = HEADER_BYTES + stream->wire->size * (uint64_t)frame->count;
	bool planes = frame->info.planes > 1;
	const uint32_t words[HEADER_BYTES / 4] = {1, 0, client_transaction, server_transaction,
		HEADER_BYTES, stream->wire->element, stream->wire->transmission, planes ? 3 : 2,
		(uint32_t)frame->info.width, (uint32_t)frame->info.height,
		planes ? (uint32_t)frame->info.planes : 0};
	for (size_t i = 0; i < HEADER_BYTES / 4; i++) {
		put_le(stream->header + 4 * i, words[i], 4);
	}
	res->status = 200;
	/* The header must be exactly this, because some clients compare it whole. */
	res->content_type = "application/imagebytes";
	res->stream = (struct http_stream){.read = read_bytes,
		.release = release_bytes,
		.arg = stream,
		.size = (int64_t)stream->size,
		.block = is_copied(frame->info.type) ? BLOCK_BYTES : CONVERTED_BLOCK_BYTES};
	return ERR_OK;
}
