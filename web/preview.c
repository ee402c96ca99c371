/* SPDX-License-Identifier: MIT */
/*
 * /focusd/v1/camera/N/preview.jpg: the newest frame stretched so that faint stars show.  The one
 * door to libjpeg.  Rendering 60 Mpx takes a tenth of a second, so the room's thread does it while the
 * request waits, and each picture is rendered once however many watch.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>

#include "preview_stretch.h"
#include "web_private.h"

#define WHOLE_WIDTH 1600
#define PART_MOST 4096
#define WAIT_MS 10000
#define QUALITY 88

/* ---- JPEG ---- */

struct jpeg_failure {
	struct jpeg_error_mgr base; /* first: the library hands it back */
	jmp_buf jump;
};

static void jpeg_failed(j_common_ptr info)
{
	longjmp(((struct jpeg_failure *)(void *)info->err)->jump, 1);
}

static void jpeg_silent(j_common_ptr info)
{
	(void)info;
}

static int encode(const uint8_t *rows, int32_t width, int32_t height, int channels,
	unsigned char **jpeg, size_t *len)
{
	struct jpeg_compress_struct c;
	struct jpeg_failure failure;
	unsigned char *volatile out = NULL;
	unsigned char *buffer = NULL;
	unsigned long size = 0;
	c.err = jpeg_std_error(&failure.base);
	failure.base.error_exit = jpeg_failed;
	failure.base.output_message = jpeg_silent;
	if (setjmp(failure.jump) != 0) {
		jpeg_destroy_compress(&c);
		free(out);
		return -1;
	}
	jpeg_create_compress(&c);
	jpeg_mem_dest(&c, &buffer, &size);
	c.image_width = (JDIMENSION)width;
	c.image_height = (JDIMENSION)height;
	c.input_components = channels;
	c.in_color_space = channels == 3 ? JCS_RGB : JCS_GRAYSCALE;
	jpeg_set_defaults(&c);
	jpeg_set_quality(&c, QUALITY, TRUE);
	jpeg_start_compress(&c, TRUE);
	out = buffer;
	while (c.next_scanline < c.image_height) {
		const uint8_t *from = rows + (size_t)c.next_scanline * (size_t)width * (size_t)channels;
		JSAMPROW row = (JSAMPROW)(uintptr_t)from;
		jpeg_write_scanlines(&c, &row, 1);
	}
	jpeg_finish_compress(&c);
	jpeg_destroy_compress(&c);
	*jpeg = buffer;
	*len = size;
	return 0;
}

int preview_render(const struct frame *frame, const struct preview_key *key, unsigned char **jpeg,
	size_t *len)
{
	if (frame->count == 0) {
		return -1;
	}
	bool part = key->part_w > 0;
	int32_t factor = part ? 1 : (frame->info.width + WHOLE_WIDTH - 1) / WHOLE_WIDTH;
	int32_t from_x = part ? key->x : 0;
	int32_t from_y = part ? key->y : 0;
	int32_t width = part ? key->part_w : (frame->info.width + factor - 1) / factor;
	int32_t height = part ? key->part_h : (frame->info.height + factor - 1) / factor;
	int channels = frame->info.planes == 3 ? 3 : 1;
	int32_t b = stretch_box(frame, factor);
	struct stretch stretch;
	uint8_t *rows = malloc((size_t)width * (size_t)height * (size_t)channels);
	int result = -1;
	if (rows != NULL && stretch_init(&stretch, frame)) {
		for (int32_t x = 0; x < width; x++) {
			for (int32_t y = 0; y < height; y++) {
				for (int p = 0; p < channels; p++) {
					size_t at = ((size_t)y * (size_t)width + (size_t)x) * (size_t)channels;
					rows[at + (size_t)p] = stretch_brightness(
						&stretch, from_x + x * factor, from_y + y * factor, b, p);
				}
			}
		}
		stretch_fini(&stretch);
		result = encode(rows, width, height, channels, jpeg, len);
	}
	free(rows);
	return result;
}

/* ---- pictures ---- */

/* One call of a stream copies so much, which takes a fraction of a millisecond. */
#define BLOCK_BYTES (256 * 1024)

/* Pictures that clients read may have so many bytes together, and so many clients may read one: slow ones cannot fill
 * the memory.  The largest part has some ten million bytes. */
#define READ_BYTES ((size_t)64 << 20)
#define READERS 64

struct picture {
	_Atomic unsigned users;
	struct holds *readers;  /* where those are entered to whom it is sent */
	unsigned char *jpeg;
	size_t len;
};

/* Takes over jpeg (may be NULL).  The picture has one reference; it is NULL when out of memory. */
static struct picture *picture_create(struct holds *readers, unsigned char *jpeg, size_t len)
{
	struct picture *picture = jpeg != NULL ? calloc(1, sizeof *picture) : NULL;
	if (picture == NULL) {
		free(jpeg);
		return NULL;
	}
	picture->users = 1;
	picture->readers = readers;
	picture->jpeg = jpeg;
	picture->len = len;
	return picture;
}

