/* SPDX-License-Identifier: MIT */
/*
 * The picture on the wire: ImageBytes and JSON text, both produced while they are sent from the
 * frame's own memory, which already stands in Alpaca's order (x outer, y inner, planes innermost).
 */
#include "alpaca_call.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "camera.h"
#include "image.h"

enum {
	HEADER_BYTES = 44,
	BLOCK_BYTES = 512 * 1024,
	ELEMENT_INT32 = 2,  /* what the client ends up with */
	ELEMENT_UINT16 = 8, /* what is on the wire */
};

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

struct bytes_stream {
	struct frame *frame;
	unsigned char header[HEADER_BYTES];
};

static void put_le32(unsigned char *out, uint32_t value)
{
	for (int i = 0; i < 4; i++) {
		out[i] = (unsigned char)(value >> (8 * i));
	}
}

static void copy_le16(char *out, const struct frame *frame, uint64_t at, size_t len)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	memcpy(out, (const char *)frame->pixels + at, len);
#else
	for (size_t i = 0; i < len; i++) {
		uint16_t value = frame->pixels[(at + i) / 2];
		out[i] = (char)((at + i) % 2 == 0 ? value & 0xFF : value >> 8);
	}
#endif
}

static ssize_t read_bytes(void *arg, uint64_t pos, char *out, size_t max)
{
	const struct bytes_stream *stream = arg;
	uint64_t size = HEADER_BYTES + 2 * (uint64_t)stream->frame->count;
	if (pos >= size) {
		return HTTP_STREAM_END;
	}
	size_t done = 0;
	while (pos < HEADER_BYTES && done < max) {
		out[done++] = (char)stream->header[pos++];
	}
	size_t len = max - done < size - pos ? max - done : (size_t)(size - pos);
	copy_le16(out + done, stream->frame, pos - HEADER_BYTES, pos < HEADER_BYTES ? 0 : len);
	return (ssize_t)(pos < HEADER_BYTES ? done : done + len);
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
	bool planes = frame->info.planes > 1;
	const uint32_t words[HEADER_BYTES / 4] = {1, 0, client_transaction, server_transaction,
		HEADER_BYTES, ELEMENT_INT32, ELEMENT_UINT16, planes ? 3 : 2,
		(uint32_t)frame->info.width, (uint32_t)frame->info.height,
		planes ? (uint32_t)frame->info.planes : 0};
	for (size_t i = 0; i < HEADER_BYTES / 4; i++) {
		put_le32(stream->header + 4 * i, words[i]);
	}
	res->status = 200;
	/* Exactly this: some clients compare the whole header. */
	res->content_type = "application/imagebytes";
	res->stream = (struct http_stream){.read = read_bytes,
		.release = release_bytes,
		.arg = stream,
		.size = HEADER_BYTES + 2 * (int64_t)frame->count,
		.block = BLOCK_BYTES};
	return ERR_OK;
}

/* ---- JSON ---- */

/* The decimal text of every value with a comma behind it; len counts the comma. */
struct digits {
	char text[7];
	uint8_t len;
};
static struct digits digits[65536];
static pthread_once_t digits_once = PTHREAD_ONCE_INIT;

static void make_digits(void)
{
	for (unsigned value = 0; value < 65536; value++) {
		char text[12];
		int n = snprintf(text, sizeof text, "%u,", value);
		memcpy(digits[value].text, text, sizeof digits[value].text);
		digits[value].len = (uint8_t)n;
	}
}

enum {
	MARK_MAX = 5, /* the longest text between two elements, "]],[[" */
	ELEMENT_MAX = 8 + MARK_MAX,
};

struct json_stream {
	struct frame *frame;
	size_t next;        /* element */
	size_t column_left; /* elements to the end of this column */
	size_t column;      /* elements in one */
	size_t planes;
	bool head_done, tail_done;
	/* What did not fit into the last block. */
	char left[ELEMENT_MAX];
	size_t left_at, left_len;
	size_t tail_at, tail_len;
	char tail[];
};

static const char json_head2[] = "{\"Type\":2,\"Rank\":2,\"Value\":[[";
static const char json_head3[] = "{\"Type\":2,\"Rank\":3,\"Value\":[[[";

static const char *head_of(size_t planes)
{
	return planes > 1 ? json_head3 : json_head2;
}

/* Writes the next element and what stands behind it; out has room for ELEMENT_MAX. */
static size_t put_element(struct json_stream *stream, char *out)
{
	const struct digits *d = &digits[stream->frame->pixels[stream->next]];
	memcpy(out, d, 8);
	size_t n = d->len;
	stream->next++;
	stream->column_left--;
	bool pixel_end = stream->planes > 1 && stream->column_left % stream->planes == 0;
	if (stream->column_left > 0 && !pixel_end) {
		return n;
	}
	/* The comma gives way to the brackets. */
	n--;
	const char *mark = "],[";
	if (stream->column_left == 0) {
		bool last = stream->next == stream->frame->count;
		mark = stream->planes > 1 ? (last ? "]]]," : "]],[[") : (last ? "]]," : "],[");
		stream->column_left = stream->column;
	}
	size_t len = strlen(mark);
	memcpy(out + n, mark, len);
	return n + len;
}

