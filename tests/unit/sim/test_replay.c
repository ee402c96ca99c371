/* SPDX-License-Identifier: MIT */
/*
 * The replay camera on small FITS files that the test writes itself, and on the recorded sweep of a
 * C8 where the folder of shared frames is there ($FOCUSD_SHARED, default ../shared).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <fitsio.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "camera_driver.h"
#include "measure.h"
#include "replay_frames.h"
#include "sim_host.h"
#include "sim_lend.h"

enum { WIDE = 6, HIGH = 4 };

struct rig {
	struct test_host host;
	const struct camera_driver *camera;
	void *ctx;
	struct camera_port port;
	struct camera_caps caps;
	char folder[64];
	union {
		uint16_t pixels[WIDE * HIGH];
		double widest[WIDE * HIGH];
	};
	struct frame_info info;
	struct test_lend lend;
};

static void rig_init(struct rig *rig)
{
	memset(rig, 0, sizeof *rig);
	test_host_init(&rig->host, 1);
	rig->camera = camera_driver_find("replay");
	assert_non_null(rig->camera);
	snprintf(rig->folder, sizeof rig->folder, "/tmp/focusd-replay-XXXXXX");
	assert_non_null(mkdtemp(rig->folder));
	snprintf(rig->port.path, sizeof rig->port.path, "%s", rig->folder);
	rig->ctx = calloc(1, rig->camera->ctx_size);
}

static void rig_fini(struct rig *rig)
{
	rig->camera->close(rig->ctx);
	test_lend_fini(&rig->lend);
	free(rig->ctx);
	struct dirent **names;
	int n = scandir(rig->folder, &names, NULL, alphasort);
	for (int i = 0; i < n; i++) {
		char path[400];
		snprintf(path, sizeof path, "%s/%s", rig->folder, names[i]->d_name);
		unlink(path);
		free(names[i]);
	}
	free(names);
	rmdir(rig->folder);
	test_host_fini(&rig->host);
}

/* Writes value + 10 * y + x into width x height pixels; FOCUSPOS unless NAN. */
static void write_frame(struct rig *rig, const char *name, int type, long width, long height,
	double value, double position)
{
	char path[200];
	snprintf(path, sizeof path, "%s/%s", rig->folder, name);
	fitsfile *file;
	int status = 0;
	long axes[2] = {width, height};
	fits_create_file(&file, path, &status);
	fits_create_img(file, type, 2, axes, &status);
	double *data = malloc((size_t)(width * height) * sizeof *data);
	assert_non_null(data);
	for (long i = 0; i < width * height; i++) {
		data[i] = value + 10.0 * (double)(i / width) + (double)(i % width);
	}
	fits_write_img(file, TDOUBLE, 1, width * height, data, &status);
	if (!isnan(position)) {
		fits_update_key(file, TDOUBLE, "FOCUSPOS", &position, NULL, &status);
	}
	double pixel = 3.8;
	fits_update_key(file, TDOUBLE, "XPIXSZ", &pixel, NULL, &status);
	fits_close_file(file, &status);
	assert_int_equal(status, 0);
	free(data);
}

static enum err_code rig_open(struct rig *rig, struct err *err)
{
	return rig->camera->open(rig->ctx, &rig->port, &rig->host.camera, &rig->caps, err);
}

static struct exposure_request at(double position)
{
	return (struct exposure_request){
		.duration_s = 2.0, .light = true, .bin = 1, .num_x = WIDE, .num_y = HIGH,
		.focuser_known = true, .focuser_position = position};
}

static enum err_code begin(struct rig *rig, const struct exposure_request *request)
{
	return test_begin(&rig->lend, rig->camera, rig->ctx, &rig->caps, request);
}

static enum err_code read_out(struct rig *rig, void *row_major)
{
	return test_read(&rig->lend, rig->camera, rig->ctx, row_major, &rig->info);
}

static void expose(struct rig *rig, const struct exposure_request *request)
{
	assert_int_equal(begin(rig, request), ERR_OK);
	clock_fake_advance(rig->host.camera.clock, (int64_t)(request->duration_s * 1000.0));
	test_until_ready(rig->camera, rig->ctx);
	assert_int_equal(read_out(rig, rig->pixels), ERR_OK);
}

