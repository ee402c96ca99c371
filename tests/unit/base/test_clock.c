/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include "clock.h"

static void utc_text(void **state)
{
	(void)state;
	char out[CLOCK_UTC_TEXT];
	/* date -u -d @1773526111 */
	clock_utc_text(1773526111250, out);
	assert_string_equal(out, "2026-03-14T22:08:31.250Z");
	clock_utc_text(-1, out);
	assert_string_equal(out, "1969-12-31T23:59:59.999Z");
}

static void fake_jumps_to_the_deadline(void **state)
{
	(void)state;
	struct clock *clock = clock_create_fake();
	pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
	pthread_cond_t cond;
	clock_cond_init(&cond);
	assert_int_equal(clock_now_ms(clock), 0);
	pthread_mutex_lock(&mutex);
	assert_true(clock_wait(clock, &cond, &mutex, 90000));
	pthread_mutex_unlock(&mutex);
	assert_int_equal(clock_now_ms(clock), 90000);
	clock_fake_advance(clock, 5);
	assert_int_equal(clock_now_ms(clock), 90005);
	pthread_cond_destroy(&cond);
	clock_destroy(clock);
}

static void scaled_runs_faster(void **state)
{
	(void)state;
	struct clock *fast = clock_create_scaled(1000);
	pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
	pthread_cond_t cond;
	clock_cond_init(&cond);
	int64_t real_before = clock_now_ms(clock_real());
	pthread_mutex_lock(&mutex);
	int64_t start = clock_now_ms(fast);
	while (!clock_wait(fast, &cond, &mutex, start + 20000)) {
	}
	pthread_mutex_unlock(&mutex);
	int64_t fast_passed = clock_now_ms(fast) - start;
	int64_t real_passed = clock_now_ms(clock_real()) - real_before;
	assert_true(fast_passed >= 20000);
	/* No wall time is asserted, only that both clocks saw the same interval: 1 ms of rounding. */
	assert_true(real_passed * 1000 + 1000 >= 20000 - 1000);
	assert_true(clock_poll_timeout(fast, clock_now_ms(fast) - 5) == 0);
	assert_true(clock_poll_timeout(fast, CLOCK_NEVER) == -1);
	pthread_cond_destroy(&cond);
	clock_destroy(fast);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(utc_text),
		cmocka_unit_test(fake_jumps_to_the_deadline),
		cmocka_unit_test(scaled_runs_faster),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