/* Whole columns of one plane without looking for marks: the fast way through a large frame. */
static size_t put_run(struct json_stream *stream, char *out, size_t room)
{
	size_t run = stream->column_left - 1;
	if (run > room / 8) {
		run = room / 8;
	}
	const uint16_t *pixels = stream->frame->pixels + stream->next;
	char *at = out;
	for (size_t i = 0; i < run; i++) {
		const struct digits *d = &digits[pixels[i]];
		memcpy(at, d, 8);
		at += d->len;
	}
	stream->next += run;
	stream->column_left -= run;
	return (size_t)(at - out);
}

static size_t put_left(struct json_stream *stream, char *out, size_t max)
{
	size_t len = stream->left_len - stream->left_at;
	if (len > max) {
		len = max;
	}
	memcpy(out, stream->left + stream->left_at, len);
	stream->left_at += len;
	return len;
}

static ssize_t read_json(void *arg, uint64_t pos, char *out, size_t max)
{
	struct json_stream *stream = arg;
	const char *head = head_of(stream->planes);
	size_t done = 0;
	if (!stream->head_done) {
		size_t head_len = strlen(head);
		size_t len = head_len - (size_t)pos < max ? head_len - (size_t)pos : max;
		memcpy(out, head + pos, len);
		done = len;
		stream->head_done = pos + len == head_len;
		if (!stream->head_done) {
			return (ssize_t)done;
		}
	}
	done += put_left(stream, out + done, max - done);
	while (stream->next < stream->frame->count && done < max) {
		if (max - done < ELEMENT_MAX) {
			stream->left_len = put_element(stream, stream->left);
			stream->left_at = 0;
			done += put_left(stream, out + done, max - done);
			continue;
		}
		if (stream->planes == 1 && stream->column_left > 1) {
			done += put_run(stream, out + done, max - done);
			continue;
		}
		done += put_element(stream, out + done);
	}
	if (stream->next == stream->frame->count && stream->left_at == stream->left_len) {
		size_t len = stream->tail_len - stream->tail_at;
		if (len > max - done) {
			len = max - done;
		}
		memcpy(out + done, stream->tail + stream->tail_at, len);
		stream->tail_at += len;
		done += len;
	}
	return done > 0 ? (ssize_t)done : HTTP_STREAM_END;
}

static void release_json(void *arg)
{
	struct json_stream *stream = arg;
	frame_unref(stream->frame);
	free(stream);
}

/* The digits of all elements together.  Blocks of fixed size let the compiler count many at once.
 */
static uint64_t count_digits(const uint16_t *pixels, size_t count)
{
	uint64_t sum = count;
	size_t i = 0;
	for (; i + 4096 <= count; i += 4096) {
		uint16_t more = 0;
		for (size_t k = 0; k < 4096; k++) {
			uint16_t v = pixels[i + k];
			more = (uint16_t)(more + (v > 9) + (v > 99) + (v > 999) + (v > 9999));
		}
		sum += more;
	}
	for (; i < count; i++) {
		uint16_t v = pixels[i];
		sum += (uint64_t)((v > 9) + (v > 99) + (v > 999) + (v > 9999));
	}
	return sum;
}

enum err_code image_stream_json(struct frame *frame, const char *tail, struct http_response *res)
{
	size_t tail_len = strlen(tail);
	struct json_stream *stream = malloc(sizeof *stream + tail_len + 1);
	if (stream == NULL) {
		frame_unref(frame);
		return ERR_NOMEM;
	}
	pthread_once(&digits_once, make_digits);
	memset(stream, 0, sizeof *stream);
	memcpy(stream->tail, tail, tail_len + 1);
	stream->tail_len = tail_len;
	stream->frame = frame;
	stream->planes = (size_t)frame->info.planes;
	stream->column = (size_t)frame->info.height * stream->planes;
	stream->column_left = stream->column;
	uint64_t width = (uint64_t)frame->info.width;
	uint64_t pixel_count = frame->count / stream->planes;
	/* Between two elements of a pixel ",", between pixels of a column "," or "],[", between
	 * columns
	 * "],[" or "]],[["; behind the last "]]," or "]]],". */
	uint64_t size = strlen(head_of(stream->planes)) + tail_len +
			count_digits(frame->pixels, frame->count);
	if (stream->planes > 1) {
		size += (frame->count - pixel_count) + 3 * (pixel_count - width) + 5 * (width - 1) +
			4;
	} else {
		size += (frame->count - width) + 3 * (width - 1) + 3;
	}
	res->status = 200;
	res->content_type = "application/json";
	res->stream = (struct http_stream){.read = read_json,
		.release = release_json,
		.arg = stream,
		.size = (int64_t)size,
		.block = BLOCK_BYTES};
	return ERR_OK;
}

enum http_result camera_get_imagearray(struct call *call)
{
	struct err err = {.code = ERR_OK};
	struct frame *frame = NULL;
	if (camera_is_new_to(call->dev, &call->client)) {
		return reply_failure(call, ERR_INVALID_OPERATION,
			"There has been no exposure since you connected again.");
	}
	enum err_code code = camera_frame(call->dev, &frame, &err);
	if (code != ERR_OK) {
		return reply_result(call, code, &err);
	}
	if (image_wants_bytes(call->req->header(call->req, "Accept"))) {
		code = image_stream_bytes(
			frame, call->ids.transaction, call->server_transaction, call->res);
	} else {
		struct buf tail;
		buf_init(&tail, 1024);
		reply_tail(call, NULL, &tail);
		code = image_stream_json(frame, buf_text(&tail), call->res);
		buf_fini(&tail);
	}
	return code == ERR_OK ? HTTP_DONE
			      : reply_failure(call, code, "The server is out of memory.");
}
