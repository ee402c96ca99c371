/* SPDX-License-Identifier: MIT */
/*
 * What every camera driver has to keep, tried with each row of rows.c.  The rules are those of
 * drivers/include/camera_driver.h.  Nothing waits for a fixed time: loops end when the driver says so.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bench.h"

#define SIMULATED_S 2.0
/* The same on a clock that nobody can turn. */
#define REAL_S 0.2

/* How long an exposure of this driver lasts here. */
static double duration_s(const struct camera_bench *b)
{
	return b->driver->simulated ? SIMULATED_S : REAL_S;
}

static void for_each(bool watches, void (*test)(const struct camera_row *row))
{
	for (const struct camera_row *row = camera_rows; row->driver != NULL; row++) {
		const struct camera_driver *driver = camera_driver_find(row->driver);
		if (driver != NULL && (driver->mode == CAMERA_WATCHED) == watches) {
			test(row);
		}
	}
}

/* With all cameras that expose. */
static void for_all(void (*test)(const struct camera_row *row))
{
	for_each(false, test);
}

static void test_every_driver_has_a_row(void **state)
{
	(void)state;
	for (size_t i = 0; camera_drivers[i] != NULL; i++) {
		const struct camera_row *row = camera_rows;
		while (row->driver != NULL && strcmp(row->driver, camera_drivers[i]->name) != 0) {
			row++;
		}
		if (row->driver == NULL) {
			fail_msg("%s has no row in contract_camera/rows.c", camera_drivers[i]->name);
		}
	}
}

/* ---- what it says of itself ---- */

static void check_table(const struct camera_bench *b)
{
	const struct camera_driver *d = b->driver;
	CHECK(b, d->name[0] != '\0' && d->title[0] != '\0');
	CHECK(b, d->open != NULL && d->close != NULL && d->start_exposure != NULL && d->poll != NULL
		&& d->abort != NULL);
	CHECK(b, (d->lend_frame != NULL) == (d->read_lent != NULL));
	CHECK(b, (d->read_frame != NULL) != (d->lend_frame != NULL));
	CHECK(b, !b->caps.can_stop || d->stop != NULL);
	/* What goes on by itself has to be watched. */
	const struct camera_caps *c = &b->caps;
	bool climate = c->has_temperature || c->has_heatsink || c->has_cooler || c->has_cooler_power
		|| c->can_pulse_guide;
	CHECK(b, !climate || d->poll_climate != NULL);
	CHECK(b, !c->has_cooler || d->set_cooler != NULL);
	CHECK(b, !c->can_pulse_guide || d->pulse_guide != NULL);
}

static void facts_are_sane(const struct camera_row *row)
{
	struct camera_bench b;
	bench_open(&b, row);
	check_table(&b);
	const struct camera_caps *c = &b.caps;
	CHECK(&b, c->width > 0 && c->height > 0 && c->max_bin >= 1);
	CHECK(&b, c->max_bin <= c->width && c->max_bin <= c->height);
	CHECK(&b, c->frame_type == row->type && camera_planes(c) == row->planes);
	CHECK(&b, c->max_adu >= 0);
	CHECK(&b, c->frame_type != IMAGE_U8 || c->max_adu <= UINT8_MAX);
	CHECK(&b, c->frame_type != IMAGE_U16 || c->max_adu <= UINT16_MAX);
	/* Of whole numbers it is known: at worst the highest of the type. */
	CHECK(&b, image_type_is_float(c->frame_type) || c->max_adu >= 1);
	CHECK(&b, c->sensor_type >= 0 && c->sensor_type <= 2);
	CHECK(&b, c->bayer_offset_x >= 0 && c->bayer_offset_x <= 1 && c->bayer_offset_y >= 0 && c->bayer_offset_y <= 1);
	CHECK(&b, c->identity[0] != '\0' && memchr(c->identity, '\0', sizeof c->identity) != NULL);
	CHECK(&b, memchr(c->sensor_name, '\0', sizeof c->sensor_name) != NULL);
	CHECK(&b, !(c->pixel_um <= 0));
	CHECK(&b, c->exposure_min_s >= 0 && c->exposure_max_s > c->exposure_min_s && c->exposure_resolution_s >= 0);
	CHECK(&b, !(c->electrons_per_adu <= 0) && !(c->full_well_e <= 0));
	CHECK(&b, !c->has_gain || (c->gain_min <= c->gain_default && c->gain_default <= c->gain_max));
	CHECK(&b, !c->has_offset || (c->offset_min <= c->offset_default && c->offset_default <= c->offset_max));
	CHECK(&b, c->readout_modes != NULL && c->readout_modes[0] != NULL && c->readout_modes[0][0] != '\0');
	CHECK(&b, !c->can_fast_readout || c->readout_modes[1] == NULL);
	CHECK(&b, !c->has_cooler || (c->set_point_min_c <= c->set_point_default_c
		&& c->set_point_default_c <= c->set_point_max_c));
	/* The same camera says the same. */
	struct camera_caps before = *c;
	bench_reopen(&b);
	CHECK(&b, strcmp(before.identity, c->identity) == 0 && before.width == c->width && before.height == c->height);
	CHECK(&b, before.frame_type == c->frame_type && before.max_adu == c->max_adu);
	/* Nothing is exposed because somebody connects. */
	CHECK(&b, bench_state(&b) == CAMERA_DRIVER_IDLE);
	bench_close(&b);
}

