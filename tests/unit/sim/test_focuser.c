/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "focuser_driver.h"
#include "sim_host.h"
#include "sim_sky.h"

/* A connected focuser. */
struct rig {
	struct test_host host;
	const struct focuser_driver *driver;
	void *ctx;
	struct focuser_port port;
	struct focuser_caps caps;
};

static void rig_connect(struct rig *rig)
{
	struct err err;
	rig->ctx = calloc(1, rig->driver->ctx_size);
	assert_int_equal(rig->driver->open(rig->ctx, &rig->port, &rig->host.focuser, &err), ERR_OK);
	assert_int_equal(rig->driver->identify(rig->ctx, &rig->caps, &err), ERR_OK);
}

static void rig_disconnect(struct rig *rig)
{
	rig->driver->close(rig->ctx);
	free(rig->ctx);
}

static void rig_init(struct rig *rig, uint64_t seed)
{
	memset(rig, 0, sizeof *rig);
	test_host_init(&rig->host, seed);
	rig->driver = focuser_driver_find("simulator");
	assert_non_null(rig->driver);
}

static void rig_fini(struct rig *rig)
{
	rig_disconnect(rig);
	test_host_fini(&rig->host);
}

static struct focuser_reading look(struct rig *rig)
{
	struct focuser_reading reading;
	struct err err;
	unsigned want = FOCUSER_WANT_MOTION | FOCUSER_WANT_TEMPERATURE;
	assert_int_equal(rig->driver->poll(rig->ctx, want, &reading, &err), ERR_OK);
	assert_true(reading.position_valid && reading.moving_valid && reading.temperature_valid);
	return reading;
}

static struct sim_truth truth(struct rig *rig)
{
	struct sim_truth t;
	assert_true(sim_truth(&rig->host.focuser, 0, &t));
	return t;
}

static void go(struct rig *rig, int32_t target)
{
	struct err err;
	assert_int_equal(rig->driver->start_move(rig->ctx, target, &err), ERR_OK);
	clock_fake_advance(rig->host.focuser.clock, 60000);
	struct focuser_reading reading = look(rig);
	assert_false(reading.moving);
	assert_int_equal(reading.position, target);
}

static void test_the_night_begins_out_of_focus(void **state)
{
	(void)state;
	int inside = 0;
	int outside = 0;
	for (uint64_t seed = 1; seed <= 40; seed++) {
		struct rig rig;
		rig_init(&rig, seed);
		rig_connect(&rig);
		assert_int_equal(rig.caps.max_step, SIM_MAX_STEP);
		struct sim_truth t = truth(&rig);
		assert_true(t.best_position >= 0.25 * SIM_MAX_STEP);
		assert_true(t.best_position <= 0.75 * SIM_MAX_STEP);
		double units = (look(&rig).position - t.best_position) / t.unit_steps;
		assert_true(fabs(units) > 2.9 && fabs(units) < 8.1);
		inside += units < 0.0;
		outside += units > 0.0;
		rig_fini(&rig);
	}
	assert_true(inside >= 8 && outside >= 8);
}

/* A motor stays where it was when the server ended, within the range that it has this time; its last leg came from
 * smaller positions, so that the optics are where it is.  The best focus is the seed's. */
static void test_the_motor_begins_where_it_stood(void **state)
{
	(void)state;
	static const struct {
		int32_t stood, begins;
	} row[] = {{12345, 12345}, {0, 0}, {SIM_MAX_STEP, SIM_MAX_STEP}, {SIM_MAX_STEP + 1, SIM_MAX_STEP}, {-7, 0}};
	struct rig rig;
	rig_init(&rig, 9);
	rig.host.simulator.backlash_steps = 30;
	rig_connect(&rig);
	double best = truth(&rig).best_position;
	rig_fini(&rig);
	for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
		rig_init(&rig, 9);
		rig.host.simulator.backlash_steps = 30;
		rig.host.focuser.stood_known = true;
		rig.host.focuser.stood = row[i].stood;
		rig_connect(&rig);
		assert_int_equal(look(&rig).position, row[i].begins);
		assert_true(truth(&rig).optics_position == row[i].begins);
		assert_true(truth(&rig).best_position == best);
		/* Within one server the motor is where it is, whatever it once was. */
		int32_t target = row[i].begins == SIM_MAX_STEP ? 100 : row[i].begins + 100;
		go(&rig, target);
		rig_disconnect(&rig);
		rig_connect(&rig);
		assert_int_equal(look(&rig).position, target);
		rig_fini(&rig);
	}
}

static void test_a_configured_best_is_the_best(void **state)
{
	(void)state;
	struct rig rig;
	rig_init(&rig, 3);
	rig.host.simulator.best_position = 41.5;
	rig_connect(&rig);
	assert_true(truth(&rig).best_position == 41.5);
	/* At the very edge of the range the start is on the side that exists. */
	assert_true(look(&rig).position > 41);
	rig_fini(&rig);
}