static void picture_unref(void *arg)
{
	struct picture *picture = arg;
	if (picture != NULL && atomic_fetch_sub(&picture->users, 1) == 1) {
		free(picture->jpeg);
		free(picture);
	}
}

/* The end of a stream. */
static void leave_picture(void *arg)
{
	struct picture *picture = arg;
	holds_leave(picture->readers, picture);
	picture_unref(picture);
}

static ssize_t read_picture(void *arg, uint64_t pos, char *out, size_t max)
{
	const struct picture *picture = arg;
	if (pos >= picture->len) {
		return HTTP_STREAM_END;
	}
	size_t n = picture->len - (size_t)pos < max ? picture->len - (size_t)pos : max;
	memcpy(out, picture->jpeg + pos, n);
	return (ssize_t)n;
}

/* ---- pictures kept and being made; all with web->lock held ---- */

static void slot_clear(struct preview_slot *slot)
{
	picture_unref(slot->picture);
	frame_unref(slot->frame);
	*slot = (struct preview_slot){0};
}

bool preview_init(struct web *web)
{
	web->picture_readers = holds_create(READ_BYTES, READERS);
	return web->picture_readers != NULL;
}

void preview_fini(struct web *web)
{
	for (int i = 0; i < WEB_PREVIEW_SLOTS; i++) {
		slot_clear(&web->slots[i]);
	}
	holds_destroy(web->picture_readers);
}

bool preview_work(struct web *web)
{
	struct preview_slot *slot = NULL;
	for (int i = 0; i < WEB_PREVIEW_SLOTS; i++) {
		if (web->slots[i].state == PREVIEW_WANTED) {
			slot = &web->slots[i];
			break;
		}
	}
	if (slot == NULL) {
		return false;
	}
	/* A slot in RENDERING is touched by nobody else, so its key and frame can be used unlocked. */
	slot->state = PREVIEW_RENDERING;
	pthread_mutex_unlock(&web->lock);
	unsigned char *jpeg = NULL;
	size_t len = 0;
	renderer_render(web->renderer, slot->frame, &slot->key, &jpeg, &len);
	frame_unref(slot->frame);
	struct picture *picture = picture_create(web->picture_readers, jpeg, len);
	pthread_mutex_lock(&web->lock);
	slot->frame = NULL;
	slot->picture = picture;
	slot->state = PREVIEW_DONE;
	return true;
}

static bool same_key(const struct preview_key *a, const struct preview_key *b)
{
	return a->camera == b->camera && a->serial == b->serial && a->x == b->x && a->y == b->y &&
		a->part_w == b->part_w && a->part_h == b->part_h;
}

static struct preview_slot *find_slot(struct web *web, const struct preview_key *key)
{
	for (int i = 0; i < WEB_PREVIEW_SLOTS; i++) {
		struct preview_slot *slot = &web->slots[i];
		if (slot->state != PREVIEW_FREE && same_key(&slot->key, key)) {
			return slot;
		}
	}
	return NULL;
}

/* A free slot, else the finished one that was not used for the longest; NULL when all are busy. */
static struct preview_slot *take_slot(struct web *web)
{
	struct preview_slot *best = NULL;
	for (int i = 0; i < WEB_PREVIEW_SLOTS; i++) {
		struct preview_slot *slot = &web->slots[i];
		if (slot->state == PREVIEW_FREE) {
			return slot;
		}
		if (slot->state == PREVIEW_DONE && (best == NULL || slot->last_use < best->last_use)) {
			best = slot;
		}
	}
	if (best != NULL) {
		slot_clear(best);
	}
	return best;
}

/* ---- the request ---- */

/* One of x, y, w, h: 1 given, 0 absent, -1 wrong. */
static int part_number(const struct http_request *req, const char *name, int32_t *out)
{
	char text[16];
	int found = http_field(req->query, name, false, text, sizeof text);
	if (found == -1) {
		return 0;
	}
	return found == 0 && text_parse_i32(span_of(text), out) ? 1 : -1;
}

/* Reads the part that is asked for into key, clipped at the frame's edges.  False after an
 * answer. */
static bool read_part(const struct http_request *req, const struct frame *frame,
	struct preview_key *key, struct http_response *res)
{
	int32_t x = 0, y = 0, w = 0, h = 0;
	int gx = part_number(req, "x", &x);
	int gy = part_number(req, "y", &y);
	int gw = part_number(req, "w", &w);
	int gh = part_number(req, "h", &h);
	if (gx == 0 && gy == 0 && gw == 0 && gh == 0) {
		return true;
	}
	if (gx != 1 || gy != 1 || gw != 1 || gh != 1 || x < 0 || y < 0 || w < 1 || h < 1 ||
		w > PART_MOST || h > PART_MOST) {
		http_text(res, 400, "A part of the frame needs x, y, w and h as whole numbers: x and y from 0, "
			"w and h from 1 to %d.", PART_MOST);
		return false;
	}
	if (x >= frame->info.width || y >= frame->info.height) {
		http_text(res, 400, "The frame is %d x %d px: x and y must lie inside it.",
			(int)frame->info.width, (int)frame->info.height);
		return false;
	}
	key->x = x;
	key->y = y;
	key->part_w = w < frame->info.width - x ? w : frame->info.width - x;
	key->part_h = h < frame->info.height - y ? h : frame->info.height - y;
	return true;
}

