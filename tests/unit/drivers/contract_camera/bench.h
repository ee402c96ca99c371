/* SPDX-License-Identifier: MIT */
/* One camera driver on one device, and what every test does with the two: what core does. */
#ifndef FOCUSD_CONTRACT_CAMERA_BENCH_H
#define FOCUSD_CONTRACT_CAMERA_BENCH_H

#include <stdbool.h>
#include <stddef.h>

#include "rows.h"

struct camera_bench {
	const struct camera_row *row;
	const struct camera_driver *driver;
	struct camera_setting setting;
	void *ctx;
	struct camera_caps caps;
	bool urgent;            /* what the host answers */
	const char *call;       /* that is running or was the last */
	/* The exposure. */
	struct exposure_request request;
	struct frame_pool *pool;
	struct frame *lent;
	unsigned char prefill;  /* what stands in memory before the driver fills it */
	/* The last frame read. */
	struct frame *frame;
	unsigned char *rows;    /* read_frame's; NULL with a driver that is lent its frame */
};

/* Says who fails at what and ends the program. */
void bench_fail(const struct camera_bench *b, const char *fmt, ...)
	__attribute__((format(printf, 2, 3), noreturn));
#define CHECK(b, condition)                                                                        \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			bench_fail(b, "%s:%d: %s", __FILE__, __LINE__, #condition);                \
		}                                                                                  \
	} while (0)

/* A device as the row makes it, with the driver opened on it. */
void bench_open(struct camera_bench *b, const struct camera_row *row);
/* The device alone; bench_try_open() then opens the driver, with its result. */
void bench_prepare(struct camera_bench *b, const struct camera_row *row);
enum err_code bench_try_open(struct camera_bench *b, struct err *err);
/* As core does after a loss, and when a client connects again: in whatever state the driver is. */
void bench_reopen(struct camera_bench *b);
void bench_close(struct camera_bench *b);

/* Lets the device's time pass. */
void bench_pass(struct camera_bench *b, int64_t ms);

/* The whole sensor at bin 1 for so long, with the device's default gain and offset. */
struct exposure_request bench_request(const struct camera_bench *b, double duration_s);
/* Starts, and lends a frame where the driver wants one.  The code; with a sentence when it is not ERR_OK. */
enum err_code bench_start(struct camera_bench *b, const struct exposure_request *request);
enum camera_driver_state bench_state(struct camera_bench *b);
/* Polls until it is in this state; an exposure whose end was passed by fails. */
void bench_until(struct camera_bench *b, enum camera_driver_state state);
/* Reads out into b->frame and info.  Checks that not one element more or less was written than there are. */
enum err_code bench_read(struct camera_bench *b, struct frame_info *info);
/* The three together; checks that info fits the request. */
struct frame_info bench_expose(struct camera_bench *b, const struct exposure_request *request);
void bench_abort(struct camera_bench *b);
/* Gives up the frame that was lent; what core does when abort or close has returned. */
void bench_take_back(struct camera_bench *b);

/* The next call; its duration is checked when the next begins or it is over. */
void bench_begins(struct camera_bench *b, const char *call);
void bench_ends(struct camera_bench *b);
/* An error is a code and a sentence. */
void bench_check_err(const struct camera_bench *b, enum err_code code, const struct err *err);

#endif
