/* SPDX-License-Identifier: MIT */
/* What is peculiar to the camera of another server: what its members become, and its pixels one by one.  What every
 * camera driver has to keep is tried by contract_camera. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "alpaca_upstream.h"
#include "camera_driver.h"

struct bench {
	const struct camera_driver *driver;
	struct upstream server;
	struct driver_host host;
	struct camera_port port;
	struct camera_caps caps;
	void *ctx;
};

/* The driver, identified, on a server with such a camera. */
static void begin(struct bench *b, const struct upstream *like)
{
	struct err err = {.text = ""};
	*b = (struct bench){.driver = camera_driver_find("alpaca"), .server = *like};
	b->server.clock = clock_create_fake();
	upstream_start(&b->server);
	b->host = (struct driver_host){.clock = b->server.clock, .source = "camera.0", .urgent_fd = -1};
	snprintf(b->port.port, sizeof b->port.port, "127.0.0.1:%d", b->server.port);
	b->ctx = calloc(1, b->driver->ctx_size);
	assert_non_null(b->ctx);
	assert_int_equal(b->driver->open(b->ctx, &b->port, &b->host, &b->caps, &err), ERR_OK);
	enum err_code code = ERR_TIMEOUT;
	for (int i = 0; i < 4 && code != ERR_OK; i++) {
		code = b->driver->identify(b->ctx, &b->caps, &err);
	}
	if (code != ERR_OK) {
		fail_msg("identify: %s", err.text);
	}
}

static void end(struct bench *b)
{
	b->driver->close(b->ctx);
	free(b->ctx);
	upstream_stop(&b->server);
	clock_destroy(b->server.clock);
}

static void test_members(void **state)
{
	(void)state;
	struct bench b;
	begin(&b, &(struct upstream){.sensor_type = 2, .max_adu = 4095, .gain = 120});
	/* The numbers are those that alpaca_upstream.c answers. */
	assert_int_equal(b.caps.width, 31);
	assert_int_equal(b.caps.height, 22);
	assert_int_equal(b.caps.max_bin, 3);
	assert_true(b.caps.can_abort && b.caps.can_stop);
	assert_int_equal(b.caps.sensor_type, 2);
	assert_int_equal(b.caps.bayer_offset_x, 1);
	assert_int_equal(b.caps.frame_type, IMAGE_U16);
	assert_int_equal(b.caps.max_adu, 4095);
	assert_true(b.caps.pixel_um == 3.76 && b.caps.electrons_per_adu == 0.5);
	assert_true(b.caps.full_well_e != b.caps.full_well_e); /* not told: NAN */
	assert_true(b.caps.has_gain && b.caps.gain_default == 120 && b.caps.gain_max == 300);
	assert_true(!b.caps.has_offset && !b.caps.has_heatsink && !b.caps.can_pulse_guide && !b.caps.has_shutter);
	assert_true(b.caps.has_cooler && b.caps.has_cooler_power && !b.caps.cooler_on);
	assert_string_equal(b.caps.identity, "Test camera");
	end(&b);
}

static void test_the_type_of_a_frame_follows_from_the_highest_value(void **state)
{
	(void)state;
	static const struct {
		int max_adu;
		enum image_type type;
	} rows[] = {{255, IMAGE_U8}, {256, IMAGE_U16}, {65535, IMAGE_U16}, {65536, IMAGE_I32}};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct bench b;
		begin(&b, &(struct upstream){.max_adu = rows[i].max_adu});
		assert_int_equal(b.caps.frame_type, rows[i].type);
		end(&b);
	}
}

/* A frame as it was before, with the pixels of an exposure of 4 by 3. */
static struct frame *expose(struct bench *b, int planes)
{
	struct err err = {.text = ""};
	struct frame_info info = {.width = 4, .height = 3, .planes = planes, .bin = 1, .type = b->caps.frame_type};
	static const uint32_t nothing[4 * 3 * 3];
	struct frame *frame = frame_create(&info, nothing);
	struct exposure_request request = {
		.duration_s = 2, .light = true, .bin = 1, .start_x = 3, .start_y = 2, .num_x = 4, .num_y = 3};
	struct camera_reading reading;
	assert_int_equal(b->driver->start_exposure(b->ctx, &request, &err), ERR_OK);
	b->driver->lend_frame(b->ctx, frame);
	assert_int_equal(b->driver->poll(b->ctx, &reading, &err), ERR_OK);
	assert_int_equal(reading.state, CAMERA_DRIVER_EXPOSING);
	clock_fake_advance(b->server.clock, 2000);
	assert_int_equal(b->driver->poll(b->ctx, &reading, &err), ERR_OK);
	assert_int_equal(reading.state, CAMERA_DRIVER_READY);
	if (b->driver->read_lent(b->ctx, &info, &err) != ERR_OK) {
		fail_msg("read_lent: %s", err.text);
	}
	assert_true(info.exposure_s == 2.0);
	return frame;
}

/* Element i of the server's pictures is (7 i + 1) modulo max_adu + 1, in Alpaca's order, which is the frame's. */
static void test_pixels(void **state)
{
	(void)state;
	/* Codes of elements on the wire: Alpaca API reference, ImageBytes. */
	for (int element = 1; element <= 9; element++) {
		for (int planes = 1; planes <= 3; planes += 2) {
			if (element == 3 || element == 4) {
				continue; /* the server writes whole numbers only */
			}
			struct bench b;
			int max_adu = element == 6 ? 200 : 1000;
			begin(&b, &(struct upstream){
				.element = element, .planes = planes, .sensor_type = planes == 3, .max_adu = max_adu});
			struct frame *frame = expose(&b, planes);
			assert_int_equal(frame->count, 12 * planes);
			for (size_t i = 0; i < frame->count; i++) {
				double expected = (double)((7 * i + 1) % (size_t)(max_adu + 1));
				assert_true(image_element(frame->pixels, frame->info.type, i) == expected);
			}
			assert_int_equal(b.server.frame[2], 3);
			assert_int_equal(b.server.frame[3], 2);
			frame_unref(frame);
			end(&b);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_members),
		cmocka_unit_test(test_the_type_of_a_frame_follows_from_the_highest_value),
		cmocka_unit_test(test_pixels),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
