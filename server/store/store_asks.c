/* SPDX-License-Identifier: MIT */
/* Questions stand in a table of few slots; the store's thread answers the oldest first. */
#include "store_private.h"

#include <stdlib.h>
#include <string.h>

#include "clock.h"

/* A question that met the lock of another program is tried again after this time. */
#define AGAIN_MS 200
/* An answer that nobody has picked up for so long belongs to a client that has left. */
#define FORGET_MS 15000
/* The most bytes of an answer: a list of STORE_LIST_MAX runs at about 1 KB each, four times over. */
#define LIST_CEILING (4 * 1024 * 1024)

void store_answer_fini(struct store_answer *answer)
{
	run_free(answer->run);
	buf_fini(&answer->text);
	*answer = (struct store_answer){.run = NULL};
}

static void free_ask(struct ask *ask)
{
	store_answer_fini(&ask->answer);
	*ask = (struct ask){.state = ASK_FREE};
}

/* Marks a question as answered and wakes whoever waits. The caller holds the lock. */
static void answered(struct store *store, struct ask *ask)
{
	ask->state = ASK_ANSWERED;
	ask->answered_ms = clock_now_ms(clock_real());
	store->news = true;
	pthread_cond_broadcast(&store->changed);
}

/* Finds a slot: a free one, or else that of the oldest answer that waits to be picked up, or else that of the oldest
 * question. Whoever waits for what gave way learns it from store_take(). */
static struct ask *slot_for_one_more(struct store *store)
{
	struct ask *oldest = NULL;
	for (int i = 0; i < STORE_ASKS_MAX; i++) {
		struct ask *ask = &store->ask[i];
		if (ask->state == ASK_FREE) {
			return ask;
		}
		/* At most one question is being worked on, so there is always another that can give way. */
		bool older = ask->state != ASK_WORKING &&
			     (oldest == NULL || (ask->state == oldest->state ? ask->ticket < oldest->ticket
									     : ask->state == ASK_ANSWERED));
		oldest = older ? ask : oldest;
	}
	free_ask(oldest);
	store->news = true;
	pthread_cond_broadcast(&store->changed);
	return oldest;
}

/* Posts a question and returns its ticket. The caller holds the lock. */
static uint64_t post(struct store *store, const struct ask *what)
{
	struct ask *ask = slot_for_one_more(store);
	int64_t now = clock_now_ms(clock_real());
	*ask = *what;
	ask->state = ASK_WAITING;
	ask->ticket = ++store->tickets;
	ask->again_ms = now;
	ask->deadline_ms = now + STORE_PATIENCE_MS;
	pthread_cond_signal(&store->work);
	return ask->ticket;
}

uint64_t store_ask_run(struct store *store, uint64_t id)
{
	pthread_mutex_lock(&store->lock);
	uint64_t ticket = post(store, &(struct ask){.kind = ASK_RUN, .number = id});
	pthread_mutex_unlock(&store->lock);
	return ticket;
}

uint64_t store_ask_list(struct store *store, int limit, const struct numbering *today, int count)
{
	struct ask ask = {.kind = ASK_LIST};
	uint64_t most = limit < 1 ? 1 : limit > STORE_LIST_MAX ? STORE_LIST_MAX : (uint64_t)limit;
	ask.number = most;
	for (int i = 0; i < count && i < STORE_FOCUSERS_MAX; i++) {
		ask.today[i] = today[i];
	}
	pthread_mutex_lock(&store->lock);
	uint64_t ticket = post(store, &ask);
	pthread_mutex_unlock(&store->lock);
	return ticket;
}

uint64_t store_ask_learned(struct store *store, int focuser, const struct numbering *today, bool forget)
{
	struct ask ask = {.kind = forget ? ASK_FORGET : ASK_LEARNED, .focuser = focuser, .today = {*today}};
	pthread_mutex_lock(&store->lock);
	uint64_t ticket = post(store, &ask);
	pthread_mutex_unlock(&store->lock);
	return ticket;
}

static struct ask *find(struct store *store, uint64_t ticket)
{
	for (int i = 0; i < STORE_ASKS_MAX; i++) {
		if (store->ask[i].state != ASK_FREE && store->ask[i].ticket == ticket) {
			return &store->ask[i];
		}
	}
	return NULL;
}

bool store_take(struct store *store, uint64_t ticket, struct store_answer *out)
{
	pthread_mutex_lock(&store->lock);
	struct ask *ask = find(store, ticket);
	bool done = ask == NULL || ask->state == ASK_ANSWERED;
	if (ask == NULL) {
		*out = (struct store_answer){.run = NULL};
		err_set(&out->err, ERR_TIMEOUT, "too many questions to the run store at once");
	} else if (done) {
		*out = ask->answer;
		ask->answer = (struct store_answer){.run = NULL};
		free_ask(ask);
	}
	pthread_mutex_unlock(&store->lock);
	return done;
}

/* Posts a question, waits for its answer until the patience ends, and copies it; false when it did not come in time.
 * The caller holds the lock. */
