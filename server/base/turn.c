/* SPDX-License-Identifier: MIT */
#include "turn.h"

#include <stdint.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Enough to go before everything of the usual nice value, and little enough that a client who reads pictures without
 * end leaves a guiding program its share (the weight of -5 is three times that of 0: sched(7)). */
#define PROMPT_NICE (-5)
/* The shortest turn that the kernel allows, nanoseconds (sched(7): 0.1 ms to 100 ms; 0 is the usual one). */
#define PROMPT_NS 100000u
#define USUAL_NS 0u

/* What sched_setattr(2) takes; its first version, which every kernel since 3.14 knows.  The C library of Debian 12 has
 * no declaration of it. */
struct attributes {
	uint32_t size;
	uint32_t policy; /* 0: the usual one */
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime_ns; /* of the usual policy: the length of a turn */
	uint64_t deadline_ns;
	uint64_t period_ns;
};
_Static_assert(sizeof(struct attributes) == 48, "the kernel tells versions apart by the size");

static void take_turns(uint64_t ns)
{
	struct attributes wanted = {.size = sizeof wanted, .nice = getpriority(PRIO_PROCESS, 0), .runtime_ns = ns};
	syscall(SYS_sched_setattr, 0, &wanted, 0u);
}

static void be_nice(int nice)
{
	setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), nice);
}

void turn_prompt(void)
{
	be_nice(PROMPT_NICE);
	take_turns(PROMPT_NS);
}

void turn_background(int nice)
{
	be_nice(nice);
	take_turns(USUAL_NS);
}
