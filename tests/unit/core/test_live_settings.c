/* SPDX-License-Identifier: MIT */
/* Settings that change while devices work: an operation keeps those it began with, the next one has the new ones. */
#include "core_fixture.h"

static void set(struct fixture *f, const char *key, const char *value)
{
	struct err err;
	if (settings_set(f->settings, key, value, "test", NULL, &err) != ERR_OK) {
		fail_msg("%s", err.text);
	}
}

static struct focuser_state now(struct fixture *f)
{
	struct focuser_state state;
	focuser_state(f->focuser, &state);
	return state;
}

static int polls_before;

static bool polled_twice(struct fixture *f)
{
	(void)f;
	return fake.poll_count >= polls_before + 2;
}

/* Lets enough time pass for the worker to have come by several times. */
static void let_the_worker_look(struct fixture *f)
{
	polls_before = fake.poll_count;
	wait_for(f, polled_twice);
}

static bool backlash_is_new(struct fixture *f)
{
	return now(f).backlash_steps == 100;
}

static bool backlash_is_old(struct fixture *f)
{
	return now(f).backlash_steps == 300;
}

static void a_move_keeps_its_backlash(void **state)
{
	struct fixture *f = *state;
	f->config.focuser[0].backlash_steps = 300;
	f->config.focuser[0].approach = CONFIG_APPROACH_OUT;
	start(f);
	struct err err;
	/* The way from 5000 takes half a second on the fast clock. */
	assert_int_equal(focuser_move(f->focuser, 2000, &err), ERR_OK);
	wait_for(f, leg_started);
	set(f, "focuser.0.backlash_steps", "100");
	set(f, "focuser.0.approach", "in");
	let_the_worker_look(f);
	assert_false(at_rest(f));
	assert_true(backlash_is_old(f));
	assert_int_equal(now(f).approach, MOVES_APPROACH_OUT);
	wait_for(f, at_rest);
	assert_int_equal(fake.move_count, 2);
	assert_int_equal(fake.move[0], 1700);
	assert_int_equal(fake.move[1], 2000);
	wait_for(f, backlash_is_new);
	/* The next move comes from the other side, with the other overshoot. */
	assert_int_equal(focuser_move(f->focuser, 3000, &err), ERR_OK);
	wait_for(f, at_rest);
	assert_int_equal(fake.move_count, 4);
	assert_int_equal(fake.move[2], 3100);
	assert_int_equal(fake.move[3], 3000);
}

static void not_heeded(void *arg, enum lease_interrupt why)
{
	(void)arg;
	(void)why;
}

static void not_woken(void *arg)
{
	(void)arg;
}

/* A run is many moves, and all of them use the same settings. */
static void a_run_keeps_its_settings(void **state)
{
	struct fixture *f = *state;
	f->config.focuser[0].backlash_steps = 300;
	start(f);
	struct err err;
	const struct lease lease = {.run = 7, .what = "a run", .interrupt = not_heeded, .poke = not_woken};
	assert_int_equal(device_lease_take(f->focuser, &lease, &err), ERR_OK);
	set(f, "focuser.0.backlash_steps", "100");
	let_the_worker_look(f);
	assert_true(backlash_is_old(f));
	device_lease_drop(f->focuser, 7);
	wait_for(f, backlash_is_new);
}

static bool step_size_is_new(struct fixture *f)
{
	return now(f).step_size_um == 2.5;
}

static void what_changes_at_rest_is_told(void **state)
{
	struct fixture *f = *state;
	f->config.focuser[0].backlash_steps = 300;
	start(f);
	uint64_t version = device_version(f->focuser);
	set(f, "focuser.0.backlash_steps", "100");
	wait_for(f, backlash_is_new);
	assert_true(device_version(f->focuser) > version);
	set(f, "focuser.0.step_size_um", "2.5");
	wait_for(f, step_size_is_new);
	struct err err;
	assert_int_equal(settings_forget(f->settings, "focuser.0.backlash_steps", &err), ERR_OK);
	wait_for(f, backlash_is_old);
	assert_int_equal(fake.move_count, 0);
}

