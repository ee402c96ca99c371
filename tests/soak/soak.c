/* SPDX-License-Identifier: MIT */
/*
 * Moves by the thousand through the real core and the real driver, on lines where everything goes wrong
 * that does go wrong, while the motors' own book is kept beside: whatever is said to have arrived stands
 * exactly there, with the backlash taken up; whatever was halted or has failed stands where it is said to
 * stand.  No step is ever lost.
 *
 * The whole program here lives on a clock that runs faster than life: the linker puts this file's
 * clock_real() in the place of the other (--wrap).
 */
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "focuser_private.h"
#include "log.h"
#include "observatory.h"
#include "rough_line.h"

#define BACKLASH 150
#define MAX_STEP 20000
/* The emulator must answer within half a second of the fast clock; a sanitized one on a busy machine is
 * slower. */
#define FACTOR 40
#define FACTOR_SANITIZED 10
/* Of real time, for one move: only ends a test that has failed already. */
#define PATIENCE_S 120

static struct clock *fast;

struct clock *__wrap_clock_real(void); /* NOLINT: the linker's name */
struct clock *__wrap_clock_real(void)  /* NOLINT */
{
	return fast;
}

/* One captain for each focuser. */
struct captain {
	pthread_t thread;
	struct rough_lines *lines;
	struct device *dev;
	int number;
	int moves;
	uint64_t luck;
	char wrong[200]; /* the first thing that was not as it must be; "" */
	int arrived, failed, halted, replaced, refused, by_hand;
};

static const struct client me = {"10.0.0.1", 1};

static uint32_t draw(struct captain *c, uint32_t below)
{
	c->luck = c->luck * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(c->luck >> 33) % below;
}

static int64_t now_ms(void)
{
	return clock_now_ms(clock_real());
}