static void opening_fails_with_a_sentence(const struct camera_row *row)
{
	struct camera_bench b;
	struct err err = {.text = ""};
	if (row->ruin == NULL) {
		return;
	}
	bench_prepare(&b, row);
	struct camera_port good = b.setting.port;
	row->ruin(&b.setting);
	bench_check_err(&b, bench_try_open(&b, &err), &err);
	/* Core closes what did not open, and tries again later. */
	b.driver->close(b.ctx);
	b.setting.port = good;
	CHECK(&b, bench_try_open(&b, &err) == ERR_OK);
	struct exposure_request request = bench_request(&b, duration_s(&b));
	bench_expose(&b, &request);
	bench_close(&b);
}

/* ---- an exposure ---- */

static void an_exposure_goes_its_way(const struct camera_row *row)
{
	struct camera_bench b;
	struct frame_info info;
	struct err err = {.text = ""};
	bench_open(&b, row);
	CHECK(&b, bench_state(&b) == CAMERA_DRIVER_IDLE);
	struct exposure_request request = bench_request(&b, duration_s(&b));
	CHECK(&b, bench_start(&b, &request) == ERR_OK);
	CHECK(&b, bench_state(&b) == CAMERA_DRIVER_EXPOSING);
	/* One at a time. */
	enum err_code code = b.driver->start_exposure(b.ctx, &request, &err);
	CHECK(&b, code == ERR_INVALID_OPERATION);
	bench_check_err(&b, code, &err);
	/* Too early: an error that costs nothing. */
	CHECK(&b, bench_read(&b, &info) == ERR_INVALID_OPERATION);
	int64_t began_ms = clock_now_ms(b.setting.host.camera.clock);
	bench_until(&b, CAMERA_DRIVER_READY);
	/* Light was collected for as long as was asked for. */
	CHECK(&b, clock_now_ms(b.setting.host.camera.clock) - began_ms >= (int64_t)(1000 * duration_s(&b)));
	CHECK(&b, bench_read(&b, &info) == ERR_OK);
	CHECK(&b, bench_state(&b) == CAMERA_DRIVER_IDLE);
	/* A frame is read once. */
	CHECK(&b, bench_read(&b, &info) == ERR_INVALID_OPERATION);
	CHECK(&b, bench_state(&b) == CAMERA_DRIVER_IDLE);
	bench_expose(&b, &request);
	bench_close(&b);
}

static void durations_outside_are_refused(const struct camera_row *row)
{
	struct camera_bench b;
	bench_open(&b, row);
	const double outside[] = {-1, NAN, 2 * b.caps.exposure_max_s, INFINITY};
	for (size_t i = 0; i < sizeof outside / sizeof outside[0]; i++) {
		struct exposure_request request = bench_request(&b, outside[i]);
		CHECK(&b, bench_start(&b, &request) == ERR_INVALID_VALUE);
		CHECK(&b, bench_state(&b) == CAMERA_DRIVER_IDLE);
	}
	/* The shortest bias is inside. */
	struct exposure_request bias = bench_request(&b, 0);
	bias.light = false;
	bench_expose(&b, &bias);
	bench_close(&b);
}