static void test_same_seed_same_night(void **state)
{
	(void)state;
	int32_t position[3];
	double best[3];
	static const uint64_t seeds[3] = {11, 11, 12};
	for (int i = 0; i < 3; i++) {
		struct rig rig;
		rig_init(&rig, seeds[i]);
		rig_connect(&rig);
		position[i] = look(&rig).position;
		best[i] = truth(&rig).best_position;
		rig_fini(&rig);
	}
	assert_int_equal(position[0], position[1]);
	assert_true(best[0] == best[1]);
	assert_int_not_equal(position[0], position[2]);
	assert_true(best[0] != best[2]);
}

static void test_motion_takes_its_time(void **state)
{
	(void)state;
	struct rig rig;
	struct err err;
	rig_init(&rig, 1);
	rig.host.simulator.speed_steps_per_s = 200.0;
	rig.host.simulator.best_position = 15000.0;
	rig_connect(&rig);
	int32_t start = look(&rig).position;
	clock_fake_advance(rig.host.focuser.clock, 5000);
	assert_int_equal(look(&rig).position, start);
	assert_false(look(&rig).moving);

	assert_int_equal(rig.driver->start_move(rig.ctx, start + 1000, &err), ERR_OK);
	static const struct {
		int ms;
		int32_t position;
		bool moving;
	} row[] = {{0, 0, true}, {100, 20, true}, {2500, 500, true}, {4999, 999, true},
		{5000, 1000, false}, {9000, 1000, false}};
	int at = 0;
	for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
		clock_fake_advance(rig.host.focuser.clock, row[i].ms - at);
		at = row[i].ms;
		struct focuser_reading reading = look(&rig);
		assert_int_equal(reading.position - start, row[i].position);
		assert_int_equal(reading.moving, row[i].moving);
	}
	rig_fini(&rig);
}

static void test_halt_and_new_targets(void **state)
{
	(void)state;
	struct rig rig;
	struct err err;
	rig_init(&rig, 1);
	rig.host.simulator.speed_steps_per_s = 100.0;
	rig_connect(&rig);
	int32_t start = look(&rig).position;
	assert_int_equal(rig.driver->halt(rig.ctx, &err), ERR_OK);
	assert_int_equal(rig.driver->start_move(rig.ctx, start - 500, &err), ERR_OK);
	clock_fake_advance(rig.host.focuser.clock, 1000);
	assert_int_equal(rig.driver->halt(rig.ctx, &err), ERR_OK);
	assert_false(look(&rig).moving);
	assert_int_equal(look(&rig).position, start - 100);
	clock_fake_advance(rig.host.focuser.clock, 1000);
	assert_int_equal(look(&rig).position, start - 100);

	assert_int_equal(rig.driver->start_move(rig.ctx, start + 900, &err), ERR_OK);
	clock_fake_advance(rig.host.focuser.clock, 2000);
	assert_int_equal(rig.driver->start_move(rig.ctx, start, &err), ERR_OK);
	assert_true(look(&rig).moving);
	clock_fake_advance(rig.host.focuser.clock, 500);
	assert_int_equal(look(&rig).position, start + 50);
	clock_fake_advance(rig.host.focuser.clock, 500);
	assert_int_equal(look(&rig).position, start);
	assert_false(look(&rig).moving);

	assert_int_equal(rig.driver->start_move(rig.ctx, start, &err), ERR_OK);
	assert_false(look(&rig).moving);
	assert_int_equal(rig.driver->start_move(rig.ctx, -1, &err), ERR_REFUSED);
	assert_int_equal(rig.driver->start_move(rig.ctx, SIM_MAX_STEP + 1, &err), ERR_REFUSED);
	rig_fini(&rig);
}

static void test_a_reconnect_finds_everything_in_place(void **state)
{
	(void)state;
	struct rig rig;
	struct err err;
	rig_init(&rig, 5);
	rig.host.simulator.speed_steps_per_s = 100.0;
	rig.host.simulator.backlash_steps = 30;
	rig_connect(&rig);
	int32_t start = look(&rig).position;
	double best = truth(&rig).best_position;
	go(&rig, start + 400);
	double optics = truth(&rig).optics_position;
	rig_disconnect(&rig);
	rig_connect(&rig);
	assert_int_equal(look(&rig).position, start + 400);
	assert_true(truth(&rig).optics_position == optics);
	assert_true(truth(&rig).best_position == best);

	/* A cable pulled in mid move does not stop the motor. */
	assert_int_equal(rig.driver->start_move(rig.ctx, start, &err), ERR_OK);
	clock_fake_advance(rig.host.focuser.clock, 1000);
	rig_disconnect(&rig);
	rig_connect(&rig);
	assert_int_equal(look(&rig).position, start + 300);
	assert_true(look(&rig).moving);
	rig_fini(&rig);
}

/* B = 40, moves +100, -30, -30, +10 from gears whose whole backlash lies before a move out: the optics
 * move +60, 0, -20, 0.  Worked out by hand from the model of an offset within 0..B. */