static bool ask_and_wait(struct store *store, const struct ask *what, int patience_ms, struct ask *out)
{
	int64_t deadline = clock_now_ms(clock_real()) + patience_ms;
	uint64_t ticket = post(store, what);
	for (;;) {
		struct ask *ask = find(store, ticket);
		if (ask == NULL) {
			return false;
		}
		if (ask->state == ASK_ANSWERED) {
			*out = *ask;
			*ask = (struct ask){.state = ASK_FREE};
			return true;
		}
		if (clock_wait(clock_real(), &store->changed, &store->lock, deadline)) {
			/* A question that the thread is working on stays; its answer is forgotten later. */
			ask = find(store, ticket);
			if (ask != NULL && ask->state == ASK_WAITING) {
				free_ask(ask);
			}
			return false;
		}
	}
}

bool store_history(struct store *store, const struct run *like, int patience_ms, struct store_history *out)
{
	struct ask found = {.answer = {.run = NULL}};
	pthread_mutex_lock(&store->lock);
	if (like->focuser >= 0 && like->focuser < STORE_FOCUSERS_MAX && !store->learned_read[like->focuser]) {
		ask_and_wait(store, &(struct ask){.kind = ASK_LEARNED, .focuser = like->focuser}, patience_ms, &found);
	}
	bool known = learned_get(&store->learned, like, out);
	pthread_mutex_unlock(&store->lock);
	store_answer_fini(&found.answer);
	return known;
}

struct run *store_last_run(struct store *store, int focuser)
{
	struct ask found = {.answer = {.run = NULL}};
	pthread_mutex_lock(&store->lock);
	ask_and_wait(store, &(struct ask){.kind = ASK_LAST, .focuser = focuser}, STORE_PATIENCE_MS, &found);
	pthread_mutex_unlock(&store->lock);
	return found.answer.run;
}

/* ---- on the thread ---- */

/* A list is put together from two sources: runs in memory, newest first, and rows of the database. */
struct merge {
	struct run *kept;
	size_t kept_count, at;
	uint64_t left;
	const struct numbering *today; /* STORE_FOCUSERS_MAX of them */
	struct buf *out;
};

static void add_run(struct merge *merge, const struct run *run)
{
	if (merge->left > 0) {
		merge->left--;
		buf_puts(merge->out, merge->out->len > 1 ? "," : "");
		struct run shown = *run;
		shown.points = NULL;
		if (run->focuser >= 0 && run->focuser < STORE_FOCUSERS_MAX) {
			run_renumber(&shown, &merge->today[run->focuser]);
		}
		run_json_summary(&shown, merge->out);
	}
}

/* Adds the runs in memory that are newer than the row, then the row; a row is passed over when its run is in memory,
 * too, because the row is older. */
static bool add_row(void *arg, const struct run *row)
{
	struct merge *merge = arg;
	while (merge->at < merge->kept_count && merge->kept[merge->at].id > row->id) {
		add_run(merge, &merge->kept[merge->at++]);
	}
	if (merge->at < merge->kept_count && merge->kept[merge->at].id == row->id) {
		add_run(merge, &merge->kept[merge->at++]);
	} else {
		add_run(merge, row);
	}
	return merge->left > 0;
}

static int newest_first(const void *a, const void *b)
{
	uint64_t x = ((const struct run *)a)->id;
	uint64_t y = ((const struct run *)b)->id;
	return (x < y) - (x > y);
}

/* Copies the runs in memory that are over, without points; false when out of memory. The caller holds the lock. */
static bool copy_kept(const struct store *store, struct merge *merge)
{
	merge->kept = calloc(store->kept.count + 1, sizeof *merge->kept);
	for (size_t i = 0; merge->kept != NULL && i < store->kept.count; i++) {
		const struct run *run = store->kept.item[i].run;
		if (run->state != RUN_RUNNING) {
			merge->kept[merge->kept_count] = *run;
			merge->kept[merge->kept_count].points = NULL;
			merge->kept[merge->kept_count++].point_count = 0;
		}
	}
	if (merge->kept_count > 1) {
		qsort(merge->kept, merge->kept_count, sizeof *merge->kept, newest_first);
	}
	return merge->kept != NULL;
}

/* Answers a question for a list. The caller holds the lock, which is given back meanwhile. */
static void make_list(struct store *store, struct ask *ask)
{
	struct store_answer answer = {.run = NULL};
	struct numbering today[STORE_FOCUSERS_MAX];
	memcpy(today, ask->today, sizeof today);
	struct merge merge = {.left = ask->number, .today = today, .out = &answer.text};
	bool copied = copy_kept(store, &merge);
	pthread_mutex_unlock(&store->lock);
	buf_init(&answer.text, LIST_CEILING);
	buf_putc(&answer.text, '[');
	if (copied && runs_db_each(store->db, add_row, &merge, &answer.err) == ERR_OK) {
		while (merge.at < merge.kept_count) {
			add_run(&merge, &merge.kept[merge.at++]);
		}
		buf_putc(&answer.text, ']');
	}
	if (!copied || answer.text.failed) {
		err_set(&answer.err, ERR_NOMEM, "there is no memory for the list just now");
	}
	free(merge.kept);
	pthread_mutex_lock(&store->lock);
	ask->answer = answer;
}

