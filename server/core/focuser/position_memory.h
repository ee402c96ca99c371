/* SPDX-License-Identifier: MIT */
/*
 * What a focuser remembers of its position across links, restarts and power cuts, and how far the position is
 * trusted.  It stands between the worker, the journal (position_journal.h) and SetPosition.  Every function is for
 * the worker with the device's lock held unless it says otherwise.
 */
#ifndef FOCUSD_FOCUSER_MEMORY_H
#define FOCUSD_FOCUSER_MEMORY_H

#include <stdbool.h>
#include <stdint.h>

#include "err.h"
#include "log.h"
#include "position_journal.h"
#include "step.h"

struct device;
struct focuser_state;

struct focuser_memory {
	enum focuser_trust trust;
	bool offset_known;
	int32_t offset;             /* motor's steps; see position_journal.h */
	bool span_known;            /* how wrong the count can be is known, motor's steps; see position_journal.h */
	int32_t span_low, span_high;
	char why[FOCUSER_WHY];

	bool opened;                /* the journal was read */
	struct position_journal *journal; /* NULL: nothing is remembered across restarts */
	enum position_found found;
	bool has_last;
	struct position_entry last; /* the newest entry, written or on its way; while moving where it was */
	int32_t noted_position;     /* the position in the entry that was last given to the journal */
	uint64_t ticket;            /* of the newest entry */
	bool failing;               /* the newest entry could not be written, or not before its move began */
	uint64_t noted_op;          /* the operation whose way the newest entry tells */
	int64_t patience_real_ms;   /* until when that operation waits for it */
	int64_t progress_ms;        /* device clock; when the way was last noted */
	int64_t retry_real_ms;      /* when an entry that failed is tried again at rest */
	struct log_lasting late;     /* moves begin before they are on the disk */
	struct log_lasting doubtful; /* moves with a position that is not known */
	struct log_lasting doubts;   /* the position is found to be not known */
};

/* Without the lock, before the link comes up: reads the journal, once. */
void memory_open(struct device *dev);

/* Writes what is still to be written and frees the journal.  The worker must have ended. */
void memory_close(struct device *dev);

/* The device's limits are known anew, and nothing was noted since: finds what a focusd that numbered positions
 * otherwise has left behind, and says so. */
void memory_renumber(struct device *dev);

/* The link came up and the device has said where it is: decides how far the position is trusted. */
void memory_judge(struct device *dev);

/* A move is about to start as planned: true when its way is on the disk (or cannot be brought there),
 * false when the worker shall come again at *next_ms of the device's clock. */
bool memory_begin(struct device *dev, int64_t *next_ms);

/* After each reading and at the end of each operation: notes what has changed, if it is worth it. */
void memory_seen(struct device *dev);

/* Notes that the motor rests where it was last read. */
void memory_rest(struct device *dev);

/* The count is not to be relied on any more, for the reason why (a sentence; copied). */
void memory_doubt(struct device *dev, const char *why);

/* The device was told to count from where it was last seen, motor's steps, in place of what it said: after a power cut
 * on the way that is a guess, and the position is unknown within that way; else it is known. */
void memory_restored(struct device *dev, int32_t said, int32_t seen);

/* The device counts anew by its own doing, after a calibration: its word counts, whatever was before. */
void memory_afresh(struct device *dev);

/* Any thread, locked: ERR_INVALID_OPERATION for a move that would leave the range by the remembered
 * count. */
enum err_code memory_allows(struct device *dev, int32_t target, struct err *err);

/* Any thread, locked: the fields of the state that are told from here. */
void memory_state(struct device *dev, struct focuser_state *out);

#endif
