/* SPDX-License-Identifier: MIT */
/*
 * A halt, from the wish to the motor's rest, also over a lost link.  struct halt is written by halt.c alone.  All with
 * the device's lock held.
 */
#ifndef FOCUSD_FOCUSER_HALT_H
#define FOCUSD_FOCUSER_HALT_H

#include <stdbool.h>
#include <stdint.h>

#include "err.h"
#include "step.h"
#include "stop_owed.h"

struct device;
struct focuser_state;

struct halt {
	bool wanted;      /* the driver is to be told to stop */
	int tries;        /* calls of the driver that failed */
	int repeats;      /* further halts, because the motor did not stop */
	int64_t told_ms;  /* device clock; when the driver was last told to stop */
	bool watched;     /* the motor must come to rest, or the driver is told again */
	/* The STOP that is kept while there is no link. */
	struct stopped_motion motion; /* what it is meant for; since the link went, until it is up again */
	enum stop_hindrance why;      /* the link went */
	bool owed;        /* wished without a link, or not known to be heard when the link went */
	bool unsure;      /* owed because it is not known to be heard */
	int pay_tries;    /* calls of the driver that failed since it is owed */
	bool paid;        /* sent since the link went; verdict says in which form */
	enum stop_verdict verdict;
	const char *outcome; /* what became of the last one that was owed, for people; NULL: there is nothing to tell */
};

/* Any thread: the worker shall stop the motor. */
void halt_wish(struct halt *h);

/* Any thread: the focuser shall stop, but its link is not up.  A motion that was under way when the link was lost is
 * owed a halt from here on: ERR_IO, with the sentence that people read.  ERR_IO as well, with another sentence, when
 * the link is lost and the motor was at rest; ERR_OK when there is no link and nothing to stop. */
enum err_code halt_without_link(struct device *dev, struct err *err);

/* Any thread: something new was asked of the focuser, so what became of an earlier STOP is no news any more. */
void halt_end_news(struct halt *h);

/* Any thread: fills in what is owed and what people are told of it. */
void halt_state(const struct device *dev, struct focuser_state *out);

/* Worker: the link came up; nothing is wished of it yet.  What is owed stays owed. */
void halt_forget(struct halt *h);

/* Worker: what was wished before the device was identified anew has been carried out. */
void halt_drop_wish(struct halt *h);

/* Worker: the motor was sent off again, so its motion is wished. */
void halt_forgive(struct halt *h);

/* Worker: the motor still runs out of a motion that was ended by other means than a halt: it must come to rest
 * from now_ms (device clock) on. */
void halt_watch_from(struct halt *h, int64_t now_ms);

/* Worker: the link went, before anything else forgets what the motor did; ending says that a motion was to end.
 * lost: not by a client's wish, but by `why`. */
void halt_went_down(struct device *dev, bool lost, bool ending, const struct err *why);

/* Worker, before another try to open the link: a STOP that is too late to be sent is owed no more. */
void halt_lapse(struct device *dev);

/* Worker, when the device has been identified and read and before the link is up: sends a STOP that is owed, in the
 * form that suits what the device does, or finds that it is void.  An error says that the link cannot be opened yet,
 * because the driver's call failed; after some of these it is left to halt_came_up(). */
enum err_code halt_pay(struct device *dev, struct err *err);

/* Worker, when the link is up and the device's state is taken over: goes on with what halt_pay() began, and wishes what
 * was asked for too late for it. */
void halt_came_up(struct device *dev);

/* Worker: carries out the wish. */
struct step focuser_do_halt(struct device *dev);

/* Worker, after each reading: a motor that was told to stop and goes on is told again; when that does not help
 * either, clients are told. */
void focuser_watch_halt(struct device *dev);

#endif