/* Answers a question for one run. The caller holds the lock, which is given back meanwhile. */
static void find_run(struct store *store, struct ask *ask)
{
	struct store_answer answer = {.run = NULL};
	const struct kept_run *kept = ask->kind == ASK_RUN ? kept_find(&store->kept, ask->number) : NULL;
	if (kept != NULL) {
		ask->answer.run = run_copy(kept->run);
		if (ask->answer.run == NULL) {
			err_set(&ask->answer.err, ERR_NOMEM, "out of memory");
		}
		return;
	}
	struct ask what = *ask;
	pthread_mutex_unlock(&store->lock);
	answer.run = what.kind == ASK_LAST ? runs_db_last(store->db, what.focuser, &answer.err)
					   : runs_db_load(store->db, what.number, &answer.err);
	pthread_mutex_lock(&store->lock);
	ask->answer = answer;
}

/* Learns from a row of the database. */
static bool learn_row(void *arg, const struct run *row)
{
	struct store *store = arg;
	pthread_mutex_lock(&store->lock);
	learned_add(&store->learned, row);
	pthread_mutex_unlock(&store->lock);
	return true;
}

/* Tells what is learned, after all of it was forgotten where that is wished; the disk is read once. The caller holds
 * the lock, which is given back meanwhile. */
static void tell_learned(struct store *store, struct ask *ask)
{
	struct store_answer answer = {.run = NULL};
	struct ask what = *ask;
	bool *read = &store->learned_read[what.focuser];
	bool forget = what.kind == ASK_FORGET;
	bool need = !*read;
	uint64_t upto = atomic_load(&store->next_id) - 1;
	pthread_mutex_unlock(&store->lock);
	enum err_code code = forget ? runs_db_forget(store->db, what.focuser, upto, &answer.err)
			     : need ? runs_db_lessons(store->db, what.focuser, learn_row, store, &answer.err) : ERR_OK;
	pthread_mutex_lock(&store->lock);
	if (code == ERR_OK) {
		*read = true;
		if (forget) {
			learned_forget(&store->learned, what.focuser, upto);
		}
		buf_init(&answer.text, LIST_CEILING);
		learned_json(&store->learned, what.focuser, &what.today[0], &answer.text);
	}
	ask->answer = answer;
}

bool store_asks_work(struct store *store, int64_t now_ms)
{
	struct ask *ask = NULL;
	for (int i = 0; i < STORE_ASKS_MAX; i++) {
		struct ask *at = &store->ask[i];
		if (at->state == ASK_WAITING && at->again_ms <= now_ms &&
			(ask == NULL || at->ticket < ask->ticket)) {
			ask = at;
		}
	}
	if (ask == NULL) {
		return false;
	}
	ask->state = ASK_WORKING;
	switch (ask->kind) {
	case ASK_RUN:
	case ASK_LAST:
		find_run(store, ask);
		break;
	case ASK_LIST:
		make_list(store, ask);
		break;
	case ASK_LEARNED:
	case ASK_FORGET:
		tell_learned(store, ask);
		break;
	}
	int64_t now = clock_now_ms(clock_real());
	if (ask->answer.err.code == ERR_TIMEOUT && now < ask->deadline_ms && !store->quit) {
		store_answer_fini(&ask->answer);
		ask->state = ASK_WAITING;
		ask->again_ms = now + AGAIN_MS;
	} else {
		answered(store, ask);
	}
	return true;
}

void store_asks_expire(struct store *store, int64_t now_ms)
{
	for (int i = 0; i < STORE_ASKS_MAX; i++) {
		struct ask *ask = &store->ask[i];
		if (ask->state == ASK_WAITING && now_ms >= ask->deadline_ms) {
			err_set(&ask->answer.err, ERR_TIMEOUT, "the run store did not answer in %d s: the disk is slow",
				STORE_PATIENCE_MS / 1000);
			answered(store, ask);
		} else if (ask->state == ASK_ANSWERED && now_ms >= ask->answered_ms + FORGET_MS) {
			free_ask(ask);
		}
	}
}

int64_t store_asks_next_ms(const struct store *store)
{
	int64_t next = CLOCK_NEVER;
	for (int i = 0; i < STORE_ASKS_MAX; i++) {
		const struct ask *ask = &store->ask[i];
		if (ask->state == ASK_WAITING) {
			int64_t at = ask->again_ms < ask->deadline_ms ? ask->again_ms : ask->deadline_ms;
			next = at < next ? at : next;
		} else if (ask->state == ASK_ANSWERED) {
			next = ask->answered_ms + FORGET_MS < next ? ask->answered_ms + FORGET_MS : next;
		}
	}
	return next;
}

void store_asks_fini(struct store *store)
{
	for (int i = 0; i < STORE_ASKS_MAX; i++) {
		free_ask(&store->ask[i]);
	}
}
