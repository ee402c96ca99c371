/* SPDX-License-Identifier: MIT */
#include "indi_blob.h"

#include <errno.h>
#include <math.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "indi_base64.h"
#include "indi_packed.h"
#include "log.h"
#include "moment.h"
#include "tcp.h"
#include "text.h"

/* Bytes that are read at once; their decoded form stays in the cache of the processor. */
#define READ_BYTES (128 << 10)
#define SEND_MS 1000

/* DATE-OBS and the time stamps of INDI, which have whole seconds, are of one clock; the exposure begins a little before
 * or after its state is told. */
#define DATE_SLACK_MS 2000
/* EXPTIME is what was asked for, as the camera rounds it. */
#define EXPOSURE_SLACK 0.05
#define EXPOSURE_SLACK_S 0.02
/* In a camera's own file it is in steps of a third of a stop, and in whole seconds where they are long (Exif 2.32,
 * ExposureTime). */
#define ROUNDED_SLACK 0.3
#define ROUNDED_SLACK_S 1.0

/* What is done with the picture that comes at this moment. */
enum coming { COMING_NOTHING, COMING_PLAIN, COMING_KEPT, COMING_SKIPPED };

struct indi_blob {
	const struct driver_host *host;
	char device[INDI_NAME], property[INDI_NAME];
	int fd;
	int wake;                     /* eventfd: the thread shall end */
	pthread_t thread;
	bool running;
	/* Of the thread alone. */
	struct indi_xml *xml;
	struct indi_fits *fits;
	struct indi_base64 base64;
	struct indi_packed *packed;
	unsigned char *decoded;
	enum coming coming;
	struct err broken;            /* why the picture that comes is of no use */
	/* Guarded by the lock. */
	pthread_mutex_t lock;
	pthread_cond_t lent;          /* a frame was lent, or nothing is waited for any more */
	bool lost;
	bool waits;                   /* a picture is wanted */
	struct indi_wanted wanted;
	struct frame *frame;          /* NULL: not lent */
	struct indi_picture picture;  /* how it gets into the frame */
	struct indi_blob_result result;
};

/* ---- the frame ---- */

static void post(struct indi_blob *b)
{
	struct indi_post news = {.lost = false};
	b->host->post(b->host->post_ctx, &news, sizeof news);
}

/* With the lock. */
static void fail(struct indi_blob *b, const struct err *why)
{
	if (b->waits && b->result.state != INDI_BLOB_WHOLE && b->result.state != INDI_BLOB_FAILED) {
		b->result.state = INDI_BLOB_FAILED;
		b->result.why = *why;
		post(b);
	}
}

/* ---- is it ours? ---- */

/* Whether the picture is of another exposure, by what its header says; the reason goes into the log. */
static bool is_foreign(struct indi_blob *b, const struct indi_fits_facts *facts)
{
	const struct indi_wanted *w = &b->wanted;
	const char *why = NULL;
	double slack_s = facts->rounded ? ROUNDED_SLACK * w->exposure_s + ROUNDED_SLACK_S
		: EXPOSURE_SLACK * w->exposure_s + EXPOSURE_SLACK_S;
	if (real_ms() < w->earliest_ms) {
		why = "it came before the exposure can have ended";
	} else if (isfinite(facts->exposure_s) && fabs(facts->exposure_s - w->exposure_s) > slack_s) {
		why = "it was exposed for another time";
	} else if (facts->start_utc_ms != 0 && w->began_utc_ms != 0
		&& facts->start_utc_ms < w->began_utc_ms - DATE_SLACK_MS) {
		why = "it was begun earlier";
	}
	if (why != NULL) {
		log_warn(b->host->source, "a picture of %.3f s is not taken for the one of %.3f s: %s",
			facts->exposure_s, w->exposure_s, why);
	}
	return why != NULL;
}

/* Waits until core has lent the frame.  False when nothing is waited for any more: core lends the frame or ends the
 * exposure, and a picture that was given up sooner would be lost without a word. */
static bool wait_for_frame(struct indi_blob *b)
{
	while (b->waits && b->frame == NULL) {
		clock_wait(clock_real(), &b->lent, &b->lock, CLOCK_NEVER);
	}
	return b->waits;
}

