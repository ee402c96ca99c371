/* SPDX-License-Identifier: MIT */
/* What the kernel says of a thread is the truth here: sched_getattr(2). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "turn.h"

struct seen {
	int background, background_child; /* nice values */
	int prompt;
	uint64_t usual_ns, prompt_ns;     /* length of a turn; 0 where the kernel does not know such a thing */
};

static int niceness(void)
{
	return getpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid));
}

static uint64_t turn_ns(void)
{
	uint64_t attributes[7] = {0};
	assert_int_equal(syscall(SYS_sched_getattr, 0, attributes, (unsigned)sizeof attributes, 0u), 0);
	return attributes[3];
}

static void *look(void *arg)
{
	*(int *)arg = niceness();
	return NULL;
}

static void *stand_back(void *arg)
{
	struct seen *seen = arg;
	pthread_t child;
	turn_background(7);
	seen->background = niceness();
	seen->usual_ns = turn_ns();
	assert_int_equal(pthread_create(&child, NULL, look, &seen->background_child), 0);
	pthread_join(child, NULL);
	return NULL;
}

static void *go_first(void *arg)
{
	struct seen *seen = arg;
	turn_prompt();
	seen->prompt = niceness();
	seen->prompt_ns = turn_ns();
	return NULL;
}

static void one_thread_alone_stands_back(void **state)
{
	(void)state;
	struct seen seen = {0};
	pthread_t thread;
	int before = niceness();
	assert_int_equal(pthread_create(&thread, NULL, stand_back, &seen), 0);
	pthread_join(thread, NULL);
	assert_int_equal(seen.background, 7);
	assert_int_equal(seen.background_child, 7);
	assert_int_equal(niceness(), before);
}

static void one_thread_alone_goes_first(void **state)
{
	(void)state;
	struct seen seen = {0};
	pthread_t thread;
	int before = niceness();
	struct rlimit limit;
	assert_int_equal(getrlimit(RLIMIT_NICE, &limit), 0);
	assert_int_equal(pthread_create(&thread, NULL, stand_back, &seen), 0);
	pthread_join(thread, NULL);
	assert_int_equal(pthread_create(&thread, NULL, go_first, &seen), 0);
	pthread_join(thread, NULL);
	/* getrlimit(2): a limit of L permits 20 - L. */
	bool permitted = geteuid() == 0 || limit.rlim_cur >= 25;
	assert_int_equal(seen.prompt, permitted ? -5 : before);
	assert_true(seen.prompt_ns == seen.usual_ns ? seen.usual_ns == 0 : seen.prompt_ns == 100000);
	assert_int_equal(niceness(), before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_thread_alone_stands_back),
		cmocka_unit_test(one_thread_alone_goes_first),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
