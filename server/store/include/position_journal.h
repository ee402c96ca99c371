/* SPDX-License-Identifier: MIT */
/*
 * The journal of where a motor is, `position-N` in the state directory (`simulator-position-N` for a simulated one):
 * written so that a power cut at any instant loses nothing, and read by anybody (it is two lines of JSON).
 *
 * The file is two slots of 4096 bytes, which take turns: an entry with an odd sequence number goes to
 * the second, one with an even number to the first, so what was written last is never written over and
 * never shares a block with what is.  A slot is one line of JSON, padded with blanks, ended by a newline:
 *
 *   {"crc32":"0a1b2c3d","format":"focusd-position","version":1,"sequence":7,"time":"2026-...Z",
 *    "motion":"rest"|"moving","position":7600,"from":7600,"target":7600,"low":7600,"high":7600,
 *    "trust":"known"|"shifted"|"unknown","offset":0|null,["span_low":-400,"span_high":600,]
 *    "why":null|"...","reverse":false,
 *    "max_step":65535,"mirror":65535,"lowest":0,"calibrated":false,"driver":"moonlite","device":"...","port":"...",
 *    "port_serial":null|"..."}
 *
 * crc32 is zlib's, eight lower case hex digits, over the bytes from 20 (the quote that opens "format")
 * to 4095, padding and newline included.  A slot that was never used is blanks and a newline.  The
 * entry that counts is the one with the higher sequence number among those whose checksum is right.
 *
 * Numbers of steps are the motor's own; max_step is the limit that clients saw, and mirror and lowest are the motor's
 * limits, which with reverse and calibrated make the numbering (numbering.h) that clients saw.  Entries of focusd 0.1.0
 * have neither lowest nor calibrated: it published the motor's own numbers, and with reverse counted down from mirror,
 * which is a numbering with a lowest of 0.  old_min_step and old_max_step are there only where limits of that time are
 * refused.  position is where the motor was last
 * seen; while it moves, from, target, low and high describe the way, overshoot included.  offset is
 * what has to be added to the motor's count to get the count from before a shift; null where that
 * is not known.  span_low and span_high are there when the motor lost its count on the way: the true count is the
 * motor's and something between the two.
 *
 * Each write is one pwrite of a whole slot and an fdatasync, on a thread of the journal's own: an SD
 * card may take a second for it, and a halt must not wait for that.  Only the start of a move waits for
 * its entry, at most POSITION_JOURNAL_PATIENCE_MS.  Of entries that come faster than the disk takes
 * them only the newest is written.  Nothing is written while nothing changes: a move costs two writes,
 * and one more in each five seconds that it lasts.  The blocks exist from the first entry on, so a full
 * disk does not stop the journal later.
 */
#ifndef FOCUSD_POSITION_JOURNAL_H
#define FOCUSD_POSITION_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "clock.h"
#include "err.h"
#include "numbering.h"
#include "position_trust.h"

#define POSITION_SLOT_SIZE 4096
#define POSITION_SLOTS 2
#define POSITION_JOURNAL_SIZE (POSITION_SLOTS * POSITION_SLOT_SIZE)
/* The worker of a device waits so long for the entry of a move before the move starts. If the entry is not on the disk
 * then, the move starts all the same, and the position is said to be unprotected until the entry is written (real
 * milliseconds). A halt never waits. */
#define POSITION_JOURNAL_PATIENCE_MS 2000

/* One entry.  Steps are the motor's own. */
struct position_entry {
	uint64_t sequence;      /* given by the journal */
	char time[CLOCK_UTC_TEXT];
	bool moving;
	int32_t position;       /* where it was last seen */
	int32_t from, target;   /* of the way; at rest both are the position */
	int32_t low, high;      /* every place the way may lead through */
	enum focuser_trust trust;
	bool offset_known;
	int32_t offset;         /* what has to be added to the motor's count to get the count from before the shift */
	bool span_known;        /* it is known how wrong the count can be; only of an unknown position */
	int32_t span_low, span_high; /* what may have to be added to the motor's count, from low to high */
	char why[FOCUSER_WHY];  /* for people; "" when the position is known */
	struct numbering numbering; /* how clients saw these numbers */
	bool before_shift;      /* written by focusd 0.1.0; see above */
	/* Configured limits that were written for the motor's own numbers, which 0.1.0 published, and that are refused
	 * until they are changed; 0 none. */
	int32_t old_min_step, old_max_step;
	int32_t max_step;       /* the highest position that clients saw */
	char driver[32];
	char device[96];        /* what the device said it is */
	char port[256];         /* as configured */
	char port_serial[96];   /* serial number of the USB adapter; "" unknown */
};

/* What reading a journal found. */
enum position_found {
	POSITION_NONE,    /* no file, or nothing was written to it */
	POSITION_READ,
	POSITION_MENDED,  /* the newest slot was torn; the one before it is good */
	POSITION_DAMAGED, /* something was there and cannot be read */
};

/* Prints an entry into a slot of POSITION_SLOT_SIZE bytes; false when out of memory. */
bool position_slot_print(const struct position_entry *entry, char *slot);

/* Reads one slot; false (out untouched) unless it is whole and makes sense. */
bool position_slot_parse(const char *slot, struct position_entry *out);

/* Finds the entry that counts in the bytes of a journal; a short file is a damaged one. */
enum position_found position_journal_find(const char *bytes, size_t len, struct position_entry *out);

/* Reads the entry that counts from a file. err (may be NULL) says why the file is POSITION_DAMAGED. */
enum position_found position_journal_read(const char *path, struct position_entry *out, struct err *err);

struct position_journal;

/* Makes a journal that writes to path and goes on after the entry `last` (NULL: none). It touches no file before the
 * first note. done (may be NULL) is called without locks, on the journal's thread, each time an entry has been written
 * or could not be. NULL when out of memory or threads. */
struct position_journal *position_journal_create(const char *path, const char *source,
	const struct position_entry *last, void (*done)(void *arg), void *arg);

/* Hands over a copy of an entry to be written and returns at once.  The ticket is for the next call. */
uint64_t position_journal_note(struct position_journal *journal, const struct position_entry *entry);

/* Whether that entry, or a newer one, is on the disk or could not be brought there (*failed). */
bool position_journal_settled(struct position_journal *journal, uint64_t ticket, bool *failed);

/* Writes what is still to be written, then frees; NULL is fine. */
void position_journal_destroy(struct position_journal *journal);

#endif