static void test_the_nearest_frame(void **state)
{
	(void)state;
	struct rig rig;
	struct err err;
	rig_init(&rig);
	write_frame(&rig, "c8_1000_3s.fits", USHORT_IMG, WIDE, HIGH, 1000, NAN);
	write_frame(&rig, "c8_1100_0p3s.fits", USHORT_IMG, WIDE, HIGH, 1100, NAN);
	write_frame(&rig, "b.fits", USHORT_IMG, WIDE, HIGH, 1300, 1300.5);
	assert_int_equal(rig_open(&rig, &err), ERR_OK);
	assert_int_equal(rig.caps.width, WIDE);
	assert_int_equal(rig.caps.height, HIGH);
	assert_true(fabs(rig.caps.pixel_um - 3.8) < 1e-6);
	assert_int_equal(rig.caps.sensor_type, 0);
	static const struct {
		double ask, recorded;
		uint16_t first;
		const char *label;
		double exposure_s;
	} row[] = {
		{-50.0, 1000.0, 1000, "c8_1000_3s.fits", 3.0},
		{1049.0, 1000.0, 1000, "c8_1000_3s.fits", 3.0},
		{1051.0, 1100.0, 1100, "c8_1100_0p3s.fits", 0.3},
		{1299.0, 1300.5, 1300, "b.fits", 2.0},
		{99999.0, 1300.5, 1300, "b.fits", 2.0},
	};
	uint64_t ids[5];
	for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
		struct exposure_request request = at(row[i].ask);
		expose(&rig, &request);
		assert_true(rig.info.position_known);
		assert_true(rig.info.position_steps == row[i].recorded);
		assert_string_equal(rig.info.label, row[i].label);
		assert_true(fabs(rig.info.exposure_s - row[i].exposure_s) < 1e-6);
		assert_int_equal(rig.pixels[0], row[i].first);
		assert_int_equal(rig.pixels[2 * WIDE + 3], row[i].first + 23);
		ids[i] = rig.info.recording_id;
		assert_true(ids[i] != 0);
	}
	assert_true(ids[0] == ids[1] && ids[3] == ids[4]);
	assert_true(ids[1] != ids[2] && ids[2] != ids[3]);
	rig_fini(&rig);
}

static void test_equal_distances_take_turns(void **state)
{
	(void)state;
	struct rig rig;
	struct err err;
	rig_init(&rig);
	write_frame(&rig, "a_100_1s.fits", USHORT_IMG, WIDE, HIGH, 1, NAN);
	write_frame(&rig, "b_100_1s.fits", USHORT_IMG, WIDE, HIGH, 2, NAN);
	write_frame(&rig, "c_200_1s.fits", USHORT_IMG, WIDE, HIGH, 3, NAN);
	assert_int_equal(rig_open(&rig, &err), ERR_OK);
	static const struct {
		double ask;
		uint16_t value;
	} row[] = {{100, 1}, {100, 2}, {90, 1}, {100, 2}, {150, 3}, {150, 3}, {150, 1}, {150, 2}};
	for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
		struct exposure_request request = at(row[i].ask);
		expose(&rig, &request);
		assert_int_equal(rig.pixels[0], row[i].value);
	}
	/* An aborted exposure has delivered nothing: the turn is not lost. */
	struct exposure_request request = at(100);
	assert_int_equal(begin(&rig, &request), ERR_OK);
	assert_int_equal(rig.camera->abort(rig.ctx, &err), ERR_OK);
	expose(&rig, &request);
	assert_int_equal(rig.pixels[0], 1);
	rig_fini(&rig);
}

static void test_subframe_and_binning(void **state)
{
	(void)state;
	struct rig rig;
	struct err err;
	rig_init(&rig);
	write_frame(&rig, "a_100_1s.fits", USHORT_IMG, WIDE, HIGH, 100, NAN);
	assert_int_equal(rig_open(&rig, &err), ERR_OK);
	struct exposure_request request = at(100);
	request.start_x = 2;
	request.start_y = 1;
	request.num_x = 3;
	request.num_y = 2;
	expose(&rig, &request);
	static const uint16_t cut[] = {112, 113, 114, 122, 123, 124};
	assert_memory_equal(rig.pixels, cut, sizeof cut);
	assert_int_equal(rig.info.width, 3);
	assert_int_equal(rig.info.height, 2);

	request = at(100);
	request.bin = 2;
	request.start_x = 1;
	request.num_x = 2;
	request.num_y = 2;
	expose(&rig, &request);
	/* Means of 102, 103, 112, 113 and so on: 107.5 rounds to 108. */
	static const uint16_t binned[] = {108, 110, 128, 130};
	assert_memory_equal(rig.pixels, binned, sizeof binned);

	request.num_x = 3;
	assert_int_equal(rig.camera->start_exposure(rig.ctx, &request, &err), ERR_INVALID_VALUE);
	rig_fini(&rig);
}

