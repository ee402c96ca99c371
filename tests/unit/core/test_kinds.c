/* SPDX-License-Identifier: MIT */
/* A kind of device and a kind of job that the program does not have: both are rows and functions of their own, and
 * nothing of the rooms for devices and jobs is changed for them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "device_private.h"
#include "jobs.h"
#include "settings_fixture.h"

/* ---- a filter wheel ---- */

struct wheel {
	_Atomic int slot, wanted; /* 0.. */
	_Atomic int opened, closed, turns;
	_Atomic bool fails;       /* the next turn loses the link */
	_Atomic bool stuck;       /* it does not turn */
};

static struct wheel wheel;
static _Atomic int cores; /* made and not freed */

static enum err_code wheel_open(struct device *dev, struct err *err)
{
	(void)dev;
	(void)err;
	atomic_fetch_add(&wheel.opened, 1);
	return ERR_OK;
}

static void wheel_close(struct device *dev)
{
	(void)dev;
	atomic_fetch_add(&wheel.closed, 1);
}

static int wheel_open_wait(struct device *dev)
{
	(void)dev;
	return 0;
}

static void wheel_came_up(struct device *dev, bool again)
{
	(void)dev;
	(void)again;
}

static void wheel_went_down(struct device *dev, const struct err *why)
{
	(void)dev;
	(void)why;
}

static struct step wheel_step(struct device *dev)
{
	if (atomic_load(&wheel.stuck) || atomic_load(&wheel.slot) == atomic_load(&wheel.wanted)) {
		return step_at(CLOCK_NEVER);
	}
	if (atomic_exchange(&wheel.fails, false)) {
		struct err err;
		err_set(&err, ERR_IO, "the wheel is gone");
		return step_lost(&err);
	}
	atomic_fetch_add(&wheel.turns, 1);
	atomic_store(&wheel.slot, atomic_load(&wheel.wanted));
	device_changed(dev);
	return step_again();
}

static void wheel_stop(struct device *dev)
{
	(void)dev;
}

static bool wheel_unfit(struct device *dev, struct err *err)
{
	bool turning = atomic_load(&wheel.slot) != atomic_load(&wheel.wanted);
	if (turning) {
		err_set(err, ERR_INVALID_OPERATION, "%s is turning", dev->info.name);
	}
	return turning;
}

static bool wheel_between(const struct device *dev)
{
	(void)dev;
	return true;
}

static void wheel_configure(struct device *dev)
{
	(void)dev;
}

static const struct device_class wheel_class = {
	.between = wheel_between,
	.configure = wheel_configure,
	.open = wheel_open,
	.close = wheel_close,
	.open_wait_ms = wheel_open_wait,
	.came_up = wheel_came_up,
	.went_down = wheel_went_down,
	.step = wheel_step,
	.stop = wheel_stop,
	.unfit = wheel_unfit,
	.loss_ends_lease = true,
};

static bool wheel_configured(const struct config *config, int number)
{
	(void)config;
	return number == 3;
}

static enum err_code wheel_create(struct device *dev, struct err *err)
{
	dev->core = calloc(1, 1);
	if (dev->core == NULL) {
		return err_set(err, ERR_NOMEM, "out of memory");
	}
	atomic_fetch_add(&cores, 1);
	dev->class = &wheel_class;
	device_describe(dev, "Wheel", "fake", "A wheel", "");
	device_set_simulated(dev);
	return ERR_OK;
}

static void wheel_destroy(struct device *dev)
{
	if (dev->core != NULL) {
		free(dev->core);
		atomic_fetch_sub(&cores, 1);
	}
}

static void wheel_quiet(struct device *dev)
{
	(void)dev;
	atomic_store(&wheel.wanted, atomic_load(&wheel.slot));
}

static const struct device_life wheel_life = {wheel_configured, wheel_create, wheel_destroy, wheel_quiet};
static const struct device_kind wheel_kind = {"filterwheel", "FilterWheel", &wheel_life};

static void turn_to(struct device *dev, int slot)
{
	pthread_mutex_lock(&dev->lock);
	atomic_store(&wheel.wanted, slot);
	device_wake_worker(dev);
	pthread_mutex_unlock(&dev->lock);
}

/* ---- a wizard that turns the wheel until it is told to end ---- */

struct wizard {
	struct jobs jobs;
	struct device *dev;
	bool endless;
	_Atomic int ran, over;
	_Atomic bool free_when_over; /* nobody held the wheel when the end was made known */
	_Atomic int why;             /* enum lease_interrupt at the end */
};

static struct wizard wizard;