static enum err_code check_shape(struct indi_blob *b, const struct indi_fits_facts *facts, struct err *err)
{
	struct indi_wanted *w = &b->wanted;
	bool fits = facts->planes == w->part.planes && indi_fits_fits_into(facts->type, w->part.type);
	bool coloured = facts->rounded && facts->red >= 0 && !w->mosaic;
	if (!fits || coloured) {
		b->result.reshaped = true;
		b->result.type = fits ? w->part.type : facts->type;
		b->result.planes = facts->planes;
		b->result.red = facts->red;
	}
	if (coloured) {
		return err_set(err, ERR_PROTOCOL, "the pictures have coloured cells, which the INDI driver does not "
			"tell");
	}
	if (!fits) {
		return err_set(err, ERR_PROTOCOL, "the pictures have another kind of pixels (BITPIX %d, %d colours) "
			"than was expected", facts->bitpix, (int)facts->planes);
	}
	if (facts->rounded && facts->width == w->whole_width && facts->height == w->whole_height) {
		w->part.cut_x = w->whole_x;
		w->part.cut_y = w->whole_y;
	} else if (facts->width != w->width || facts->height != w->height) {
		return err_set(err, ERR_PROTOCOL, "the picture has %dx%d px, the camera was told to deliver %dx%d",
			(int)facts->width, (int)facts->height, (int)w->width, (int)w->height);
	}
	return ERR_OK;
}

static bool on_header(void *ctx, const struct indi_fits_facts *facts)
{
	struct indi_blob *b = ctx;
	pthread_mutex_lock(&b->lock);
	bool ours = b->waits && b->result.state == INDI_BLOB_NONE && !is_foreign(b, facts) && wait_for_frame(b);
	struct err why;
	if (ours && check_shape(b, facts, &why) != ERR_OK) {
		fail(b, &why);
		ours = false;
	}
	if (ours && indi_picture_begin(&b->picture, &b->wanted.part, b->frame, &why) != ERR_OK) {
		fail(b, &why);
		ours = false;
	}
	if (ours) {
		b->result.state = INDI_BLOB_COMING;
		b->result.exposure_s = facts->exposure_s;
		b->result.bits = facts->bitpix == 8 || facts->bitpix == 16 ? facts->bitpix : 0;
		post(b);
	}
	pthread_mutex_unlock(&b->lock);
	return ours;
}

static void on_rows(void *ctx, const struct indi_fits_facts *facts, int32_t plane, int32_t first, int32_t rows,
	const void *data)
{
	struct indi_blob *b = ctx;
	pthread_mutex_lock(&b->lock);
	if (b->waits && b->result.state == INDI_BLOB_COMING) {
		indi_picture_put(&b->picture, facts, plane, first, rows, data);
	}
	pthread_mutex_unlock(&b->lock);
}

static const struct indi_fits_handlers fits_handlers = {.header = on_header, .rows = on_rows};

/* ---- the stream ---- */

static void on_element(void *ctx, const struct indi_element *e)
{
	(void)ctx;
	(void)e;
}

static void on_blob_begin(void *ctx, const struct indi_element *e)
{
	struct indi_blob *b = ctx;
	const char *device = indi_element_attr(e, 0, "device");
	const char *property = indi_element_attr(e, 0, "name");
	const char *format = indi_element_attr(e, indi_element_children(e), "format");
	format = format != NULL ? format : "";
	b->broken = (struct err){.code = ERR_OK};
	b->base64 = (struct indi_base64){.bits = 0};
	b->coming = COMING_SKIPPED;
	bool is_ours = device != NULL && strcmp(device, b->device) == 0 && property != NULL
		&& strcmp(property, b->property) == 0;
	if (!is_ours) {
		return;
	}
	b->coming = strcmp(format, ".fits") == 0 ? COMING_PLAIN : COMING_KEPT;
	indi_fits_begin(b->fits);
	if (b->coming == COMING_KEPT) {
		indi_packed_begin(&b->packed, format, b->fits, &b->broken);
	}
}

static void on_blob_text(void *ctx, const char *text, size_t len)
{
	struct indi_blob *b = ctx;
	if (b->coming == COMING_SKIPPED || b->broken.code != ERR_OK) {
		return;
	}
	size_t made = indi_base64_decode(&b->base64, text, len, b->decoded);
	if (b->coming == COMING_KEPT) {
		indi_packed_feed(b->packed, b->decoded, made, &b->broken);
	} else {
		indi_fits_feed(b->fits, b->decoded, made, &b->broken);
	}
}