static void test_time_and_the_unknown_position(void **state)
{
	(void)state;
	struct rig rig;
	struct err err;
	struct camera_reading reading;
	rig_init(&rig);
	write_frame(&rig, "a_100_1s.fits", USHORT_IMG, WIDE, HIGH, 100, NAN);
	assert_int_equal(rig_open(&rig, &err), ERR_OK);
	struct exposure_request request = at(100);
	request.focuser_known = false;
	assert_int_equal(rig.camera->start_exposure(rig.ctx, &request, &err), ERR_INVALID_OPERATION);
	assert_non_null(strstr(err.text, "focuser"));
	request.focuser_known = true;
	request.duration_s = 4.0;
	assert_int_equal(begin(&rig, &request), ERR_OK);
	clock_fake_advance(rig.host.camera.clock, 3999);
	assert_int_equal(rig.camera->poll(rig.ctx, &reading, &err), ERR_OK);
	assert_int_equal(reading.state, CAMERA_DRIVER_EXPOSING);
	assert_int_equal(reading.next_poll_ms, 1);
	assert_int_equal(read_out(&rig, rig.pixels), ERR_INVALID_OPERATION);
	clock_fake_advance(rig.host.camera.clock, 1);
	test_until_ready(rig.camera, rig.ctx);
	assert_int_equal(rig.camera->poll(rig.ctx, &reading, &err), ERR_OK);
	assert_true(reading.elapsed_s == 4.0);
	assert_int_equal(read_out(&rig, rig.pixels), ERR_OK);
	rig_fini(&rig);
}

/* A file that went away is an error with its name, and the camera lives on. */
static void test_a_file_that_went_away(void **state)
{
	(void)state;
	struct rig rig;
	struct err err;
	struct camera_reading reading;
	rig_init(&rig);
	write_frame(&rig, "a_100_1s.fits", USHORT_IMG, WIDE, HIGH, 100, NAN);
	assert_int_equal(rig_open(&rig, &err), ERR_OK);
	char path[200];
	snprintf(path, sizeof path, "%s/a_100_1s.fits", rig.folder);
	unlink(path);
	struct exposure_request request = at(100);
	assert_int_equal(begin(&rig, &request), ERR_OK);
	clock_fake_advance(rig.host.camera.clock, 2000);
	test_until_ready(rig.camera, rig.ctx);
	assert_int_equal(rig.camera->read_lent(rig.ctx, &rig.info, &err), ERR_IO);
	assert_non_null(strstr(err.text, "a_100_1s.fits"));
	assert_int_equal(rig.camera->poll(rig.ctx, &reading, &err), ERR_OK);
	assert_int_equal(reading.state, CAMERA_DRIVER_IDLE);
	rig_fini(&rig);
}

/* The file is read while light is collected, before anybody asks for the frame: the exposure's clock stands still until
 * the system tells that the file was opened, which it does not do when nobody opens it. */
static void test_the_file_is_read_during_the_exposure(void **state)
{
	(void)state;
	struct rig rig;
	struct err err;
	rig_init(&rig);
	write_frame(&rig, "a_100_1s.fits", USHORT_IMG, WIDE, HIGH, 100, NAN);
	assert_int_equal(rig_open(&rig, &err), ERR_OK);
	int events = inotify_init1(IN_CLOEXEC);
	assert_true(events >= 0 && inotify_add_watch(events, rig.folder, IN_OPEN) >= 0);
	struct exposure_request request = at(100);
	assert_int_equal(begin(&rig, &request), ERR_OK);
	struct pollfd opened = {.fd = events, .events = POLLIN};
	assert_int_equal(poll(&opened, 1, 60000), 1);
	clock_fake_advance(rig.host.camera.clock, 2000);
	test_until_ready(rig.camera, rig.ctx);
	assert_int_equal(read_out(&rig, rig.pixels), ERR_OK);
	assert_int_equal(rig.pixels[0], 100);
	close(events);
	rig_fini(&rig);
}

/* Whoever wants an abort does not wait until a file has been read, which takes as long as the disk and the compression
 * want: at every moment of it the abort ends, and the exposure after it is whole. */
