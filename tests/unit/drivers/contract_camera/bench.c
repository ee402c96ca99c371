/* SPDX-License-Identifier: MIT */
#include "bench.h"

#include <dirent.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Of every call but the read-outs, by camera_driver.h. */
#define CALL_MOST_MS 2000
/* No state is waited for longer than this, in the device's time. */
#define PATIENCE_MS 600000
/* As core (link.c). */
#define IDENTIFY_TRIES 4
/* Bytes behind the rows that nobody may touch. */
#define GUARD 4096

static int64_t call_began_ms;

void bench_fail(const struct camera_bench *b, const char *fmt, ...)
{
	char text[400];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	fprintf(stderr, "%s (%s), in or after %s: %s\n", b->row->driver, b->row->shape,
		b->call != NULL ? b->call : "nothing", text);
	abort();
}

void bench_begins(struct camera_bench *b, const char *call)
{
	b->call = call;
	call_began_ms = clock_now_ms(clock_real());
}

void bench_ends(struct camera_bench *b)
{
	int64_t took_ms = clock_now_ms(clock_real()) - call_began_ms;
	if (took_ms >= CALL_MOST_MS) {
		bench_fail(b, "took %d ms", (int)took_ms);
	}
}

void bench_check_err(const struct camera_bench *b, enum err_code code, const struct err *err)
{
	CHECK(b, code != ERR_OK && err->code == code);
	/* For a person at a telescope: some words, no line feed, no full stop that core's own would follow. */
	size_t len = strlen(err->text);
	CHECK(b, len > 8 && strchr(err->text, ' ') != NULL && strchr(err->text, '\n') == NULL
		&& err->text[len - 1] != '.');
}

static bool is_urgent(void *arg)
{
	return ((const struct camera_bench *)arg)->urgent;
}

void bench_prepare(struct camera_bench *b, const struct camera_row *row)
{
	memset(b, 0, sizeof *b);
	b->row = row;
	b->driver = camera_driver_find(row->driver);
	CHECK(b, b->driver != NULL);
	test_host_init(&b->setting.host, 7);
	if (!b->driver->simulated) {
		b->setting.host.camera.clock = clock_real();
	}
	b->setting.host.camera.urgent = is_urgent;
	b->setting.host.camera.urgent_ctx = b;
	snprintf(b->setting.folder, sizeof b->setting.folder, "/tmp/focusd-camera-XXXXXX");
	CHECK(b, mkdtemp(b->setting.folder) != NULL);
	row->prepare(&b->setting);
	b->ctx = calloc(1, b->driver->ctx_size);
	b->pool = frame_pool_create();
	CHECK(b, b->ctx != NULL && b->pool != NULL);
}

enum err_code bench_try_open(struct camera_bench *b, struct err *err)
{
	memset(b->ctx, 0, b->driver->ctx_size);
	memset(&b->caps, 0, sizeof b->caps);
	bench_begins(b, "open");
	enum err_code code =
		b->driver->open(b->ctx, &b->setting.port, &b->setting.host.camera, &b->caps, err);
	bench_ends(b);
	/* As core does: again until it is known. */
	for (int i = 0; code == ERR_OK && b->driver->identify != NULL && i < IDENTIFY_TRIES; i++) {
		bench_begins(b, "identify");
		enum err_code known = b->driver->identify(b->ctx, &b->caps, err);
		bench_ends(b);
		if (known == ERR_OK || known == ERR_IO || i + 1 == IDENTIFY_TRIES) {
			code = known;
			break;
		}
	}
	return code;
}

void bench_open(struct camera_bench *b, const struct camera_row *row)
{
	bench_prepare(b, row);
	struct err err = {.text = ""};
	if (bench_try_open(b, &err) != ERR_OK) {
		bench_fail(b, "%s", err.text);
	}
}

static void close_driver(struct camera_bench *b)
{
	bench_begins(b, "close");
	b->driver->close(b->ctx);
	bench_ends(b);
	bench_take_back(b);
}

