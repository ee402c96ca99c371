/* SPDX-License-Identifier: MIT */
/* The inside of the store: store.c has the thread and what is written, store_asks.c the questions. */
#ifndef FOCUSD_STORE_PRIVATE_H
#define FOCUSD_STORE_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "kept.h"
#include "learned.h"
#include "log.h"
#include "runs_db.h"
#include "store.h"

/* Small files that wait to be written: one for each of the 2 x 10 devices fits, with room to spare. */
#define STORE_FILES_MAX 32

enum ask_kind { ASK_RUN, ASK_LAST, ASK_LIST, ASK_HISTORY };
enum ask_state { ASK_FREE, ASK_WAITING, ASK_WORKING, ASK_ANSWERED };

struct ask {
	enum ask_state state;
	enum ask_kind kind;
	uint64_t ticket;
	uint64_t number;                 /* id of the run, or the limit of the list */
	int focuser, camera, binning;    /* of ASK_HISTORY; the first of ASK_LAST, too */
	int64_t again_ms;                /* not before this; all times on clock_real() */
	int64_t deadline_ms;
	int64_t answered_ms;
	struct store_answer answer;
	bool known;                      /* of ASK_HISTORY */
	struct store_history history;
};

struct store_file {
	char *path, *text;               /* owned; path NULL: free */
	char source[32];
	char consequence[120];
};

struct store {
	struct runs_db *db;              /* the thread's own while it runs */
	void (*answered)(void *arg);
	void *arg;
	pthread_t thread;
	_Atomic uint64_t next_id;        /* the id that is given out next */

	pthread_mutex_t lock;            /* a leaf: nothing else is taken under it, and no call to the disk is made */
	pthread_cond_t work;             /* for the thread */
	pthread_cond_t changed;          /* for store_history() and store_flush() */
	bool quit;
	int64_t quit_ms;                 /* what cannot be written by then is lost */
	bool busy;                       /* the thread is at work with the lock given back */
	bool news;                       /* somebody has to be woken */
	uint64_t reserved;               /* ids up to this are used up on the disk */
	struct kept kept;
	int64_t write_ms;                /* the next try to write runs or to reserve ids */
	struct ask ask[STORE_ASKS_MAX];
	uint64_t tickets;
	struct store_file file[STORE_FILES_MAX];
	struct learned learned;

	/* The thread's own. */
	struct log_repeat write_failures;
	struct log_repeat reserve_failures;
	struct log_repeat slow;
};

/* One question that is due, answered with the lock given back meanwhile; with the lock held.  False when none is. */
bool store_asks_work(struct store *store, int64_t now_ms);

/* Answers questions whose time is over and forgets answers that nobody picks up; with the lock held. */
void store_asks_expire(struct store *store, int64_t now_ms);

/* When the next question is due or its time is over; CLOCK_NEVER when none waits.  With the lock held. */
int64_t store_asks_next_ms(const struct store *store);

/* Frees all questions and answers. */
void store_asks_fini(struct store *store);

#endif