static void wizard_run(void *owner)
{
	struct wizard *w = owner;
	atomic_fetch_add(&w->ran, 1);
	turn_to(w->dev, atomic_load(&wheel.wanted) + 1);
	pthread_mutex_lock(&w->dev->lock);
	while (w->endless && !atomic_load(&w->jobs.cancel)) {
		clock_wait(clock_real(), &w->dev->changed, &w->dev->lock, CLOCK_NEVER);
	}
	pthread_mutex_unlock(&w->dev->lock);
	atomic_store(&w->why, atomic_load(&w->jobs.interrupt));
}

static void wizard_over(void *owner)
{
	struct wizard *w = owner;
	pthread_mutex_lock(&w->dev->lock);
	atomic_store(&w->free_when_over, w->dev->lease.run == 0);
	pthread_mutex_unlock(&w->dev->lock);
	atomic_fetch_add(&w->over, 1);
}

static const struct job_kind wizard_job = {
	.name = "wizard",
	.numbered = true,
	.takes_focuser = true,
	.run = wizard_run,
	.over = wizard_over,
};

/* ---- the house around them ---- */

static struct {
	struct config config;
	struct settings *settings;
	struct events *events;
	struct devices devices;
	struct clock *fast;
	char dir[64];
	pthread_mutex_t lock;
	pthread_cond_t news;
} house = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void on_news(void *arg)
{
	(void)arg;
	pthread_mutex_lock(&house.lock);
	pthread_cond_broadcast(&house.news);
	pthread_mutex_unlock(&house.lock);
}

static const struct client alice = {"10.0.0.1", 1};

/* Until ready says so; looks again at each event, or after 20 ms.  Fails after 20 s. */
static void wait_for(bool (*ready)(void))
{
	int64_t give_up = clock_now_ms(clock_real()) + 20000;
	while (!ready()) {
		pthread_mutex_lock(&house.lock);
		clock_wait(clock_real(), &house.news, &house.lock, clock_now_ms(clock_real()) + 20);
		pthread_mutex_unlock(&house.lock);
		if (clock_now_ms(clock_real()) > give_up) {
			fail_msg("the condition never came true");
		}
	}
}

static struct device *the_wheel(void)
{
	return devices_find(&house.devices, &wheel_kind, 3);
}

static bool up(void)
{
	return device_link(the_wheel()) == LINK_UP;
}

static bool turned(void)
{
	return atomic_load(&wheel.slot) == atomic_load(&wheel.wanted);
}

static bool idle(void)
{
	pthread_mutex_lock(&wizard.jobs.lock);
	bool is = wizard.jobs.kind == NULL;
	pthread_mutex_unlock(&wizard.jobs.lock);
	return is;
}

static enum err_code begin_wizard(uint64_t id, struct err *err)
{
	pthread_mutex_lock(&wizard.jobs.lock);
	enum err_code code = jobs_start(&wizard.jobs, &wizard_job, id, NULL, err);
	pthread_mutex_unlock(&wizard.jobs.lock);
	return code;
}

static int setup(void **state)
{
	(void)state;
	struct err err;
	uint64_t ticket;
	memset(&wheel, 0, sizeof wheel);
	memset(&wizard, 0, sizeof wizard);
	clock_cond_init(&house.news);
	snprintf(house.dir, sizeof house.dir, "/tmp/focusd-test-XXXXXX");
	assert_non_null(mkdtemp(house.dir));
	config_defaults(&house.config);
	settings_anew(&house.settings, &house.config);
	house.events = events_create();
	house.fast = clock_create_scaled(20);
	const struct device_needs needs = {.settings = house.settings,
		.state_dir = house.dir,
		.fast_clock = house.fast,
		.events = house.events,
		.siblings = &house.devices};
	assert_true(wheel_kind.life->configured(&house.config, 3));
	assert_int_equal(device_create(&wheel_kind, 3, &needs, &house.devices.device[0], &err), ERR_OK);
	house.devices.count = 1;
	wizard.dev = the_wheel();
	jobs_init(&wizard.jobs, wizard.dev, house.events, &wizard);
	assert_int_equal(jobs_begin(&wizard.jobs, &err), ERR_OK);
	assert_int_equal(events_listen(house.events, on_news, NULL), 0);
	assert_int_equal(device_start(wizard.dev, &err), ERR_OK);
	assert_int_equal(device_connect(wizard.dev, &alice, &ticket, &err), ERR_OK);
	wait_for(up);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	jobs_end(&wizard.jobs);
	device_join(wizard.dev);
	events_unlisten(house.events, on_news, NULL);
	jobs_fini(&wizard.jobs);
	device_destroy(wizard.dev);
	house.devices.count = 0;
	settings_destroy(house.settings);
	house.settings = NULL;
	clock_destroy(house.fast);
	events_destroy(house.events);
	char path[128];
	snprintf(path, sizeof path, "%s/devices.json", house.dir);
	unlink(path);
	rmdir(house.dir);
	pthread_cond_destroy(&house.news);
	return 0;
}