static void test_aborted_while_it_reads(void **state)
{
	(void)state;
	struct rig rig;
	struct err err;
	rig_init(&rig);
	write_frame(&rig, "a_100_1s.fits", USHORT_IMG, 3000, 2000, 100, NAN);
	write_frame(&rig, "b_200_1s.fits", USHORT_IMG, 3000, 2000, 200, NAN);
	assert_int_equal(rig_open(&rig, &err), ERR_OK);
	for (int i = 0; i < 40; i++) {
		struct exposure_request request = at(i % 2 == 0 ? 100 : 200);
		assert_int_equal(begin(&rig, &request), ERR_OK);
		for (int spin = 0; spin < i * i; spin++) {
			sched_yield();
		}
		assert_int_equal(rig.camera->abort(rig.ctx, &err), ERR_OK);
	}
	struct exposure_request request = at(200);
	expose(&rig, &request);
	assert_int_equal(rig.pixels[0], 200);
	rig_fini(&rig);
}

static void test_folders_without_frames(void **state)
{
	(void)state;
	struct rig rig;
	struct err err;
	rig_init(&rig);
	assert_int_equal(rig_open(&rig, &err), ERR_INVALID_VALUE);
	assert_non_null(strstr(err.text, rig.folder));
	rig.camera->close(rig.ctx);
	write_frame(&rig, "m42_0812.fits", USHORT_IMG, WIDE, HIGH, 100, NAN);
	assert_int_equal(rig_open(&rig, &err), ERR_INVALID_VALUE);
	assert_non_null(strstr(err.text, "position"));
	assert_non_null(strstr(err.text, rig.folder));
	rig.camera->close(rig.ctx);
	snprintf(rig.port.path, sizeof rig.port.path, "%s/nowhere", rig.folder);
	assert_int_equal(rig_open(&rig, &err), ERR_IO);
	assert_non_null(strstr(err.text, "nowhere"));
	rig_fini(&rig);
}

static void test_odd_frames_are_left_out(void **state)
{
	(void)state;
	struct rig rig;
	struct err err;
	rig_init(&rig);
	write_frame(&rig, "a_100_1s.fits", USHORT_IMG, 20, 20, 1, NAN);
	write_frame(&rig, "b_200_1s.fits", USHORT_IMG, WIDE, HIGH, 2, NAN);
	write_frame(&rig, "c_300_1s.fits", USHORT_IMG, WIDE, HIGH, 3, NAN);
	write_frame(&rig, "counter_0001.fits", USHORT_IMG, WIDE, HIGH, 4, NAN);
	char path[200];
	snprintf(path, sizeof path, "%s/broken_400_1s.fits", rig.folder);
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	fputs("SIMPLE", file);
	fclose(file);
	assert_int_equal(rig_open(&rig, &err), ERR_OK);
	assert_int_equal(rig.caps.width, WIDE);
	struct exposure_request request = at(0);
	expose(&rig, &request);
	assert_int_equal(rig.pixels[0], 2);
	request = at(400);
	expose(&rig, &request);
	assert_int_equal(rig.pixels[0], 3);
	rig_fini(&rig);
}

static void test_levels(void **state)
{
	(void)state;
	static const struct {
		float values[3];
		double zero;
		uint16_t out[3];
		const char *why;
	} row[] = {
		{{0, 100, 65535}, 0, {0, 100, 65535}, "a camera's values stay"},
		{{10, 10.4f, 65000.6f}, 0, {10, 10, 65001}, "means are rounded"},
		{{-20, 0, 300}, -20, {0, 20, 320}, "negative values are shifted"},
		{{-32768, 0, 32767}, -32768, {0, 32768, 65535}, "all of a signed type has room"},
		{{NAN, 5, 9}, 0, {0, 5, 9}, "not-a-number is black"},
	};
	for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
		struct frame_levels levels = {0};
		bool changed = frame_levels_fit(&levels, row[i].values, 3);
		if (levels.zero != row[i].zero) {
			fail_msg("%s: zero %g", row[i].why, levels.zero);
		}
		assert_int_equal(changed, row[i].zero != 0);
		uint16_t out[3];
		for (size_t k = 0; k < 3; k++) {
			frame_levels_put(&levels, IMAGE_U16, (double)row[i].values[k], out, k);
			assert_int_equal(out[k], row[i].out[k]);
		}
		/* The next frame of the folder keeps the levels as long as it fits. */
		assert_false(frame_levels_fit(&levels, row[i].values, 3));
	}
}

