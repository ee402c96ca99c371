/* SPDX-License-Identifier: MIT */
/* Who is answered how often: expectations from the allowances that the header promises. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "discovery_limit.h"

static struct discovery_limit limit;

static int fresh(void **state)
{
	(void)state;
	memset(&limit, 0, sizeof limit);
	return 0;
}

static bool ask(uint8_t host, uint16_t port, int64_t now_ms)
{
	const uint8_t address[16] = {10, 0, 0, host};
	return discovery_limit_take(&limit, address, port, now_ms);
}

static void a_noisy_socket_has_what_it_may_have(void **state)
{
	(void)state;
	int answered = 0;
	/* 200 requests a second for ten seconds: the burst, and ten a second. */
	for (int64_t ms = 0; ms < 10000; ms += 5) {
		answered += ask(1, 5000, ms);
	}
	assert_in_range(answered, DISCOVERY_SOCKET_BURST + 9 * DISCOVERY_SOCKET_RATE,
		DISCOVERY_SOCKET_BURST + 10 * DISCOVERY_SOCKET_RATE);
}

static void its_neighbours_are_answered(void **state)
{
	(void)state;
	int64_t ms = 0;
	for (; ms < 5000; ms += 1) {
		ask(1, 5000, ms);
	}
	/* Another host, and another program of the same host. */
	assert_true(ask(2, 5000, ms));
	assert_true(ask(1, 5001, ms));
	/* What came back to it in the meantime is one answer at most. */
	ask(1, 5000, ms);
	assert_false(ask(1, 5000, ms));
}

static void many_sockets_of_a_host_share(void **state)
{
	(void)state;
	int answered = 0;
	for (uint16_t port = 1; port <= 1000; port++) {
		answered += ask(1, port, 0);
	}
	assert_int_equal(answered, DISCOVERY_HOST_BURST);
	assert_true(ask(2, 1, 0));
	/* Its allowance comes back. */
	assert_true(ask(1, 2000, 1000));
}

static void forged_sources_are_bounded_together(void **state)
{
	(void)state;
	int answered = 0;
	for (int i = 0; i < 5000; i++) {
		const uint8_t address[16] = {192, 168, (uint8_t)(i / 250), (uint8_t)(i % 250)};
		answered += discovery_limit_take(&limit, address, 7, 0);
	}
	assert_int_equal(answered, DISCOVERY_ALL_BURST);
}

static void the_longest_silent_makes_room(void **state)
{
	(void)state;
	/* A noisy one that is heard all the time stays remembered while strangers pass by. */
	for (int i = 0; i < 400; i++) {
		ask(1, 5000, i);
		const uint8_t address[16] = {172, 16, (uint8_t)(i / 200), (uint8_t)(i % 200)};
		discovery_limit_take(&limit, address, 9, i);
	}
	ask(1, 5000, 400);
	assert_false(ask(1, 5000, 400));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_noisy_socket_has_what_it_may_have, fresh),
		cmocka_unit_test_setup(its_neighbours_are_answered, fresh),
		cmocka_unit_test_setup(many_sockets_of_a_host_share, fresh),
		cmocka_unit_test_setup(forged_sources_are_bounded_together, fresh),
		cmocka_unit_test_setup(the_longest_silent_makes_room, fresh),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