static void on_blob_end(void *ctx)
{
	struct indi_blob *b = ctx;
	enum coming was = b->coming;
	b->coming = COMING_NOTHING;
	if (was == COMING_SKIPPED) {
		return;
	}
	if (b->broken.code == ERR_OK && b->base64.bad) {
		err_set(&b->broken, ERR_PROTOCOL, "the picture is damaged on its way: its base64 has a wrong "
			"character");
	}
	if (was == COMING_KEPT && b->broken.code == ERR_OK) {
		indi_packed_end(b->packed, b->wake, &b->broken);
	}
	pthread_mutex_lock(&b->lock);
	if (b->broken.code != ERR_OK) {
		fail(b, &b->broken);
	} else if (b->waits && b->result.state == INDI_BLOB_COMING) {
		if (indi_fits_whole(b->fits)) {
			indi_picture_end(&b->picture);
			b->result.state = INDI_BLOB_WHOLE;
			post(b);
		} else {
			struct err why;
			err_set(&why, ERR_PROTOCOL, "the picture is cut off: only a part of it came");
			fail(b, &why);
		}
	}
	pthread_mutex_unlock(&b->lock);
}

static const struct indi_xml_handlers blob_handlers = {
	.element = on_element, .blob_begin = on_blob_begin, .blob_text = on_blob_text, .blob_end = on_blob_end};

static enum err_code read_some(struct indi_blob *b, char *data, struct err *why)
{
	ssize_t n = recv(b->fd, data, READ_BYTES, MSG_DONTWAIT);
	if (n > 0) {
		return indi_xml_feed(b->xml, data, (size_t)n, why);
	}
	if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
		return ERR_OK;
	}
	return err_set(why, ERR_IO, "the INDI server ended the connection for pictures%s%s", n < 0 ? ": " : "",
		n < 0 ? strerror(errno) : "");
}

static void *read_blobs(void *arg)
{
	struct indi_blob *b = arg;
	struct err why = {.code = ERR_OK};
	char *data = malloc(READ_BYTES);
	if (data == NULL) {
		err_set(&why, ERR_NOMEM, "out of memory");
	}
	while (why.code == ERR_OK) {
		struct pollfd p[2] = {{.fd = b->fd, .events = POLLIN}, {.fd = b->wake, .events = POLLIN}};
		if (poll(p, 2, -1) < 0 && errno == EINTR) {
			continue;
		}
		if (p[1].revents != 0) {
			break;
		}
		read_some(b, data, &why);
	}
	free(data);
	pthread_mutex_lock(&b->lock);
	b->lost = true;
	if (why.code != ERR_OK) {
		fail(b, &why);
	}
	pthread_mutex_unlock(&b->lock);
	return NULL;
}

/* ---- for the worker ---- */

static enum err_code send_enable(struct indi_blob *b, const char *mode, struct err *err)
{
	struct buf text;
	buf_init(&text, 1024);
	buf_puts(&text, "<enableBLOB device=\"");
	indi_escape(&text, b->device);
	buf_puts(&text, "\" name=\"");
	indi_escape(&text, b->property);
	buf_printf(&text, "\">%s</enableBLOB>\n", mode);
	enum err_code code = text.failed ? err_set(err, ERR_NOMEM, "out of memory")
					 : indi_send(b->fd, text.data, text.len, real_ms() + SEND_MS, err);
	buf_fini(&text);
	return code;
}

static enum err_code send_first(struct indi_blob *b, struct err *err)
{
	struct buf text;
	buf_init(&text, 1024);
	/* The first element says what this connection is told of: this camera's pictures, for good. */
	buf_puts(&text, "<getProperties version=\"1.7\" device=\"");
	indi_escape(&text, b->device);
	buf_puts(&text, "\" name=\"");
	indi_escape(&text, b->property);
	buf_puts(&text, "\"/>\n");
	enum err_code code = text.failed ? err_set(err, ERR_NOMEM, "out of memory")
					 : indi_send(b->fd, text.data, text.len, real_ms() + SEND_MS, err);
	buf_fini(&text);
	return code;
}