static void a_kind_lives_in_the_room_of_devices(void **state)
{
	(void)state;
	struct device *dev = the_wheel();
	assert_string_equal(device_info(dev)->source, "filterwheel.3");
	assert_string_equal(device_info(dev)->name, "Wheel");
	assert_int_equal(strlen(device_info(dev)->unique_id), 36);
	assert_true(device_connected(dev, &alice));
	turn_to(dev, 4);
	wait_for(turned);
	assert_int_equal(atomic_load(&wheel.turns), 1);
	/* It is lost and comes back by itself, as every device does. */
	atomic_store(&wheel.fails, true);
	turn_to(dev, 5);
	wait_for(turned);
	assert_int_equal(atomic_load(&wheel.opened), 2);
	assert_int_equal(atomic_load(&wheel.closed), 1);
	assert_int_equal(atomic_load(&cores), 1);
}

static void a_job_takes_the_device_and_gives_it_back(void **state)
{
	(void)state;
	struct err err = {.code = ERR_OK};
	assert_int_equal(begin_wizard(7, &err), ERR_OK);
	wait_for(idle);
	assert_int_equal(atomic_load(&wizard.ran), 1);
	assert_int_equal(atomic_load(&wizard.over), 1);
	assert_true(atomic_load(&wizard.free_when_over));
	assert_int_equal(atomic_load(&wizard.why), LEASE_RUNNING);
	wait_for(turned);
	assert_int_equal(begin_wizard(8, &err), ERR_OK);
	wait_for(idle);
	assert_int_equal(atomic_load(&wizard.over), 2);
}

static void one_job_at_a_time_and_an_abort_ends_it(void **state)
{
	(void)state;
	struct err err = {.code = ERR_OK};
	wizard.endless = true;
	assert_int_equal(begin_wizard(12, &err), ERR_OK);
	assert_int_equal(begin_wizard(13, &err), ERR_INVALID_OPERATION);
	assert_string_equal(err.text, "wizard 12 is going on");
	pthread_mutex_lock(&wizard.dev->lock);
	enum err_code code = device_need_free(wizard.dev, &err);
	pthread_mutex_unlock(&wizard.dev->lock);
	assert_int_equal(code, ERR_INVALID_OPERATION);
	assert_non_null(strstr(err.text, "wizard 12"));
	jobs_abort(&wizard.jobs, NULL);
	wait_for(idle);
	assert_int_equal(atomic_load(&wizard.why), LEASE_ABORT);
	assert_int_equal(atomic_load(&wizard.over), 1);
}

static void a_lost_link_ends_it(void **state)
{
	(void)state;
	struct err err = {.code = ERR_OK};
	wizard.endless = true;
	atomic_store(&wheel.fails, true); /* at the turn that the wizard begins with */
	assert_int_equal(begin_wizard(1, &err), ERR_OK);
	wait_for(idle);
	assert_int_equal(atomic_load(&wizard.why), LEASE_LINK_LOST);
}

static void an_unfit_device_is_not_taken(void **state)
{
	(void)state;
	struct err err = {.code = ERR_OK};
	atomic_store(&wheel.stuck, true);
	turn_to(wizard.dev, 6);
	assert_int_equal(begin_wizard(2, &err), ERR_INVALID_OPERATION);
	assert_string_equal(err.text, "Wheel is turning");
	assert_true(idle());
	/* The end of the server quiets it. */
	device_quiet(wizard.dev);
	assert_int_equal(atomic_load(&wheel.wanted), 0);
	assert_int_equal(begin_wizard(3, &err), ERR_OK);
	wait_for(idle);
}

static void the_end_interrupts_a_job_as_a_halt_does(void **state)
{
	(void)state;
	struct err err = {.code = ERR_OK};
	wizard.endless = true;
	assert_int_equal(begin_wizard(4, &err), ERR_OK);
	jobs_end(&wizard.jobs);
	assert_int_equal(atomic_load(&wizard.why), LEASE_HALTED);
	assert_int_equal(atomic_load(&wizard.over), 1);
	assert_int_equal(begin_wizard(5, &err), ERR_INVALID_OPERATION);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_kind_lives_in_the_room_of_devices),
		TEST(a_job_takes_the_device_and_gives_it_back),
		TEST(one_job_at_a_time_and_an_abort_ends_it),
		TEST(a_lost_link_ends_it),
		TEST(an_unfit_device_is_not_taken),
		TEST(the_end_interrupts_a_job_as_a_halt_does),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	return failed != 0 || atomic_load(&cores) != 0;
}