/* Counts elements that still are what stood in memory before, in b->frame. */
static void note_untouched(const struct camera_bench *b, bool *touched)
{
	size_t size = image_type_size(b->caps.frame_type);
	const unsigned char *at = b->frame->pixels;
	for (size_t i = 0; i < b->frame->count; i++, at += size) {
		for (size_t k = 0; k < size; k++) {
			touched[i] |= at[k] != b->prefill;
		}
	}
}

/* Every element of a frame of this shape is written, by one of two exposures over different memory: an element that
 * happens to be what was there before is something else in the other. */
static void expose_exactly(struct camera_bench *b, const struct exposure_request *request)
{
	size_t count = (size_t)request->num_x * (size_t)request->num_y * (size_t)camera_planes(&b->caps);
	bool *touched = calloc(count, sizeof *touched);
	CHECK(b, touched != NULL);
	static const unsigned char prefills[] = {0xA5, 0x5A};
	for (size_t i = 0; i < sizeof prefills; i++) {
		b->prefill = prefills[i];
		bench_expose(b, request);
		CHECK(b, b->frame->count == count);
		note_untouched(b, touched);
	}
	for (size_t i = 0; i < count; i++) {
		if (!touched[i]) {
			bench_fail(b, "element %zu of %zu is not filled at bin %d, %dx%d from %d, %d", i, count,
				request->bin, (int)request->num_x, (int)request->num_y, (int)request->start_x,
				(int)request->start_y);
		}
	}
	free(touched);
}

static void frames_are_exact(const struct camera_row *row)
{
	struct camera_bench b;
	bench_open(&b, row);
	for (int bin = 1; bin <= b.caps.max_bin; bin++) {
		int32_t wide = b.caps.width / bin;
		int32_t high = b.caps.height / bin;
		/* The whole; a part at odd places; a row; a column; the last pixel. */
		const int32_t part[][4] = {{0, 0, wide, high}, {3, 5, wide - 7, high - 6}, {0, high - 1, wide, 1},
			{wide - 1, 0, 1, high}, {wide - 1, high - 1, 1, 1}};
		for (size_t i = 0; i < sizeof part / sizeof part[0]; i++) {
			struct exposure_request request = bench_request(&b, b.driver->simulated ? 0.1 : 0.01);
			request.bin = bin;
			request.start_x = part[i][0];
			request.start_y = part[i][1];
			request.num_x = part[i][2];
			request.num_y = part[i][3];
			expose_exactly(&b, &request);
		}
	}
	bench_close(&b);
}

/* ---- ends before the end ---- */

/* Where an exposure is interrupted. */
enum phase { BEFORE_THE_FIRST_POLL, EXPOSING, READING, READY, PHASES };

/* Brings an exposure there; false where this camera has no such phase, and the exposure is at its end. */
static bool bring_to(struct camera_bench *b, enum phase phase)
{
	struct exposure_request request = bench_request(b, duration_s(b));
	CHECK(b, bench_start(b, &request) == ERR_OK);
	switch (phase) {
	case BEFORE_THE_FIRST_POLL:
		break;
	case EXPOSING:
		bench_until(b, CAMERA_DRIVER_EXPOSING);
		bench_pass(b, (int64_t)(500 * duration_s(b)));
		return bench_state(b) == CAMERA_DRIVER_EXPOSING;
	case READING:
		bench_pass(b, (int64_t)(1000 * duration_s(b)));
		return bench_state(b) == CAMERA_DRIVER_READING;
	default:
		bench_until(b, CAMERA_DRIVER_READY);
		break;
	}
	return true;
}