void bench_reopen(struct camera_bench *b)
{
	close_driver(b);
	struct err err = {.text = ""};
	if (bench_try_open(b, &err) != ERR_OK) {
		bench_fail(b, "%s", err.text);
	}
}

static void remove_folder(const char *folder)
{
	struct dirent **names;
	int n = scandir(folder, &names, NULL, alphasort);
	for (int i = 0; i < n; i++) {
		char path[400];
		snprintf(path, sizeof path, "%s/%s", folder, names[i]->d_name);
		unlink(path);
		free(names[i]);
	}
	free(names);
	rmdir(folder);
}

void bench_close(struct camera_bench *b)
{
	close_driver(b);
	frame_unref(b->frame);
	frame_pool_release(b->pool);
	free(b->rows);
	free(b->ctx);
	remove_folder(b->setting.folder);
	if (b->row->finish != NULL) {
		b->row->finish(&b->setting);
	}
	test_host_fini(&b->setting.host);
}

void bench_pass(struct camera_bench *b, int64_t ms)
{
	pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
	pthread_cond_t cond;
	struct clock *clock = b->setting.host.camera.clock;
	int64_t until_ms = clock_now_ms(clock) + ms;
	clock_cond_init(&cond);
	pthread_mutex_lock(&mutex);
	while (clock_now_ms(clock) < until_ms) {
		clock_wait(clock, &cond, &mutex, until_ms);
	}
	pthread_mutex_unlock(&mutex);
	pthread_cond_destroy(&cond);
}

struct exposure_request bench_request(const struct camera_bench *b, double duration_s)
{
	return (struct exposure_request){
		.duration_s = duration_s,
		.light = true,
		.bin = 1,
		.num_x = b->caps.width,
		.num_y = b->caps.height,
		.gain = b->caps.gain_default,
		.offset = b->caps.offset_default,
		.focuser_known = true,
		.focuser_position = 100,
	};
}

static size_t element_count(const struct camera_bench *b)
{
	return (size_t)b->request.num_x * (size_t)b->request.num_y * (size_t)camera_planes(&b->caps);
}

/* The memory behind a frame that nobody has published. */
static unsigned char *memory_of(const struct frame *frame)
{
	return (unsigned char *)(uintptr_t)frame->pixels;
}

static struct frame *new_frame(struct camera_bench *b)
{
	struct frame_info info = {.width = b->request.num_x, .height = b->request.num_y,
		.planes = camera_planes(&b->caps), .bin = b->request.bin, .type = b->caps.frame_type};
	struct frame *frame = frame_pool_take(b->pool, &info);
	CHECK(b, frame != NULL);
	memset(memory_of(frame), b->prefill, frame->count * image_type_size(info.type));
	return frame;
}

enum err_code bench_start(struct camera_bench *b, const struct exposure_request *request)
{
	struct err err = {.text = ""};
	bench_begins(b, "start_exposure");
	enum err_code code = b->driver->start_exposure(b->ctx, request, &err);
	bench_ends(b);
	if (code != ERR_OK) {
		bench_check_err(b, code, &err);
		return code;
	}
	b->request = *request;
	if (b->driver->lend_frame != NULL) {
		b->lent = new_frame(b);
		bench_begins(b, "lend_frame");
		b->driver->lend_frame(b->ctx, b->lent);
		bench_ends(b);
	}
	return code;
}

void bench_take_back(struct camera_bench *b)
{
	frame_unref(b->lent);
	b->lent = NULL;
}

static struct camera_reading poll_once(struct camera_bench *b)
{
	struct camera_reading reading = {.elapsed_s = -1};
	struct err err = {.text = ""};
	bench_begins(b, "poll");
	enum err_code code = b->driver->poll(b->ctx, &reading, &err);
	bench_ends(b);
	if (code != ERR_OK) {
		bench_fail(b, "%s", err.text);
	}
	CHECK(b, reading.state <= CAMERA_DRIVER_READING && reading.next_poll_ms >= 0);
	if (reading.state != CAMERA_DRIVER_IDLE) {
		double most_s = fmax(b->request.duration_s, b->caps.exposure_min_s);
		CHECK(b, reading.elapsed_s >= 0 && reading.elapsed_s <= most_s + 1e-9);
	}
	return reading;
}