static void a_closed_link_does_not_keep_the_old_ones(void **state)
{
	struct fixture *f = *state;
	f->config.focuser[0].backlash_steps = 300;
	start(f);
	struct err err;
	bool closing;
	assert_int_equal(device_disconnect(f->focuser, &alice, &closing, &err), ERR_OK);
	wait_for(f, focuser_down);
	set(f, "focuser.0.backlash_steps", "100");
	wait_for(f, backlash_is_new);
}

static void the_temperature_comes_from_the_new_source(void **state)
{
	struct fixture *f = *state;
	start(f);
	struct err err;
	double celsius;
	set(f, "focuser.0.temperature_source", "action");
	assert_int_equal(focuser_temperature(f->focuser, &celsius, &err), ERR_VALUE_NOT_SET);
	assert_int_equal(focuser_tell_temperature(f->focuser, 3.5, &err), ERR_OK);
	assert_int_equal(focuser_temperature(f->focuser, &celsius, &err), ERR_OK);
	assert_true(celsius == 3.5);
	set(f, "focuser.0.temperature_source", "none");
	assert_int_equal(focuser_temperature(f->focuser, &celsius, &err), ERR_NOT_IMPLEMENTED);
	assert_int_equal(focuser_tell_temperature(f->focuser, 3.5, &err), ERR_INVALID_OPERATION);
}

static bool pixels_are_new(struct fixture *f)
{
	struct camera_state state;
	camera_state(f->camera, &state);
	return state.caps.pixel_um == 4.25;
}

static void the_pixel_size_of_a_camera(void **state)
{
	struct fixture *f = *state;
	start(f);
	set(f, "camera.0.pixel_size_um", "4.25");
	wait_for(f, pixels_are_new);
}

/* Out for the motor is in for clients with reverse: what the driver wants counts only where nobody said otherwise. */
static void an_approach_that_was_said_counts(void **state)
{
	struct fixture *f = *state;
	snprintf(f->config.focuser[0].driver, sizeof f->config.focuser[0].driver, "fake-slow-calibrator");
	f->config.focuser[0].reverse = true;
	start(f);
	assert_int_equal(now(f).approach, MOVES_APPROACH_IN);
	observatory_destroy(f->obs);
	f->obs = NULL;
	f->config.focuser[0].approach = CONFIG_APPROACH_OUT;
	start(f);
	assert_int_equal(now(f).approach, MOVES_APPROACH_OUT);
}

static void device_reaches_the_driver(void **state)
{
	struct fixture *f = *state;
	snprintf(f->config.focuser[0].driver, sizeof f->config.focuser[0].driver, "fake-slow-calibrator");
	snprintf(f->config.focuser[0].port.device, sizeof f->config.focuser[0].port.device, "Focuser Simulator");
	start(f);
	assert_string_equal(fake.device, "Focuser Simulator");
}

int main(void)
{
	clock_cond_init(&news);
	log_set_level(LOG_ERROR);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_move_keeps_its_backlash, setup, teardown),
		cmocka_unit_test_setup_teardown(a_run_keeps_its_settings, setup, teardown),
		cmocka_unit_test_setup_teardown(what_changes_at_rest_is_told, setup, teardown),
		cmocka_unit_test_setup_teardown(a_closed_link_does_not_keep_the_old_ones, setup, teardown),
		cmocka_unit_test_setup_teardown(the_temperature_comes_from_the_new_source, setup, teardown),
		cmocka_unit_test_setup_teardown(the_pixel_size_of_a_camera, setup, teardown),
		cmocka_unit_test_setup_teardown(an_approach_that_was_said_counts, setup, teardown),
		cmocka_unit_test_setup_teardown(device_reaches_the_driver, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