/* An abort ends it in every phase, is fine when idle, urgent or not; the frame that was lent is nobody's any more. */
static void an_abort_ends_every_phase(const struct camera_row *row)
{
	struct camera_bench b;
	bench_open(&b, row);
	bench_abort(&b);
	struct exposure_request request = bench_request(&b, 0.1);
	for (int phase = 0; phase < PHASES; phase++) {
		b.prefill = 0;
		(void)bring_to(&b, (enum phase)phase);
		struct frame *kept = b.lent != NULL ? frame_ref(b.lent) : NULL;
		b.urgent = phase % 2 == 1;
		bench_abort(&b);
		b.urgent = false;
		size_t bytes = kept != NULL ? kept->count * image_type_size(kept->info.type) : 0;
		void *then = malloc(bytes + 1);
		CHECK(&b, then != NULL);
		memcpy(then, kept != NULL ? kept->pixels : "", bytes);
		/* A whole exposure later whatever the driver still had in hand would be done. */
		bench_expose(&b, &request);
		CHECK(&b, kept == NULL || memcmp(then, kept->pixels, bytes) == 0);
		free(then);
		frame_unref(kept);
	}
	bench_close(&b);
}

/* The link may be lost, and come back, in every phase. */
static void closing_ends_every_phase(const struct camera_row *row)
{
	struct camera_bench b;
	bench_open(&b, row);
	struct exposure_request request = bench_request(&b, 0.1);
	for (int phase = 0; phase < PHASES; phase++) {
		(void)bring_to(&b, (enum phase)phase);
		bench_reopen(&b);
		CHECK(&b, bench_state(&b) == CAMERA_DRIVER_IDLE);
		bench_expose(&b, &request);
	}
	bench_close(&b);
}

/* A stop keeps what was collected; late or without an exposure it does nothing. */
static void a_stop_delivers_what_there_is(const struct camera_row *row)
{
	struct camera_bench b;
	struct frame_info info;
	struct err err = {.text = ""};
	bench_open(&b, row);
	if (!b.caps.can_stop) {
		bench_close(&b);
		return;
	}
	CHECK(&b, b.driver->stop(b.ctx, &err) == ERR_OK);
	CHECK(&b, bench_state(&b) == CAMERA_DRIVER_IDLE);
	for (int phase = 0; phase < PHASES; phase++) {
		bool there = bring_to(&b, (enum phase)phase);
		int64_t stopped_ms = clock_now_ms(b.setting.host.camera.clock);
		bench_begins(&b, "stop");
		CHECK(&b, b.driver->stop(b.ctx, &err) == ERR_OK);
		bench_ends(&b);
		bench_until(&b, CAMERA_DRIVER_READY);
		/* In the middle: the half that was left is not waited for. */
		int64_t waited_ms = clock_now_ms(b.setting.host.camera.clock) - stopped_ms;
		CHECK(&b, phase != EXPOSING || (there && waited_ms < (int64_t)(500 * duration_s(&b))));
		CHECK(&b, bench_read(&b, &info) == ERR_OK);
		CHECK(&b, info.width == b.caps.width && info.height == b.caps.height);
		CHECK(&b, info.exposure_s <= duration_s(&b));
		CHECK(&b, bench_state(&b) == CAMERA_DRIVER_IDLE);
	}
	bench_close(&b);
}

/* While something urgent waits a read-out may give up, and says so; an exposure afterwards is whole. Of a frame that
 * was lent and that a driver made itself nothing is missing any more, so there is nothing to give up. */
static void what_is_urgent_goes_first(const struct camera_row *row)
{
	struct camera_bench b;
	struct frame_info info;
	bench_open(&b, row);
	struct exposure_request request = bench_request(&b, duration_s(&b));
	CHECK(&b, bench_start(&b, &request) == ERR_OK);
	bench_until(&b, CAMERA_DRIVER_READY);
	b.urgent = true;
	bench_begins(&b, "read-out while something is urgent");
	enum err_code code = bench_read(&b, &info);
	bench_ends(&b);
	bool whole = b.driver->lend_frame != NULL && b.driver->simulated;
	CHECK(&b, code == ERR_OK || (code == ERR_CANCELLED && !whole));
	bench_abort(&b);
	b.urgent = false;
	bench_expose(&b, &request);
	bench_close(&b);
}

/* A read-out that fails is told, and leaves a camera that can be used again. */
static void failures_are_told(const struct camera_row *row)
{
	struct camera_bench b;
	struct frame_info info;
	bench_open(&b, row);
	if (row->spoil != NULL) {
		row->spoil(&b.setting);
		bench_reopen(&b);
		struct exposure_request request = bench_request(&b, duration_s(&b));
		for (int i = 0; i < 2; i++) {
			CHECK(&b, bench_start(&b, &request) == ERR_OK);
			bench_until(&b, CAMERA_DRIVER_READY);
			CHECK(&b, bench_read(&b, &info) != ERR_OK);
			/* As core does, wherever it got stuck. */
			bench_abort(&b);
		}
	}
	bench_close(&b);
}