#define ETAG_TEXT 96

/* The tag names this very picture, also after a restart, when serials begin anew. */
static void make_etag(const struct web *web, const struct preview_key *key, char out[ETAG_TEXT])
{
	snprintf(out, ETAG_TEXT, "\"%" PRIx64 "-%" PRIu64 "-%d.%d.%d.%d\"",
		(uint64_t)web->started_utc_ms, key->serial, (int)key->x, (int)key->y, (int)key->part_w,
		(int)key->part_h);
}

/* Answers from a slot that is done. */
static void answer_from_slot(struct web *web, struct preview_slot *slot, struct http_response *res)
{
	struct picture *picture = slot->picture;
	if (picture == NULL) {
		slot_clear(slot);
		http_text(res, 503, "There is no memory for the picture just now.");
		return;
	}
	if (holds_enter(picture->readers, web, picture, picture->len) != HOLDS_ENTERED) {
		http_text(res, 503, "Too many pictures are being read by slow clients; please ask again in some "
			"seconds.");
		return;
	}
	char etag[ETAG_TEXT];
	make_etag(web, &slot->key, etag);
	slot->last_use = ++web->uses;
	atomic_fetch_add(&picture->users, 1);
	res->status = 200;
	res->content_type = "image/jpeg";
	res->stream = (struct http_stream){
		.read = read_picture,
		.release = leave_picture,
		.arg = picture,
		.size = (int64_t)picture->len,
		.block = picture->len < BLOCK_BYTES ? picture->len : BLOCK_BYTES,
	};
	http_add_header(res, "ETag", etag);
}

/* Looks for the picture and orders it when nobody did.  True when res holds the answer.  frame is
 * borrowed; key is the picture of its serial; *ordered the serial that this request asked for when
 * it was called before (0 at first): that one is good enough when newer frames keep coming. */
static bool try_answer(struct web *web, const struct preview_key *key, struct frame *frame,
	uint64_t *ordered, struct http_response *res)
{
	struct preview_key older = *key;
	older.serial = *ordered;
	pthread_mutex_lock(&web->lock);
	struct preview_slot *slot = find_slot(web, &older);
	if (slot == NULL) {
		*ordered = key->serial;
		slot = find_slot(web, key);
	}
	bool done = slot != NULL && slot->state == PREVIEW_DONE;
	if (done) {
		answer_from_slot(web, slot, res);
	} else if (slot == NULL && (slot = take_slot(web)) != NULL) {
		slot->state = PREVIEW_WANTED;
		slot->key = *key;
		slot->frame = frame_ref(frame);
		pthread_cond_signal(&web->cond);
	} /* Otherwise it is being made, or all slots are busy: the request asks again when one gets done. */
	pthread_mutex_unlock(&web->lock);
	return done;
}

/* Whether the browser holds this very picture. */
static bool is_known(const struct web *web, const struct http_request *req,
	const struct preview_key *key, struct http_response *res)
{
	char etag[ETAG_TEXT];
	make_etag(web, key, etag);
	const char *known = req->header(req, "If-None-Match");
	if (known == NULL || strcmp(known, etag) != 0) {
		return false;
	}
	web_body(res, "image/jpeg", 0);
	res->status = 304;
	http_add_header(res, "ETag", etag);
	return true;
}

enum http_result preview_answer(struct web *web, const char *rest, const struct http_request *req,
	struct http_response *res)
{
	const char *end;
	int number = web_path_number(rest, &end);
	struct device *dev = number >= 0 && strcmp(end, "/preview.jpg") == 0 ?
		devices_find(web->served->devices, &camera_kind, number) : NULL;
	struct http_wait *wait = req->wait;
	struct preview_key key = {.camera = number};
	struct frame *frame = NULL;
	enum http_result result = HTTP_DONE;
	if (dev == NULL) {
		http_text(res, 404, "There is no such camera.");
	} else if ((frame = camera_preview_frame(dev, &key.serial)) == NULL) {
		http_text(res, 404, "This camera has not taken a frame yet.");
	} else if (read_part(req, frame, &key, res) && !is_known(web, req, &key, res) &&
		!try_answer(web, &key, frame, &wait->ticket[0], res)) {
		int64_t now = clock_now_ms(clock_real());
		if (!wait->resumed) {
			wait->deadline_ms = now + WAIT_MS;
		}
		if (now < wait->deadline_ms) {
			result = HTTP_WAIT;
		} else {
			http_text(res, 503, "The picture took too long to make; please ask again.");
		}
	}
	frame_unref(frame);
	return result;
}