/* The smallest type that holds both: a float has 24 bits, a double 53 (IEEE 754). */
static void test_types_together(void **state)
{
	(void)state;
	static const enum image_type row[][3] = {
		{IMAGE_U8, IMAGE_U8, IMAGE_U8}, {IMAGE_U8, IMAGE_U16, IMAGE_U16}, {IMAGE_U16, IMAGE_U16, IMAGE_U16},
		{IMAGE_U16, IMAGE_I32, IMAGE_I32}, {IMAGE_U8, IMAGE_F32, IMAGE_F32}, {IMAGE_U16, IMAGE_F32, IMAGE_F32},
		{IMAGE_I32, IMAGE_F32, IMAGE_F64}, {IMAGE_I32, IMAGE_I32, IMAGE_I32}, {IMAGE_F64, IMAGE_U8, IMAGE_F64},
		{IMAGE_F32, IMAGE_F64, IMAGE_F64},
	};
	for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
		assert_int_equal(frame_type_wider(row[i][0], row[i][1]), row[i][2]);
		assert_int_equal(frame_type_wider(row[i][1], row[i][0]), row[i][2]);
	}
}

/* Every BITPIX is delivered as what it is, whole and in means of 2 x 2; what files hold is value + 10 y + x. */
static void test_every_type(void **state)
{
	(void)state;
	static const struct {
		int bitpix;
		double value;
		enum image_type type;
		int32_t max_adu;
		double first, last, binned; /* pixels (0, 0) and (5, 3), and the mean of the first four */
	} row[] = {
		{BYTE_IMG, 100, IMAGE_U8, 255, 100, 135, 106},
		{SHORT_IMG, -30, IMAGE_U16, 65535, 0, 35, 6},
		{USHORT_IMG, 65500, IMAGE_U16, 65535, 65500, 65535, 65506},
		{LONG_IMG, -2000000000, IMAGE_I32, INT32_MAX, -2000000000, -1999999965, -1999999994},
		{ULONG_IMG, 4294967000, IMAGE_F64, 0, 4294967000, 4294967035, 4294967005.5},
		{FLOAT_IMG, 0.25, IMAGE_F32, 0, 0.25, 35.25, 5.75},
		{DOUBLE_IMG, 0.1, IMAGE_F64, 0, 0.1, 35.1, 5.6},
	};
	for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
		struct rig rig;
		struct err err;
		rig_init(&rig);
		write_frame(&rig, "a_100_1s.fits", row[i].bitpix, WIDE, HIGH, row[i].value, NAN);
		assert_int_equal(rig_open(&rig, &err), ERR_OK);
		assert_int_equal(rig.caps.frame_type, row[i].type);
		assert_int_equal(rig.caps.max_adu, row[i].max_adu);
		struct exposure_request request = at(100);
		expose(&rig, &request);
		assert_true(fabs(image_element(rig.pixels, row[i].type, 0) - row[i].first) < 1e-12);
		assert_true(fabs(image_element(rig.pixels, row[i].type, WIDE * HIGH - 1) - row[i].last) < 1e-12);
		request.bin = 2;
		request.num_x = WIDE / 2;
		request.num_y = HIGH / 2;
		expose(&rig, &request);
		assert_true(fabs(image_element(rig.pixels, row[i].type, 0) - row[i].binned) < 1e-12);
		rig_fini(&rig);
	}
}

/* Frames of several types in one folder come as the one that holds them all. */
static void test_a_mixed_folder(void **state)
{
	(void)state;
	struct rig rig;
	struct err err;
	rig_init(&rig);
	write_frame(&rig, "a_100_1s.fits", BYTE_IMG, WIDE, HIGH, 7, NAN);
	write_frame(&rig, "b_200_1s.fits", LONG_IMG, WIDE, HIGH, 16777217, NAN);
	write_frame(&rig, "c_300_1s.fits", FLOAT_IMG, WIDE, HIGH, 0.5, NAN);
	assert_int_equal(rig_open(&rig, &err), ERR_OK);
	assert_int_equal(rig.caps.frame_type, IMAGE_F64);
	static const double first[] = {7, 16777217, 0.5};
	for (int i = 0; i < 3; i++) {
		struct exposure_request request = at(100 + 100 * i);
		expose(&rig, &request);
		assert_true(image_element(rig.pixels, IMAGE_F64, 0) == first[i]);
	}
	rig_fini(&rig);
}