/* ---- cooler and guide port ---- */

static struct camera_climate climate_of(struct camera_bench *b)
{
	struct camera_climate climate = {.sensor_c = NAN, .heatsink_c = NAN, .power_percent = NAN};
	struct err err = {.text = ""};
	bench_begins(b, "poll_climate");
	if (b->driver->poll_climate(b->ctx, &climate, &err) != ERR_OK) {
		bench_fail(b, "%s", err.text);
	}
	bench_ends(b);
	const struct camera_caps *c = &b->caps;
	CHECK(b, isfinite(climate.sensor_c) == c->has_temperature && isfinite(climate.heatsink_c) == c->has_heatsink);
	CHECK(b, isfinite(climate.power_percent) == c->has_cooler_power);
	CHECK(b, !c->has_temperature || (climate.sensor_c > -100 && climate.sensor_c < 80));
	CHECK(b, !c->has_cooler_power || (climate.power_percent >= 0 && climate.power_percent <= 100));
	CHECK(b, climate.next_poll_ms >= 0);
	return climate;
}

/* Switched on, also in the middle of an exposure, it comes nearer to the set point; switched off it does not stay. */
static void the_cooler_cools(const struct camera_row *row)
{
	struct camera_bench b;
	struct err err = {.text = ""};
	bench_open(&b, row);
	if (b.caps.has_cooler) {
		double warm_c = climate_of(&b).sensor_c;
		double set_point_c = fmax(b.caps.set_point_min_c, warm_c - 10);
		CHECK(&b, bring_to(&b, EXPOSING));
		bench_begins(&b, "set_cooler");
		CHECK(&b, b.driver->set_cooler(b.ctx, true, set_point_c, &err) == ERR_OK);
		bench_ends(&b);
		bench_abort(&b);
		for (int minute = 0; minute < 30; minute++) {
			bench_pass(&b, 60000);
			(void)climate_of(&b);
		}
		double cold_c = climate_of(&b).sensor_c;
		CHECK(&b, !b.caps.has_temperature || (cold_c < warm_c - 5 && cold_c > set_point_c - 2));
		CHECK(&b, !b.caps.has_cooler_power || climate_of(&b).power_percent > 0);
		CHECK(&b, b.driver->set_cooler(b.ctx, false, set_point_c, &err) == ERR_OK);
		bench_pass(&b, 600000);
		CHECK(&b, !b.caps.has_temperature || climate_of(&b).sensor_c > cold_c + 1);
		CHECK(&b, !b.caps.has_cooler_power || climate_of(&b).power_percent == 0);
	}
	bench_close(&b);
}

static void pulse(struct camera_bench *b, enum camera_guide direction, int32_t ms)
{
	struct err err = {.text = ""};
	bench_begins(b, "pulse_guide");
	if (b->driver->pulse_guide(b->ctx, direction, ms, &err) != ERR_OK) {
		bench_fail(b, "%s", err.text);
	}
	bench_ends(b);
}

/* A pulse lasts as long as it was told, also during an exposure; along the same axis the newer one counts, one along
 * the other axis goes on beside it. */
static void pulses_last_as_told(const struct camera_row *row)
{
	struct camera_bench b;
	bench_open(&b, row);
	if (b.caps.can_pulse_guide) {
		CHECK(&b, !climate_of(&b).guiding);
		static const enum camera_guide all[] = {CAMERA_NORTH, CAMERA_SOUTH, CAMERA_EAST, CAMERA_WEST};
		for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
			pulse(&b, all[i], 1000);
			CHECK(&b, climate_of(&b).guiding);
			bench_pass(&b, 2000);
			CHECK(&b, !climate_of(&b).guiding);
		}
		CHECK(&b, bring_to(&b, EXPOSING));
		pulse(&b, CAMERA_NORTH, 60000);
		pulse(&b, CAMERA_EAST, 1000);
		bench_pass(&b, 2000);
		CHECK(&b, climate_of(&b).guiding);
		pulse(&b, CAMERA_SOUTH, 1000);
		bench_pass(&b, 2000);
		CHECK(&b, !climate_of(&b).guiding);
		bench_abort(&b);
	}
	bench_close(&b);
}