static void complain(struct captain *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void complain(struct captain *c, const char *fmt, ...)
{
	if (c->wrong[0] == '\0') {
		va_list ap;
		va_start(ap, fmt);
		vsnprintf(c->wrong, sizeof c->wrong, fmt, ap);
		va_end(ap);
	}
}

/* Waits for a change of the device, some milliseconds at most. */
static void pause_ms(struct captain *c, int64_t ms)
{
	int64_t until = now_ms() + ms;
	pthread_mutex_lock(&c->dev->lock);
	while (now_ms() < until) {
		clock_wait(clock_real(), &c->dev->changed, &c->dev->lock, until);
	}
	pthread_mutex_unlock(&c->dev->lock);
}

/* Until the link is up, nothing moves, and what was read is younger than this question. */
static bool calm_down(struct captain *c, struct focuser_state *state)
{
	int64_t begin = now_ms();
	int64_t give_up = begin + (int64_t)(PATIENCE_S * 1000 * clock_factor(fast));
	while (now_ms() < give_up) {
		focuser_state(c->dev, state);
		if (state->link == LINK_UP && !state->is_moving && state->position_valid &&
			now_ms() - state->position_age_ms > begin) {
			return true;
		}
		uint64_t ticket;
		device_connect(c->dev, &me, &ticket, NULL);
		pause_ms(c, 100);
	}
	focuser_state(c->dev, state);
	complain(c, "never came to rest: link %s, moving %d", device_link_name(state->link),
		state->is_moving);
	return false;
}

/* The book against what is said, for a motor that nobody moves. */
static void check_books(struct captain *c, const char *when, int move)
{
	struct focuser_state state;
	int64_t motor, carriage;
	if (!calm_down(c, &state)) {
		return;
	}
	rough_truth(c->lines, c->number, &motor, &carriage);
	/* A digit lost on the line may be what was read: the next reading is the true one. */
	for (int tries = 0; state.motor_position != motor && tries < 5; tries++) {
		if (!calm_down(c, &state)) {
			return;
		}
		rough_truth(c->lines, c->number, &motor, &carriage);
	}
	if (state.motor_position != motor || labs((long)state.position - (long)motor) > 2) {
		complain(c, "move %d, %s: stands at %lld, said is %d", move, when, (long long)motor,
			(int)state.motor_position);
	}
}

static void check_arrival(struct captain *c, int32_t target, int move)
{
	struct focuser_state state;
	int64_t motor, carriage;
	focuser_state(c->dev, &state);
	rough_truth(c->lines, c->number, &motor, &carriage);
	if (motor != target) {
		complain(c, "move %d has arrived at %d: stands at %lld", move, (int)target, (long long)motor);
	}
	if (state.link == LINK_UP && (state.position != target || state.is_moving)) {
		complain(c, "move %d has arrived at %d: said is %d%s", move, (int)target, (int)state.position,
			state.is_moving ? ", moving" : "");
	}
	/* Outwards, with the backlash taken up, the mechanism is where the motor is. */
	if (target >= BACKLASH && carriage != motor) {
		complain(c, "move %d to %d left %lld steps of backlash", move, (int)target,
			(long long)(carriage - motor));
	}
}

/* One wish after the other, and some of them before the last was fulfilled. */
static void one_move(struct captain *c, int move)
{
	struct err err = {0};
	int wishes = draw(c, 6) == 0 ? 2 + (int)draw(c, 3) : 1;
	bool halt = draw(c, 8) == 0;
	int32_t target = 0;
	uint64_t op = 0;
	for (int i = 0; i < wishes; i++) {
		int32_t from = target;
		do {
			target = draw(c, 20) == 0 ? (int32_t)draw(c, 100) : (int32_t)draw(c, MAX_STEP);
		} while (abs(target - from) < 20);
		if (draw(c, 3) == 0) {
			/* Near where it stands: most moves of a night are short. */
			struct focuser_state state;
			focuser_state(c->dev, &state);
int32_t way = 20 + (int32_t)draw(c, 300);
			target = state.position + way > MAX_STEP ? state.position - way : state.position + way;
		}
		log_debug("captain", "%d: move %d to %d", c->number, move, (int)target);
		if (focuser_move(c->dev, target, &err) != ERR_OK) {
			c->refused++;
			log_debug("captain", "%d: refused: %s", c->number, err.text);
			if (strstr(err.text, "SetPosition") != NULL) {
				/* Moved by hand while the plug was out: somebody has to say that it is so. */
				uint64_t ticket;
				focuser_set_position(c->dev, FOCUSER_SET_KEEP, 0, &ticket, &err);
			}
			check_books(c, "refused", move);
			return;
		}
		pthread_mutex_lock(&c->dev->lock);
		op = focuser_of(c->dev)->op;
		pthread_mutex_unlock(&c->dev->lock);
		if (i + 1 < wishes || halt) {
			pause_ms(c, draw(c, 3000));
		}
	}
	c->replaced += wishes - 1;
	if (halt) {
		log_debug("captain", "%d: halt", c->number);
		focuser_halt(c->dev, &err);
	}
	enum err_code code = focuser_run_wait(c->dev, op, NULL,
		now_ms() + (int64_t)(PATIENCE_S * 1000 * clock_factor(fast)), &err);
	if (code == ERR_OK) {
		c->arrived++;
		check_arrival(c, target, move);
		return;
	}
	if (code == ERR_TIMEOUT && strstr(err.text, "in time") != NULL) {
		complain(c, "move %d to %d never ended", move, (int)target);
	}
	*(code == ERR_CANCELLED ? &c->halted : &c->failed) += 1;
	check_books(c, code == ERR_CANCELLED ? "halted" : err.text, move);
}

static void *sail(void *arg)
{
	struct captain *c = arg;
	struct focuser_state state;
	calm_down(c, &state);
	for (int move = 0; move < c->moves && c->wrong[0] == '\0'; move++) {
		if (draw(c, 20) == 0 &&
			rough_by_hand(c->lines, c->number, 300 + (int32_t)draw(c, MAX_STEP - 600))) {
			c->by_hand++;
			/* Sometimes a client comes while the hand is still there. */
			if (draw(c, 2) == 0) {
				check_books(c, "moved by hand", move);
			}
		}
		one_move(c, move);
	}
	rough_calm(c->lines, c->number);
	check_books(c, "in the end", c->moves);
	return NULL;
}

static int wanted_moves = 1000;

static int remove_one(const char *path, const struct stat *facts, int kind, struct FTW *where)
{
	(void)facts;
	(void)kind;
	(void)where;
	return remove(path);
}

static void not_a_step_is_lost(void **state)
{
	(void)state;
	static struct rough_lines lines;
	static struct captain captains[ROUGH_LINES];
	static struct config config[2];
	struct settings *settings[2];
	struct observatory *obs[2];
	char dir[2][64] = {"/tmp/focusd-soak-XXXXXX", "/tmp/focusd-soak-XXXXXX"};
	const char *seed_text = getenv("SOAK_SEED");
	uint64_t seed = seed_text != NULL ? strtoull(seed_text, NULL, 10) : 1;
	fast = clock_create_scaled(getenv("FOCUSD_SANITIZED") != NULL ? FACTOR_SANITIZED : FACTOR);
	assert_non_null(fast);
	assert_non_null(mkdtemp(dir[0]));
	assert_non_null(mkdtemp(dir[1]));
	rough_start(&lines, ROUGH_LINES, dir[0], seed, BACKLASH);
	int each = ROUGH_LINES / 2;
	for (int o = 0; o < 2; o++) {
		config_defaults(&config[o]);
		for (int i = 0; i < each; i++) {
			struct config_focuser *f = &config[o].focuser[i];
			f->present = true;
			snprintf(f->driver, sizeof f->driver, "moonlite");
			snprintf(f->port.port, sizeof f->port.port, "%s", lines.line[o * each + i].link);
			f->port.max_step = MAX_STEP;
			f->backlash_steps = BACKLASH;
			f->approach = CONFIG_APPROACH_OUT;
			f->open_wait_ms = 0;
			f->connect_at_start = true;
		}
		struct observatory_options options = {.state_dir = dir[o], .seed = 1, .time_factor = 1};
		struct err err;
		struct settings_options as_they_are = {.drivers = NULL};
		if (settings_create(&config[o], &as_they_are, &settings[o], &err) != ERR_OK ||
			observatory_create(settings[o], &options, &obs[o], &err) != ERR_OK) {
			fail_msg("%s", err.text);
		}
	}
	int64_t begin = now_ms();
	for (int i = 0; i < ROUGH_LINES; i++) {
		captains[i] = (struct captain){.lines = &lines, .number = i,
			.dev = devices_find(observatory_served(obs[i / each])->devices, &focuser_kind, i % each),
			.moves = wanted_moves / ROUGH_LINES + (i < wanted_moves % ROUGH_LINES),
			.luck = seed * 77 + (uint64_t)i};
		assert_int_equal(pthread_create(&captains[i].thread, NULL, sail, &captains[i]), 0);
	}
	struct captain sum = {0};
	struct rough_line book = {0};
	for (int i = 0; i < ROUGH_LINES; i++) {
		pthread_join(captains[i].thread, NULL);
	}
	int64_t took_ms = now_ms() - begin;
	for (int o = 0; o < 2; o++) {
		observatory_destroy(obs[o]);
		settings_destroy(settings[o]);
	}
	rough_stop(&lines);
	for (int i = 0; i < ROUGH_LINES; i++) {
		struct captain *c = &captains[i];
		sum.arrived += c->arrived;
		sum.failed += c->failed;
		sum.halted += c->halted;
		sum.replaced += c->replaced;
		sum.refused += c->refused;
		sum.by_hand += c->by_hand;
		book.commands += lines.line[i].commands;
		book.travelled += lines.line[i].travelled;
		for (int k = 0; k < ROUGH_FAULTS; k++) {
			book.faults[k] += lines.line[i].faults[k];
		}
	}
	for (int o = 0; o < 2; o++) {
		assert_int_equal(nftw(dir[o], remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
	}
	print_message("%d moves on %d focusers in %.0f s of their time: %d arrived, %d failed, %d halted, "
		      "%d replaced, %d refused, %d by hand; %lld steps, %d commands\n",
		wanted_moves, ROUGH_LINES, (double)took_ms / 1000, sum.arrived, sum.failed, sum.halted,
		sum.replaced, sum.refused, sum.by_hand, (long long)book.travelled, book.commands);
	for (int k = 0; k < ROUGH_FAULTS; k++) {
		print_message("  %-13s %d\n", rough_fault_name[k], book.faults[k]);
	}
	clock_destroy(fast);
	for (int i = 0; i < ROUGH_LINES; i++) {
		if (captains[i].wrong[0] != '\0') {
			fail_msg("focuser %d, seed %llu: %s", i, (unsigned long long)seed, captains[i].wrong);
		}
	}
	/* A soak in which nothing goes wrong, or nothing right, proves nothing. */
	assert_true(sum.arrived > wanted_moves / 5);
	assert_true(sum.failed > 0 && sum.halted > 0 && sum.replaced > 0);
}

int main(int argc, char **argv)
{
	wanted_moves = argc > 1 ? (int)strtol(argv[1], NULL, 10) : wanted_moves;
	log_set_level(getenv("SOAK_LOG") != NULL ? LOG_TRACE : LOG_ERROR - 1);
	const struct CMUnitTest tests[] = {cmocka_unit_test(not_a_step_is_lost)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
