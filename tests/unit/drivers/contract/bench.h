/* SPDX-License-Identifier: MIT */
/* One driver on one emulated device, and what every test does with the two. */
#ifndef FOCUSD_CONTRACT_BENCH_H
#define FOCUSD_CONTRACT_BENCH_H

#include <stdatomic.h>
#include <stdbool.h>

#include "../emulator_thread.h"
#include "focuser_driver.h"
#include "rows.h"

/* Where devices stand at first, and the temperature around them. */
#define HOME 20000
#define CELSIUS 4.5

struct bench {
	const struct contract_row *row;
	const struct focuser_driver *driver;
	const struct emulator_kind *kind;
	char faults[120];       /* for messages */
	char fault_words[120];
	struct emulator_thread emulator;
	struct driver_host host;
	struct focuser_port port;
	void *ctx;
	struct focuser_caps caps;
	_Atomic int calm;       /* so many looks before something is urgent; -1 never */
	int misses;             /* polls that failed */
	bool was_reset;         /* a reading said so */
};

/* Says who fails at what and ends the program: rows run on threads, and cmocka cannot jump out of one. */
void bench_fail(const struct bench *b, const char *fmt, ...)
	__attribute__((format(printf, 2, 3), noreturn));
#define CHECK(b, condition)                                                                        \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			bench_fail(b, "%s:%d: %s", __FILE__, __LINE__, #condition);                \
		}                                                                                  \
	} while (0)

/* The kind of this row; NULL when there is none. */
const struct emulator_kind *bench_kind(const struct contract_row *row);
bool bench_kind_has(const struct emulator_kind *kind, const char *fault);

/* A device with these faults, and the driver opened on it.  The motor runs factor times faster. */
void bench_open(struct bench *b, const struct contract_row *row, const char *faults, const char *quirks,
	double factor, const char *link);
void bench_close(struct bench *b);

/* Opens again, as after a loss; waits until there is a port. */
void bench_reopen(struct bench *b);

/* As core does: again and again until it answers. */
void bench_identify(struct bench *b);

/* One poll; NULL in *out's valid bits when it failed in a way that may pass.  The code. */
enum err_code bench_poll(struct bench *b, unsigned want, struct focuser_reading *out);

/* Polls until the motor rests at this place; every position on the way must lie on it, and none may be
 * one that was passed before. */
void bench_arrive(struct bench *b, int32_t from, int32_t target);
/* Polls until it moves, or rests. */
struct focuser_reading bench_wait(struct bench *b, bool moving);

void bench_start(struct bench *b, int32_t target);

/* Bytes the client has sent since the last call. */
size_t bench_sent(struct bench *b);

int64_t bench_now_ms(void);
#define BENCH_GENEROUS_MS 30000

#endif