/* ---- a camera that watches ---- */

/* It says that it cannot expose, and refuses to in every way; what comes is handed over once, whole; it can be closed
 * and opened at any moment, and after a failed open. */
static void nothing_is_exposed(const struct camera_row *row)
{
	struct camera_bench b;
	struct err err = {.text = ""};
	bench_prepare(&b, row);
	struct camera_port good = b.setting.port;
	row->ruin(&b.setting);
	bench_check_err(&b, bench_try_open(&b, &err), &err);
	b.driver->close(b.ctx);
	b.setting.port = good;
	CHECK(&b, bench_try_open(&b, &err) == ERR_OK);
	check_table(&b);
	CHECK(&b, b.caps.expose_refusal[0] != '\0' && !b.caps.can_abort && !b.caps.can_stop);
	CHECK(&b, b.caps.readout_modes != NULL && b.caps.identity[0] != '\0' && b.caps.max_bin >= 1);
	CHECK(&b, b.driver->take_arrived != NULL && b.driver->posted != NULL);
	struct exposure_request request = {.duration_s = 1, .light = true, .bin = 1, .num_x = 1, .num_y = 1};
	bench_begins(&b, "start_exposure");
	CHECK(&b, b.driver->start_exposure(b.ctx, &request, &err) == ERR_INVALID_OPERATION);
	bench_ends(&b);
	CHECK(&b, bench_state(&b) == CAMERA_DRIVER_IDLE);
	bench_abort(&b);
	unsigned char pixel[8];
	struct frame_info info;
	CHECK(&b, b.driver->read_frame(b.ctx, pixel, 1, &info, &err) == ERR_INVALID_OPERATION);
	struct camera_arrival arrival;
	while (!b.driver->take_arrived(b.ctx, &arrival)) {
		CHECK(&b, b.driver->posted(b.ctx, NULL, 0, &err) == ERR_OK);
		bench_pass(&b, 10);
	}
	CHECK(&b, arrival.frame != NULL && arrival.file[0] != '\0' && arrival.begun_ms <= arrival.seen_ms);
	CHECK(&b, arrival.frame->info.width > 0 && arrival.frame->info.planes == row->planes);
	CHECK(&b, arrival.frame->info.type == row->type && arrival.frame->max_value > 0);
	frame_unref(arrival.frame);
	CHECK(&b, !b.driver->take_arrived(b.ctx, &arrival));
	bench_reopen(&b);
	bench_close(&b);
}

#define RULE(rule)                            \
	static void test_##rule(void **state) \
	{                                     \
		(void)state;                  \
		for_all(rule);                \
	}

RULE(facts_are_sane)
RULE(opening_fails_with_a_sentence)
RULE(an_exposure_goes_its_way)
RULE(durations_outside_are_refused)
RULE(frames_are_exact)
RULE(an_abort_ends_every_phase)
RULE(closing_ends_every_phase)
RULE(a_stop_delivers_what_there_is)
RULE(what_is_urgent_goes_first)
RULE(failures_are_told)
RULE(the_cooler_cools)
RULE(pulses_last_as_told)

static void test_nothing_is_exposed(void **state)
{
	(void)state;
	for_each(true, nothing_is_exposed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_driver_has_a_row),
		cmocka_unit_test(test_facts_are_sane),
		cmocka_unit_test(test_opening_fails_with_a_sentence),
		cmocka_unit_test(test_an_exposure_goes_its_way),
		cmocka_unit_test(test_durations_outside_are_refused),
		cmocka_unit_test(test_frames_are_exact),
		cmocka_unit_test(test_an_abort_ends_every_phase),
		cmocka_unit_test(test_closing_ends_every_phase),
		cmocka_unit_test(test_a_stop_delivers_what_there_is),
		cmocka_unit_test(test_what_is_urgent_goes_first),
		cmocka_unit_test(test_failures_are_told),
		cmocka_unit_test(test_the_cooler_cools),
		cmocka_unit_test(test_pulses_last_as_told),
		cmocka_unit_test(test_nothing_is_exposed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