static void test_backlash(void **state)
{
	(void)state;
	static const struct {
		int32_t move;
		double optics;
	} row[] = {{100, 60.0}, {-30, 0.0}, {-30, -20.0}, {10, 0.0}};
	struct rig rig;
	rig_init(&rig, 1);
	rig.host.simulator.backlash_steps = 40;
	rig_connect(&rig);
	int32_t at = look(&rig).position;
	double before = truth(&rig).optics_position;
	for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
		at += row[i].move;
		go(&rig, at);
		double after = truth(&rig).optics_position;
		assert_true(after - before == row[i].optics);
		before = after;
	}
	/* Arrived outwards, motor and optics read alike: the best is what that approach finds. */
	go(&rig, at + 500);
	assert_true(truth(&rig).optics_position == at + 500);
	/* Half way through a move the same rule holds. */
	struct err err;
	assert_int_equal(rig.driver->start_move(rig.ctx, 0, &err), ERR_OK);
	clock_fake_advance(rig.host.focuser.clock, 20);
	int32_t gone = at + 500 - look(&rig).position;
	assert_true(gone > 0 && gone < 40);
	assert_true(truth(&rig).optics_position == at + 500);
	rig_fini(&rig);
}

static void test_slip(void **state)
{
	(void)state;
	struct rig rig;
	rig_init(&rig, 1);
	rig.host.simulator.slip_steps = 7;
	rig_connect(&rig);
	int32_t start = look(&rig).position;
	double optics = truth(&rig).optics_position;
	static const struct {
		int32_t to;
		double optics;
	} row[] = {{100, 93.0}, {200, 186.0}, {150, 143.0}, {153, 143.0}};
	for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
		go(&rig, start + row[i].to);
		assert_true(truth(&rig).optics_position - optics == row[i].optics);
	}
	rig_fini(&rig);
}

static void test_temperature_and_drift(void **state)
{
	(void)state;
	struct rig rig;
	rig_init(&rig, 9);
	rig.host.simulator.temperature_c = 4.0;
	rig.host.simulator.drift_um_per_c = 60.0;
	rig.host.simulator.best_position = 10000.0;
	rig_connect(&rig);
	assert_true(fabs(look(&rig).temperature_c - 4.0) < 0.1);
	assert_true(truth(&rig).best_position == 10000.0);
	double last = 10000.0;
	for (int i = 0; i < 10; i++) {
		clock_fake_advance(rig.host.focuser.clock, 3600 * 1000);
		double best = truth(&rig).best_position;
		assert_true(best < last);
		last = best;
	}
	/* After ten hours the air has cooled by 3 degrees but for exp(-5), the tube follows by 20
	 * minutes; 60 um at 3 um a step are 20 steps a degree. */
	assert_true(fabs(look(&rig).temperature_c - 1.0) < 0.4);
	assert_true(fabs(last - (10000.0 - 60.0)) < 1.0);
	rig_fini(&rig);
}

static void test_the_tube_lags(void **state)
{
	(void)state;
	struct rig rig;
	rig_init(&rig, 9);
	struct sim_settings settings;
	sim_settings_init(&settings, &rig.host.focuser, 0);
	for (double t = 600.0; t < 20000.0; t += 600.0) {
		assert_true(sim_tube_c(&settings, t) > settings.temperature_c
			- 3.0 * (1.0 - exp(-t / 7200.0)));
		assert_true(sim_tube_c(&settings, t) < sim_tube_c(&settings, t - 600.0));
	}
	assert_true(sim_tube_c(&settings, 0.0) == settings.temperature_c);
	test_host_fini(&rig.host);
}

static void test_capabilities(void **state)
{
	(void)state;
	struct rig rig;
	rig_init(&rig, 1);
	rig.port.max_step = 5000;
	rig.host.focuser.step_size_um = 1.25;
	rig_connect(&rig);
	assert_int_equal(rig.caps.max_step, 5000);
	assert_int_equal(rig.caps.max_increment, 5000);
	assert_true(rig.caps.step_size_um == 1.25);
	assert_true(rig.caps.has_temperature);
	assert_false(rig.caps.has_tempcomp);
	assert_null(rig.driver->set_tempcomp);
	/* The whole range in under 30 s. */
	struct err err;
	assert_int_equal(rig.driver->start_move(rig.ctx, 0, &err), ERR_OK);
	clock_fake_advance(rig.host.focuser.clock, 30000);
	assert_int_equal(rig.driver->start_move(rig.ctx, 5000, &err), ERR_OK);
	clock_fake_advance(rig.host.focuser.clock, 30000);
	assert_int_equal(look(&rig).position, 5000);
	rig_fini(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_night_begins_out_of_focus),
		cmocka_unit_test(test_the_motor_begins_where_it_stood),
		cmocka_unit_test(test_a_configured_best_is_the_best),
		cmocka_unit_test(test_same_seed_same_night),
		cmocka_unit_test(test_motion_takes_its_time),
		cmocka_unit_test(test_halt_and_new_targets),
		cmocka_unit_test(test_a_reconnect_finds_everything_in_place),
		cmocka_unit_test(test_backlash),
		cmocka_unit_test(test_slip),
		cmocka_unit_test(test_temperature_and_drift),
		cmocka_unit_test(test_the_tube_lags),
		cmocka_unit_test(test_capabilities),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