/* Missing pixels do not count in means, and where nothing is left nothing is said. */
static void test_missing_pixels(void **state)
{
	(void)state;
	float pixels[8] = {NAN, 2, NAN, INFINITY, 4, 6, NAN, NAN}; /* 4 wide, 2 high */
	struct fits_frame frame = {.width = 4, .height = 2, .pixels = pixels};
	struct frame_levels levels = {.known = true};
	float f32[2];
	frame_levels_cut(&levels, IMAGE_F32, &frame, 2, 0, 0, 2, 1, f32);
	assert_true(f32[0] == 4.0F && isnan(f32[1]));
	int32_t i32[2];
	frame_levels_cut(&levels, IMAGE_I32, &frame, 2, 0, 0, 2, 1, i32);
	assert_true(i32[0] == 4 && i32[1] == 0);
}

/* The recorded sweep of a C8: every frame is delivered where it was taken and measures as in the
 * table of truth (HFR by SExtractor, published with the frames); a hand of them here. */
static void test_the_c8_sweep(void **state)
{
	(void)state;
	const char *shared = getenv("FOCUSD_SHARED");
	struct rig rig;
	struct err err = {.text = ""};
	rig_init(&rig);
	snprintf(rig.port.path, sizeof rig.port.path, "%s/data/frames/c8-sweep",
		shared != NULL ? shared : "../shared");
	if (access(rig.port.path, R_OK) != 0) {
		print_message("SKIPPED: no recorded frames at %s (set FOCUSD_SHARED)\n", rig.port.path);
		rig_fini(&rig);
		skip();
	}
	assert_int_equal(rig_open(&rig, &err), ERR_OK);
	assert_int_equal(rig.caps.width, 1164);
	assert_int_equal(rig.caps.height, 880);
	print_message("%s, %.2f um\n", rig.caps.identity, rig.caps.pixel_um);
	static const struct {
		double ask, position, exposure_s, hfr_px;
	} row[] = {
		{7000, 7350, 3.0, 23.69}, {7600, 7550, 3.0, 16.52}, {7760, 7750, 3.0, 8.98},
		{8004, 8000, 0.3, 2.38}, {8110, 8100, 2.0, 4.51}, {9000, 8500, 3.0, 18.84},
	};
	uint16_t *pixels = malloc(1164 * 880 * sizeof *pixels);
	assert_non_null(pixels);
	for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
		struct exposure_request request = at(row[i].ask);
		request.num_x = 1164;
		request.num_y = 880;
		assert_int_equal(begin(&rig, &request), ERR_OK);
		clock_fake_advance(rig.host.camera.clock, 2000);
		test_until_ready(rig.camera, rig.ctx);
		assert_int_equal(read_out(&rig, pixels), ERR_OK);
		assert_true(rig.info.position_steps == row[i].position);
		assert_true(fabs(rig.info.exposure_s - row[i].exposure_s) < 0.01);
		struct image image = {
			.data = pixels, .type = IMAGE_U16, .mosaic = rig.info.mosaic, .width = 1164,
			.height = 880, .stride = 1164, .full_scale_adu = rig.info.full_scale_adu};
		struct measure_options options = measure_defaults();
		struct measurement m;
		size_t listed;
		assert_int_equal(measure_frame(&image, &options, NULL, 0, &listed, &m, NULL), 0);
		print_message("%s: HFR %.2f px, truth %.2f, full scale %g\n", rig.info.label, m.hfr_px,
			row[i].hfr_px, rig.info.full_scale_adu);
		assert_true(fabs(m.hfr_px / row[i].hfr_px - 1.0) < 0.05);
	}
	free(pixels);
	rig_fini(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_nearest_frame),
		cmocka_unit_test(test_equal_distances_take_turns),
		cmocka_unit_test(test_subframe_and_binning),
		cmocka_unit_test(test_time_and_the_unknown_position),
		cmocka_unit_test(test_a_file_that_went_away),
		cmocka_unit_test(test_the_file_is_read_during_the_exposure),
		cmocka_unit_test(test_aborted_while_it_reads),
		cmocka_unit_test(test_folders_without_frames),
		cmocka_unit_test(test_odd_frames_are_left_out),
		cmocka_unit_test(test_levels),
		cmocka_unit_test(test_types_together),
		cmocka_unit_test(test_every_type),
		cmocka_unit_test(test_a_mixed_folder),
		cmocka_unit_test(test_missing_pixels),
		cmocka_unit_test(test_the_c8_sweep),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