enum err_code indi_blob_open(const char *address, const char *device, const char *property,
	const struct driver_host *host, int64_t deadline_ms, struct indi_blob **out, struct err *err)
{
	struct indi_blob *b = calloc(1, sizeof *b);
	if (b == NULL) {
		return err_set(err, ERR_NOMEM, "out of memory");
	}
	b->host = host;
	snprintf(b->device, sizeof b->device, "%s", device);
	snprintf(b->property, sizeof b->property, "%s", property);
	b->fd = -1;
	pthread_mutex_init(&b->lock, NULL);
	clock_cond_init(&b->lent);
	b->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	b->decoded = malloc((READ_BYTES + 3) / 4 * 3);
	enum err_code code = b->decoded != NULL ? ERR_OK : err_set(err, ERR_NOMEM, "out of memory");
	if (code == ERR_OK && b->wake < 0) {
		code = err_set(err, ERR_IO, "no descriptor for pictures: %s", strerror(errno));
	}
	if (code == ERR_OK) {
		code = indi_xml_create(&blob_handlers, b, &b->xml, err);
	}
	if (code == ERR_OK) {
		code = indi_fits_create(&fits_handlers, b, &b->fits, err);
	}
	if (code == ERR_OK) {
		code = tcp_connect(address, deadline_ms, &b->fd, err);
	}
	if (code == ERR_OK) {
		code = send_first(b, err);
	}
	if (code == ERR_OK) {
		b->running = pthread_create(&b->thread, NULL, read_blobs, b) == 0;
		code = b->running ? ERR_OK : err_set(err, ERR_NOMEM, "no thread for pictures");
	}
	if (code != ERR_OK) {
		indi_blob_close(b);
		return code;
	}
	*out = b;
	return ERR_OK;
}

void indi_blob_close(struct indi_blob *b)
{
	if (b == NULL) {
		return;
	}
	if (b->running) {
		uint64_t one = 1;
		indi_blob_forget(b);
		ssize_t ignored = write(b->wake, &one, sizeof one);
		(void)ignored;
		pthread_join(b->thread, NULL);
	}
	if (b->fd >= 0) {
		close(b->fd);
	}
	if (b->wake >= 0) {
		close(b->wake);
	}
	indi_xml_destroy(b->xml);
	indi_fits_destroy(b->fits);
	indi_packed_destroy(b->packed);
	free(b->decoded);
	indi_picture_drop(&b->picture);
	pthread_cond_destroy(&b->lent);
	pthread_mutex_destroy(&b->lock);
	free(b);
}

bool indi_blob_usable(struct indi_blob *b)
{
	pthread_mutex_lock(&b->lock);
	bool usable = !b->lost;
	pthread_mutex_unlock(&b->lock);
	return usable;
}

enum err_code indi_blob_expect(struct indi_blob *b, const struct indi_wanted *wanted, struct err *err)
{
	pthread_mutex_lock(&b->lock);
	b->wanted = *wanted;
	b->frame = NULL;
	b->result = (struct indi_blob_result){.state = INDI_BLOB_NONE, .exposure_s = NAN};
	b->waits = true;
	pthread_mutex_unlock(&b->lock);
	return send_enable(b, "Also", err);
}

void indi_blob_lend(struct indi_blob *b, struct frame *frame)
{
	pthread_mutex_lock(&b->lock);
	b->frame = frame;
	pthread_cond_broadcast(&b->lent);
	pthread_mutex_unlock(&b->lock);
}

void indi_blob_began(struct indi_blob *b, int64_t began_utc_ms)
{
	pthread_mutex_lock(&b->lock);
	b->wanted.began_utc_ms = began_utc_ms;
	pthread_mutex_unlock(&b->lock);
}

struct indi_blob_result indi_blob_look(struct indi_blob *b)
{
	pthread_mutex_lock(&b->lock);
	struct indi_blob_result result = b->result;
	pthread_mutex_unlock(&b->lock);
	return result;
}

void indi_blob_forget(struct indi_blob *b)
{
	pthread_mutex_lock(&b->lock);
	bool waited = b->waits;
	b->waits = false;
	b->frame = NULL;
	indi_picture_drop(&b->picture);
	pthread_cond_broadcast(&b->lent);
	pthread_mutex_unlock(&b->lock);
	struct err ignored;
	if (waited) {
		/* Where this fails the connection is gone, and with it what was enabled. */
		send_enable(b, "Never", &ignored);
	}
}
