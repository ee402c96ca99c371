/* SPDX-License-Identifier: MIT */
/*
 * What clients are answered at the moment when a link has come up: they ask once, right after connecting, and believe
 * it all night. Expectations are those of the contract (section 8, points 6 and 8): everything was read once, or is
 * known to be silent, and a connect is answered in time whatever is silent.
 */
#include "core_fixture.h"

/* Impatient clients, so that a silent sensor costs a test less than a second. */
static const struct device_patience impatient = {
	.connect_answer_ms = 1000,
	.tell_ms = 5000,
	.lost_grace_ms = 60000,
	.temperature_told_ms = 900000,
	.client_quiet_ms = 600000,
};

static enum err_code temperature(struct fixture *f, double *out)
{
	struct err err;
	return focuser_temperature(f->focuser, out, &err);
}

static void a_slow_probe_is_read_before_the_link_is_up(void **state)
{
	struct fixture *f = *state;
	fake.temperature_late = 3;
	start(f);
	double celsius = NAN;
	assert_int_equal(temperature(f, &celsius), ERR_OK);
	assert_float_equal(celsius, 11.5, 1e-9);
	assert_int_equal(fake.temperature_alone, 4);
}

/* A DS18B20 says 85 until its first conversion is over (Maxim 19-7487). */
static void a_probe_that_just_got_power_is_asked_again(void **state)
{
	struct fixture *f = *state;
	fake.temperature_waking = 2;
	start(f);
	double celsius = NAN;
	assert_int_equal(temperature(f, &celsius), ERR_OK);
	assert_float_equal(celsius, 11.5, 1e-9);
}

/* The connect succeeds by the time that it is promised, and not by the way of "still trying". */
static void a_silent_probe_does_not_keep_a_client_waiting(void **state)
{
	struct fixture *f = *state;
	f->patience = &impatient;
	start(f);
	struct err err;
	bool closing;
	uint64_t ticket;
	device_disconnect(f->focuser, &alice, &closing, &err);
	wait_for(f, focuser_down);
	fake.temperature_late = 1000000;
	device_connect(f->focuser, &alice, &ticket, &err);
	enum err_code result = ERR_INTERNAL;
	while (!device_connect_done(f->focuser, ticket, &result, &err)) {
		pthread_mutex_lock(&news_lock);
		clock_wait(clock_real(), &news, &news_lock, clock_now_ms(clock_real()) + 20);
		pthread_mutex_unlock(&news_lock);
	}
	assert_int_equal(result, ERR_OK);
	assert_true(device_connected(f->focuser, &alice));
	double celsius;
	assert_int_equal(temperature(f, &celsius), ERR_VALUE_NOT_SET);
	assert_true(fake.temperature_alone > 2);
}

/* A wire that is off is known after one answer. */
static void a_probe_without_wire_is_not_waited_for(void **state)
{
	struct fixture *f = *state;
	fake.temperature_c = -127.0;
	start(f);
	double celsius;
	assert_int_equal(temperature(f, &celsius), ERR_VALUE_NOT_SET);
	assert_int_equal(fake.temperature_alone, 1);
}

/* Where the temperature comes from elsewhere, the probe is not asked, and nothing is waited for. */
static void an_outside_source_is_not_waited_for(void **state)
{
	struct fixture *f = *state;
	f->config.focuser[0].temperature_source = CONFIG_TEMPERATURE_ACTION;
	fake.temperature_late = 1000000;
	start(f);
	double celsius;
	assert_int_equal(temperature(f, &celsius), ERR_VALUE_NOT_SET);
	assert_int_equal(fake.temperature_alone, 0);
}

/* A motor that runs may have to be stopped, which needs the link. */
static void a_motor_that_runs_is_linked_before_its_probe_has_spoken(void **state)
{
	struct fixture *f = *state;
	fake.says_moving = true;
	fake.temperature_late = 1000000;
	start(f);
	assert_int_equal(fake.temperature_alone, 0);
}

static bool relinked(struct fixture *f)
{
	return focuser_up(f) && fake.open_count > 1;
}

static void a_halt_that_is_owed_does_not_wait_for_a_probe(void **state)
{
	struct fixture *f = *state;
	fake.speed = 20;
	start(f);
	struct err err;
	assert_int_equal(focuser_move(f->focuser, 9000, &err), ERR_OK);
	wait_for(f, leg_started);
	fake.gone = true;
	wait_for(f, lost);
	assert_int_equal(focuser_halt(f->focuser, &err), ERR_IO);
	fake.temperature_alone = 0;
	fake.temperature_late = 1000000;
	fake.gone = false;
	wait_for(f, relinked);
	assert_int_equal(fake.temperature_alone, 0);
}

static void a_slow_camera_is_read_before_the_link_is_up(void **state)
{
	struct fixture *f = *state;
	fake.climate_late = 3;
	start(f);
	struct camera_state c;
	camera_state(f->camera, &c);
	assert_float_equal(c.sensor_c, 11.0, 1e-9);
	assert_float_equal(c.heatsink_c, 12.0, 1e-9);
}

static void a_silent_camera_sensor_does_not_keep_a_client_waiting(void **state)
{
	struct fixture *f = *state;
	f->patience = &impatient;
	fake.climate_late = 1000000;
	start(f);
	struct camera_state c;
	camera_state(f->camera, &c);
	assert_float_equal(c.sensor_c, 11.0, 1e-9);
	assert_true(isnan(c.heatsink_c));
	assert_true(fake.climate_count > 2);
}

/* A cooler that runs is found running, at its own set point, and is not told anything. */
static void a_cooler_that_runs_is_found_running(void **state)
{
	struct fixture *f = *state;
	fake.cooler_runs = true;
	start(f);
	struct camera_state c;
	camera_state(f->camera, &c);
	assert_true(c.cooler_on);
	assert_float_equal(c.set_point_c, -7.0, 1e-9);
	assert_int_equal(fake.cooler_count, 0);
}

int main(void)
{
	log_set_level(LOG_ERROR);
	clock_cond_init(&news);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_slow_probe_is_read_before_the_link_is_up, setup, teardown),
		cmocka_unit_test_setup_teardown(a_probe_that_just_got_power_is_asked_again, setup, teardown),
		cmocka_unit_test_setup_teardown(a_silent_probe_does_not_keep_a_client_waiting, setup, teardown),
		cmocka_unit_test_setup_teardown(a_probe_without_wire_is_not_waited_for, setup, teardown),
		cmocka_unit_test_setup_teardown(an_outside_source_is_not_waited_for, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_motor_that_runs_is_linked_before_its_probe_has_spoken, setup, teardown),
		cmocka_unit_test_setup_teardown(a_halt_that_is_owed_does_not_wait_for_a_probe, setup, teardown),
		cmocka_unit_test_setup_teardown(a_slow_camera_is_read_before_the_link_is_up, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_silent_camera_sensor_does_not_keep_a_client_waiting, setup, teardown),
		cmocka_unit_test_setup_teardown(a_cooler_that_runs_is_found_running, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
