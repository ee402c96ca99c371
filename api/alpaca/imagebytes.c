/* SPDX-License-Identifier: MIT */
/*
 * The picture as ImageBytes, made while it is sent out of the frame's own memory, which has Alpaca's order (x outer,
 * y inner, planes innermost); and the choice between the two forms of a picture.
 */
#include "alpaca_call.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

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

/* ---- negotiation ---- */

/* Whether the parameters of one element of an Accept header say q=0. */
static bool is_refused(const char *params, size_t len)
{
	for (size_t i = 0; i + 2 < len; i++) {
		if ((params[i] | 0x20) == 'q' && params[i + 1] == '=' && params[i + 2] == '0') {
			size_t rest = i + 3;
			while (rest < len && (params[rest] == '.' || params[rest] == '0')) {
				rest++;
			}
			return rest == len || params[rest] < '1' || params[rest] > '9';
		}
	}
	return false;
}

bool image_wants_bytes(const char *accept)
{
	static const char name[] = "application/imagebytes";
	while (accept != NULL && *accept != '\0') {
		accept += strspn(accept, " \t,");
		size_t len = strcspn(accept, ",");
		size_t used = sizeof name - 1;
		if (len >= used && strncasecmp(accept, name, used) == 0 &&
			(len == used || strchr("; \t", accept[used]) != NULL)) {
			return !is_refused(accept + used, len - used);
		}
		accept += len;
	}
	return false;
}

/* ---- ImageBytes ---- */

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
	struct frame *frame;
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
	frame_unref(stream->frame);
	free(stream);
}

enum err_code image_stream_bytes(struct frame *frame, uint32_t client_transaction,
	uint32_t server_transaction, struct http_response *res)
{
	struct bytes_stream *stream = calloc(1, sizeof *stream);
	if (stream == NULL) {
		frame_unref(frame);
		return ERR_NOMEM;
	}
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

/* Sends the frame as text when its length is counted, else lets the call wait for its next turn, which comes at once,
 * but after whatever else the thread has to do. Takes over the reference. */
static enum http_result send_json(struct call *call, struct frame *frame, struct image_count count)
{
	if (!image_count_on(frame, &count)) {
		enum http_result result = call_wait(call, 0, 0, 0);
		if (result == HTTP_WAIT) {
			call->wait->frame = frame;
			call->wait->count = count;
		} else {
			frame_unref(frame);
		}
		return result;
	}
	struct buf tail;
	buf_init(&tail, 1024);
	reply_tail(call, NULL, &tail);
	enum err_code code = image_stream_json(frame, count.length, buf_text(&tail), call->res);
	buf_fini(&tail);
	return code == ERR_OK ? HTTP_DONE : reply_failure(call, code, "The server is out of memory.");
}

enum http_result camera_get_imagearray(struct call *call)
{
	struct err err = {.code = ERR_OK};
	struct frame *frame = NULL;
	struct image_count count = {0};
	if (call->wait != NULL && call->wait->frame != NULL) {
		/* The counting goes on with this frame, even when a newer one has come. */
		frame = call->wait->frame;
		call->wait->frame = NULL;
		return send_json(call, frame, call->wait->count);
	}
	if (camera_is_new_to(call->dev, &call->client)) {
		return reply_failure(call, ERR_INVALID_OPERATION,
			"There has been no exposure since you connected again.");
	}
	enum err_code code = camera_frame(call->dev, &frame, &err);
	if (code != ERR_OK) {
		return reply_result(call, code, &err);
	}
	if (!image_wants_bytes(call->req->header(call->req, "Accept"))) {
		return send_json(call, frame, count);
	}
	code = image_stream_bytes(frame, call->ids.transaction, call->server_transaction, call->res);
	return code == ERR_OK ? HTTP_DONE : reply_failure(call, code, "The server is out of memory.");
}
