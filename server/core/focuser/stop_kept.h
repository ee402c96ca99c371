/* SPDX-License-Identifier: MIT */
/*
 * The STOP that is kept while there is no link, from the loss of the link until it is up again.  struct stop_kept
 * is written by stop_kept.c alone; stop_owed.h decides what becomes of it, and link_stop.c sends it.  All with the
 * device's lock held.
 */
#ifndef FOCUSD_FOCUSER_STOP_KEPT_H
#define FOCUSD_FOCUSER_STOP_KEPT_H

#include <stdbool.h>

#include "err.h"
#include "stop_owed.h"

struct device;
struct focuser_state;

/* What is kept of a STOP from the loss of the link until it is up again. */
struct stop_kept {
	struct stopped_motion motion; /* the motion that the STOP is meant for */
	enum stop_hindrance why;      /* the reason why the link went */
	bool owed;        /* a STOP was wished without a link, or nobody knows whether it was heard */
	bool unsure;      /* it is owed because nobody knows whether it was heard */
	int tries;        /* calls of the driver that failed since it is owed */
	bool sent;        /* the device was told since the link went; verdict says how */
	enum stop_verdict verdict;
	const char *outcome; /* what became of the last one that was owed, for people; NULL: there is nothing to tell */
};

/* Any thread: the focuser shall stop, but its link is not up.  A motion that was under way when the link was lost
 * is owed a halt from here on: ERR_IO, with the sentence that people read.  ERR_IO as well, with another sentence,
 * when the link is lost and the motor was at rest; ERR_OK when there is no link and nothing to stop, or when it has
 * just been sent. */
enum err_code stop_kept_wish(struct device *dev, struct err *err);

/* Any thread: something new was asked of the focuser, so what became of an earlier STOP is no news any more. */
void stop_kept_end_news(struct stop_kept *k);

/* Any thread: fills in what is owed and what people are told of it. */
void stop_kept_state(const struct device *dev, struct focuser_state *out);

/* Worker: the motor is at rest, so the advice to stop what moves is no longer true. */
void stop_kept_at_rest(struct device *dev);

/* Worker: the link was lost, by `why`, in the middle of this motion.  owed says that the motion was to stop, unsure
 * that the driver had been told so. */
void stop_kept_lost(struct device *dev, const struct stopped_motion *motion, bool owed, bool unsure,
	const struct err *why);

/* Worker: a client has closed the link.  What is owed stays owed, for the next connect. */
void stop_kept_closed(struct device *dev);

/* Worker, before another try to open the link: a STOP that is too late to be sent is owed no more. */
void stop_kept_lapse(struct device *dev);

/* Worker: what becomes of the STOP that is owed, by what the device has just said. */
enum stop_verdict stop_kept_judge(const struct device *dev);

/* Worker: the driver was told and has failed; how often that was. */
int stop_kept_failed(struct stop_kept *k);

/* Worker: it is owed no more; sent says that the device was told. */
void stop_kept_settle(struct device *dev, enum stop_verdict verdict, bool sent);

/* Worker: the link is up, so nothing is kept any more but the news. */
void stop_kept_over(struct stop_kept *k);

#endif
