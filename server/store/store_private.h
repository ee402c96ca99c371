/* SPDX-License-Identifier: MIT */
/* The inside of the store: store.c has the thread and writes, store_asks.c answers questions. */
#ifndef FOCUSD_STORE_PRIVATE_H
#define FOCUSD_STORE_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "kept.h"
#include "learned.h"
#include "log.h"
#include "runs_db.h"
#include "store.h"

/* So many small files may wait to be written: one for each of the 2 x 10 devices, with room to spare. */
#define STORE_FILES_MAX 32

enum ask_kind { ASK_RUN, ASK_LAST, ASK_LIST, ASK_LEARNED, ASK_FORGET };
enum ask_state { ASK_FREE, ASK_WAITING, ASK_WORKING, ASK_ANSWERED };

struct ask {
	enum ask_state state;
	enum ask_kind kind;
	uint64_t ticket;
	uint64_t number;                 /* id of the run, or the limit of the list */
	int focuser;                     /* of ASK_LAST, ASK_LEARNED, ASK_FORGET */
	int64_t again_ms;                /* the question is not tried before this; all times are on clock_real() */
	int64_t deadline_ms;
	int64_t answered_ms;
	struct numbering today[STORE_FOCUSERS_MAX]; /* of ASK_LIST; of ASK_LEARNED and ASK_FORGET the first */
	struct store_answer answer;
};

struct store_file {
	char *path, *text;               /* owned; path NULL: free */
	char source[32];
	char consequence[120];
};

struct store {
	struct runs_db *db;              /* only the thread uses it while it runs */
	void (*answered)(void *arg);
	void *arg;
	pthread_t thread;
	_Atomic uint64_t next_id;        /* the id that is given out next */

	pthread_mutex_t lock;            /* a leaf: no other lock is taken while this one is held, and the disk is not
					  * called */
	pthread_cond_t work;             /* wakes the thread */
	pthread_cond_t changed;          /* wakes store_history() and store_flush() */
	bool quit;
	int64_t quit_ms;                 /* what cannot be written by then is lost */
	bool busy;                       /* the thread works and has given the lock back meanwhile */
	bool news;                       /* somebody waits for an answer and has to be woken */
	uint64_t reserved;               /* ids up to this are used up on the disk */
	struct kept kept;
	int64_t write_ms;                /* when runs are written or ids are reserved next */
	struct ask ask[STORE_ASKS_MAX];
	uint64_t tickets;
	struct store_file file[STORE_FILES_MAX];
	struct learned learned;
	bool learned_read[STORE_FOCUSERS_MAX]; /* the disk was asked for what its runs teach */

	/* Only the thread uses these. */
	struct log_lasting reserve_failures;
	struct log_lasting slow;     /* the disk takes seconds for a run */
};

/* Answers one question that is due; false when none is. The caller holds the lock, which is given back meanwhile. */
bool store_asks_work(struct store *store, int64_t now_ms);

/* Answers questions whose time is over and forgets answers that nobody picks up. The caller holds the lock. */
void store_asks_expire(struct store *store, int64_t now_ms);

/* When the next question is due or its time is over; CLOCK_NEVER when none waits. The caller holds the lock. */
int64_t store_asks_next_ms(const struct store *store);

/* Frees all questions and answers. */
void store_asks_fini(struct store *store);

#endif