enum camera_driver_state bench_state(struct camera_bench *b)
{
	return poll_once(b).state;
}

void bench_until(struct camera_bench *b, enum camera_driver_state state)
{
	int64_t end_ms = clock_now_ms(b->setting.host.camera.clock) + PATIENCE_MS;
	/* An exposure goes one way through its states. */
	static const int order[] = {[CAMERA_DRIVER_EXPOSING] = 0, [CAMERA_DRIVER_READING] = 1,
		[CAMERA_DRIVER_READY] = 2, [CAMERA_DRIVER_IDLE] = 3};
	int last = 0;
	for (;;) {
		struct camera_reading reading = poll_once(b);
		CHECK(b, order[reading.state] >= last);
		last = order[reading.state];
		if (reading.state == state) {
			return;
		}
		if (order[reading.state] > order[state] || clock_now_ms(b->setting.host.camera.clock) > end_ms) {
			bench_fail(b, "is in state %d and never was in %d", (int)reading.state, (int)state);
		}
		bench_pass(b, reading.next_poll_ms > 0 ? reading.next_poll_ms : 100);
	}
}

static enum err_code read_rows(struct camera_bench *b, struct frame_info *info, struct err *err)
{
	size_t bytes = element_count(b) * image_type_size(b->caps.frame_type);
	free(b->rows);
	b->rows = malloc(bytes + GUARD);
	CHECK(b, b->rows != NULL);
	memset(b->rows, b->prefill, bytes + GUARD);
	b->call = "read_frame";
	enum err_code code = b->driver->read_frame(b->ctx, b->rows, element_count(b), info, err);
	for (size_t i = 0; i < GUARD; i++) {
		CHECK(b, b->rows[bytes + i] == b->prefill);
	}
	if (code == ERR_OK) {
		b->frame = new_frame(b);
		frame_fill(b->frame, 0, b->request.num_y, b->rows);
	}
	return code;
}

enum err_code bench_read(struct camera_bench *b, struct frame_info *info)
{
	struct err err = {.text = ""};
	*info = (struct frame_info){.exposure_s = b->request.duration_s};
	frame_unref(b->frame);
	b->frame = NULL;
	enum err_code code;
	if (b->driver->lend_frame == NULL) {
		code = read_rows(b, info, &err);
	} else {
		b->call = "read_lent";
		code = b->driver->read_lent(b->ctx, info, &err);
		if (code == ERR_OK) {
			b->frame = b->lent;
			b->lent = NULL;
		}
	}
	if (code != ERR_OK) {
		bench_check_err(b, code, &err);
	}
	return code;
}

struct frame_info bench_expose(struct camera_bench *b, const struct exposure_request *request)
{
	struct frame_info info;
	CHECK(b, bench_start(b, request) == ERR_OK);
	bench_until(b, CAMERA_DRIVER_READY);
	CHECK(b, bench_read(b, &info) == ERR_OK);
	CHECK(b, info.width == request->num_x && info.height == request->num_y);
	CHECK(b, info.planes == camera_planes(&b->caps) && info.bin == request->bin);
	CHECK(b, info.exposure_s >= 0);
	/* A mosaic's pattern is lost in means over its cells. */
	CHECK(b, info.bin == 1 || info.mosaic == IMAGE_MONO);
	CHECK(b, info.mosaic == IMAGE_MONO || b->caps.sensor_type == 2);
	CHECK(b, !(info.full_scale_adu <= 0));
	CHECK(b, b->caps.max_adu == 0 || !(b->frame->max_value > b->caps.max_adu));
	CHECK(b, bench_state(b) == CAMERA_DRIVER_IDLE);
	return info;
}

void bench_abort(struct camera_bench *b)
{
	struct err err = {.text = ""};
	bench_begins(b, "abort");
	CHECK(b, b->driver->abort(b->ctx, &err) == ERR_OK);
	bench_ends(b);
	bench_take_back(b);
	CHECK(b, bench_state(b) == CAMERA_DRIVER_IDLE);
}
