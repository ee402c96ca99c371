/* SPDX-License-Identifier: MIT */
/*
 * The store: one thread that owns the database of runs (focusd.db in the state directory) and writes small files.
 * A disk may take seconds for one write, and another program may hold the database for as long as it likes;
 * a telescope must be stoppable all the while.  So nobody waits for the disk here: a client hands over what is
 * to be written and goes on, or posts a question and picks up the answer later.
 *
 * Any thread may make any call below, also under a lock of its own: the lock in here is held for copying a
 * few kilobytes and never across a call to the disk.  store_open(), store_close(), store_last_run() and store_history()
 * wait for the disk and say so; they are never called under a lock or on a thread that serves clients.
 *
 * What is written: a run gets its row when it starts and is written again when it ends.  A run that cannot be
 * written (the disk is full, the database is locked) is kept in memory and tried again every second, in the order
 * in which the runs were handed over; the log says so once for the run, and again when it is written.  Questions are
 * answered from what is kept and from what is on the disk, as if it were one.
 */
#ifndef FOCUSD_STORE_H
#define FOCUSD_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "run.h"
#include "text.h"

/* So many runs may wait in memory for a disk that takes no writes; beyond this the oldest is lost, and the log says
 * so. */
#define STORE_KEPT_MAX 256
/* So many questions may wait, or have answers that wait to be picked up; beyond this the oldest gives way. */
#define STORE_ASKS_MAX 16
/* A question that finds no answer in this time is answered with an error (real milliseconds). */
#define STORE_PATIENCE_MS 10000
/* The most runs in one list. */
#define STORE_LIST_MAX 1000
/* A list knows the numberings of so many focusers; the runs of others are shown as they were published. */
#define STORE_FOCUSERS_MAX 16

struct store;

/*
 * Opens or creates the database in dir, brings an older schema up to date, closes runs that a power cut left
 * open ("cut short") and starts the thread.  Waits for the disk: called at the start, before anybody is served.
 * A damaged database is put aside as focusd.db.damaged-N and begun anew.  answered (may be NULL) is called without
 * locks on the store's thread whenever an answer is ready.  Where the disk takes nothing (full, read-only, no
 * directory) runs are kept in memory, with what can be read from the disk, and the log says what is lost.
 * ERR_INVALID_OPERATION when a newer program wrote the database, ERR_TIMEOUT when another program has held it for five
 * seconds, ERR_NOMEM; *out is then untouched.
 */
enum err_code store_open(const char *dir, void (*answered)(void *arg), void *arg, struct store **out,
	struct err *err);

/* Tries once more to write what is kept, says in the log what is lost, joins the thread and frees.  Waits for the
 * disk: called at the end, when motors rest.  Nobody may use the store any more.  NULL is fine. */
void store_close(struct store *store);

/* The id of a new run: greater than every id ever given out, also after a crash, because ids are reserved on the disk
 * ahead of their use.  Two exceptions: an id that is given out before the first reserve of a process is durable (which
 * the first one asks for) is protected a moment later; and where the disk takes nothing for so long that the reserve is
 * used up, ids go on and are good as long as this process lives; the log says so. */
uint64_t store_next_run_id(struct store *store);

/* Gives back an id whose run came to nothing, so that a client who asks again and again uses up none.  Does nothing
 * when a later one has been given out. */
void store_return_run_id(struct store *store, uint64_t id);

/* Keeps a copy of the run and has it written; a version of the same run that still waits is replaced.  False when out
 * of memory: nothing is kept. */
bool store_keep_run(struct store *store, const struct run *run);

/* Reads the newest run of a focuser (its device number) from the database: a copy that the caller frees with
 * run_free(); NULL when there is none. It waits for the disk, up to STORE_PATIENCE_MS, so it is called at the start
 * only. */
struct run *store_last_run(struct store *store, int focuser);

/* What earlier runs taught, of the newest eight that succeeded with the same focuser, camera, telescope, binning and
 * filter.  The sigmas are those of the next run's value.  NAN where unknown. */
struct store_history {
	double slope_px_per_step, slope_sigma;   /* > 0; of both arms */
	double hfr_min_px, hfr_min_sigma_px;     /* > 0; with the change of the seeing */
	double asymmetry, asymmetry_sigma;       /* as in struct run_taught */
	double backlash_steps;                   /* the most that was seen, >= 0 */
	double best_position, best_sigma_steps;  /* the last good position, by the numbering of today; sigma from the
						  * ways from run to run, NAN after a single run */
	double temperature_c;                    /* at the last good position */
	uint64_t run;                            /* the newest that taught, */
	int64_t utc_ms;                          /* and when it began */
	int runs;                                /* so many taught */
	struct run_field field;                  /* of the newest that taught one; by the numbering of today */
};

/* Tells what was learned for a run like this one: its focuser, camera, both names, binning, filter, telescope and
 * numbering count.  Where no run had this filter, what others taught counts, without the position.  False (out
 * untouched) when nothing is known.  What this process has seen itself is known without the disk; for the rest the
 * first call waits up to patience_ms (real), so only a thread that nobody waits for, and that holds no lock, may
 * call. */
bool store_history(struct store *store, const struct run *like, int patience_ms, struct store_history *out);

/* Posts a question and returns its ticket (> 0) at once.  limit is 1..STORE_LIST_MAX. */
uint64_t store_ask_run(struct store *store, uint64_t id);
/* today[N], for N < count, is how positions of focuser N are published today; its runs are told by run_renumber().  It
 * is copied, up to STORE_FOCUSERS_MAX of them. */
uint64_t store_ask_list(struct store *store, int limit, const struct numbering *today, int count);

/* What was learned with this focuser, 0..STORE_FOCUSERS_MAX - 1.  The text of the answer is {"focuser": N, "learned":
 * [{"camera", "camera_name", "binning", "filter", "focal_length_mm", "aperture_mm", the members of struct
 * store_history, "last_run", "date"}, ...]}.  forget: all of it is forgotten first, on the disk, too; the runs stay in
 * the history. */
uint64_t store_ask_learned(struct store *store, int focuser, const struct numbering *today, bool forget);

/* An answer; whoever takes it frees it with store_answer_fini(). */
struct store_answer {
	struct err err;   /* ERR_OK; ERR_INVALID_VALUE: there is no such run; ERR_TIMEOUT: not in time (the disk is
	                   * slow, the database is locked, or too many asked); ERR_IO, ERR_NOMEM */
	struct run *run;  /* of store_ask_run(), with its points */
	struct buf text;  /* of store_ask_list(): a JSON array of runs that are over, newest first, without points; of
			   * store_ask_learned(), as described there */
};

/* Picks up an answer, once.  False (out untouched) when there is none yet.  A ticket whose question was refused, or
 * whose answer nobody picked up for a while, is answered with ERR_TIMEOUT. */
bool store_take(struct store *store, uint64_t ticket, struct store_answer *out);
void store_answer_fini(struct store_answer *answer);

/* Has a whole small file written so that a power cut leaves the old or the new one (see state_write_file()); text
 * is copied, and a content for the same path that still waits is replaced.  A failure is told in the log for
 * `source`, with what it means: "PATH cannot be written: ...; CONSEQUENCE". */
void store_write_file(struct store *store, const char *path, const char *text, const char *source,
	const char *consequence);

/* Waits until all that was handed over has been tried; for tests. */
void store_flush(struct store *store);

#endif
