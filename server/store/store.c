/* SPDX-License-Identifier: MIT */
/* The store's thread, and the calls that hand over what is to be written. */
#include "store_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "clock.h"
#include "state.h"
#include "turn.h"

/* The thread is so nice, in the sense of nice(2): building lists of a thousand runs for whoever asks without end must
 * not take the processor from the threads that carry STOP (benchmark P25). Those never wait for its lock. */
#define STORE_NICE 5
/* A write that failed is tried again after this time. */
#define WRITE_AGAIN_MS 1000
/* A write that takes longer is told in the log. */
#define SLOW_MS 1000
/* When the store is closed, it tries for so long to write what has not been written. */
#define QUIT_PATIENCE_MS 5000
/* RESERVE_IDS ids are reserved ahead, and again when fewer than RESERVE_LOW of them are left: that many runs can start
 * while one write is under way. After a power cut the next id skips what was reserved. */
#define RESERVE_IDS 16
#define RESERVE_LOW 8
/* Ids are reserved so long after the start (real milliseconds), or when the first one is asked for. A start takes about
 * 15 ms to the first answer, and ten times that on a small board (benchmark P19). */
#define FIRST_WRITE_MS 200

static bool reserve_due(const struct store *store)
{
	return atomic_load(&store->next_id) + RESERVE_LOW > store->reserved;
}

static void raise_next_id(struct store *store, uint64_t least)
{
	uint64_t next = atomic_load(&store->next_id);
	while (next < least && !atomic_compare_exchange_weak(&store->next_id, &next, least)) {
	}
}

/* Reserves more ids. The caller holds the lock, which is given back meanwhile. */
static void reserve(struct store *store)
{
	uint64_t below = atomic_load(&store->next_id) - 1;
	pthread_mutex_unlock(&store->lock);
	struct err err = {0};
	uint64_t highest = 0;
	uint64_t reserved = 0;
	enum err_code code = runs_db_reserve(store->db, below, RESERVE_IDS, &highest, &reserved, &err);
	if (code == ERR_OK) {
		/* An id that was given out may have been given back meanwhile. */
		if (highest > below) {
			raise_next_id(store, highest + 1);
		}
		(void)log_lasting_over(&store->reserve_failures);
	} else if (log_lasting_news(&store->reserve_failures, err.text)) {
		log_warn("store", "%s; without that a power cut may lead to a number that was used before", err.text);
	}
	pthread_mutex_lock(&store->lock);
	if (code == ERR_OK) {
		store->reserved = reserved;
	} else {
		store->write_ms = clock_now_ms(clock_real()) + WRITE_AGAIN_MS;
	}
}

/* Says of each run, once, that it waits: the oldest could not be written, and the others are behind it. The caller
 * holds the lock, which is given back meanwhile. */
static void tell_kept(struct store *store, const struct err *why)
{
	for (size_t i = 0; i < store->kept.count; i++) {
		struct kept_run *item = &store->kept.item[i];
		if (item->told) {
			continue;
		}
		item->told = true;
		uint64_t id = item->run->id;
		pthread_mutex_unlock(&store->lock);
		log_warn("store", "run %llu could not be written yet: %s; it is kept", (unsigned long long)id,
			why->text);
		pthread_mutex_lock(&store->lock);
	}
}

/* Tries to write the oldest run that waits. The caller holds the lock, which is given back meanwhile. */
static void write_run(struct store *store)
{
	struct kept_run *item = &store->kept.item[0];
	uint64_t version = item->version;
	uint64_t id = item->run->id;
	bool told = item->told;
	struct run *copy = run_copy(item->run);
	item->writing = true;
	pthread_mutex_unlock(&store->lock);
	struct err err = {.code = ERR_NOMEM, .text = "out of memory"};
	int64_t begin = clock_now_ms(clock_real());
	enum err_code code = copy != NULL ? runs_db_save(store->db, copy, &err) : ERR_NOMEM;
	int64_t took = clock_now_ms(clock_real()) - begin;
	run_free(copy);
	if (code == ERR_OK && told) {
		log_info("store", "run %llu is written", (unsigned long long)id);
	} else if (code == ERR_OK && took < SLOW_MS) {
		(void)log_lasting_over(&store->slow);
	} else if (code == ERR_OK && log_lasting_news(&store->slow, "slow")) {
		log_warn("store", "the disk is slow: run %llu took %.1f s to be written", (unsigned long long)id,
			(double)took / 1000);
	}
	pthread_mutex_lock(&store->lock);
	item = kept_find(&store->kept, id);
	if (item != NULL) {
		item->writing = false;
	}
	if (code == ERR_OK) {
		store->write_ms = 0;
		kept_written(&store->kept, id, version);
	} else {
		store->write_ms = clock_now_ms(clock_real()) + WRITE_AGAIN_MS;
		tell_kept(store, &err);
	}
}

static struct store_file *waiting_file(struct store *store)
{
	for (int i = 0; i < STORE_FILES_MAX; i++) {
		if (store->file[i].path != NULL) {
			return &store->file[i];
		}
	}
	return NULL;
}

/* Writes one small file. The caller holds the lock, which is given back meanwhile. */
static void write_file(struct store *store, struct store_file *slot)
{
	struct store_file file = *slot;
	*slot = (struct store_file){.path = NULL};
	pthread_mutex_unlock(&store->lock);
	struct err err = {0};
	if (state_write_file(file.path, file.text, strlen(file.text), &err) != ERR_OK) {
		log_warn(file.source, "%s; %s", err.text, file.consequence);
	}
	free(file.path);
	free(file.text);
	pthread_mutex_lock(&store->lock);
}

/* Does everything that is due, once; false when nothing was. The caller holds the lock. */
static bool work(struct store *store)
{
	int64_t now = clock_now_ms(clock_real());
	bool any = false;
	store->busy = true;
	store_asks_expire(store, now);
	any |= store_asks_work(store, now);
	if (store->kept.count > 0 && now >= store->write_ms) {
		any = true;
		write_run(store);
	}
	if (reserve_due(store) && now >= store->write_ms && !store->quit) {
		any = true;
		reserve(store);
	}
	struct store_file *file = waiting_file(store);
	if (file != NULL) {
		any = true;
		write_file(store, file);
	}
	if (store->news) {
		store->news = false;
		pthread_mutex_unlock(&store->lock);
		if (store->answered != NULL) {
			store->answered(store->arg);
		}
		pthread_mutex_lock(&store->lock);
		any = true;
	}
	store->busy = false;
	return any;
}

static int64_t next_ms(const struct store *store)
{
	int64_t next = store_asks_next_ms(store);
	if ((store->kept.count > 0 || reserve_due(store)) && store->write_ms < next) {
		next = store->write_ms;
	}
	if (store->quit && store->quit_ms < next) {
		next = store->quit_ms;
	}
	return next;
}

static void *thread_main(void *arg)
{
	struct store *store = arg;
	turn_background(STORE_NICE);
	pthread_mutex_lock(&store->lock);
	for (;;) {
		if (work(store)) {
			continue;
		}
		pthread_cond_broadcast(&store->changed);
		/* At the end the thread goes on as long as the disk takes one run after the other. */
		bool failing = store->write_ms > 0;
		bool late = clock_now_ms(clock_real()) >= store->quit_ms;
		if (store->quit && (store->kept.count == 0 || (failing && late))) {
			break;
		}
		clock_wait(clock_real(), &store->work, &store->lock, next_ms(store));
	}
	pthread_mutex_unlock(&store->lock);
	return NULL;
}

/* Closes the runs that a power cut left open and finds the next id. It runs before the thread is started. */
static enum err_code prepare(struct store *store, struct err *err)
{
	struct err why = {0};
	int cut = 0;
	if (runs_db_cut_short(store->db, &cut, &why) != ERR_OK) {
		log_warn("store", "%s", why.text);
	} else if (cut > 0) {
		log_warn("store", "%d %s cut short the last time: focusd ended before it did", cut,
			cut == 1 ? "run was" : "runs were");
	}
	uint64_t highest = 0;
	enum err_code code = runs_db_highest(store->db, &highest, err);
	if (code != ERR_OK) {
		return code;
	}
	/* The thread reserves ids when the server has begun to answer: its first answer, and what is read before that,
	 * must not wait until a slow card has taken the write. */
	store->reserved = highest;
	store->write_ms = clock_now_ms(clock_real()) + FIRST_WRITE_MS;
	atomic_store(&store->next_id, highest + 1);
	return ERR_OK;
}

enum err_code store_open(const char *dir, void (*answered)(void *arg), void *arg, struct store **out,
	struct err *err)
{
	struct store *store = calloc(1, sizeof *store);
	if (store == NULL || !kept_init(&store->kept, STORE_KEPT_MAX)) {
		free(store);
		return err_set(err, ERR_NOMEM, "out of memory");
	}
	store->answered = answered;
	store->arg = arg;
	enum err_code code = runs_db_open(dir, &store->db, err);
	if (code == ERR_OK) {
		code = prepare(store, err);
	}
	/* The zone is read from the disk once, here, and not when somebody asks for a time in a report. */
	tzset();
	pthread_mutex_init(&store->lock, NULL);
	clock_cond_init(&store->work);
	clock_cond_init(&store->changed);
	if (code == ERR_OK && pthread_create(&store->thread, NULL, thread_main, store) != 0) {
		code = err_set(err, ERR_INTERNAL, "no thread for the store");
	}
	if (code != ERR_OK) {
		runs_db_close(store->db);
		kept_fini(&store->kept);
		pthread_cond_destroy(&store->changed);
		pthread_cond_destroy(&store->work);
		pthread_mutex_destroy(&store->lock);
		free(store);
		return code;
	}
	*out = store;
	return ERR_OK;
}

void store_close(struct store *store)
{
	if (store == NULL) {
		return;
	}
	pthread_mutex_lock(&store->lock);
	store->quit = true;
	store->quit_ms = clock_now_ms(clock_real()) + QUIT_PATIENCE_MS;
	store->write_ms = 0;
	pthread_cond_signal(&store->work);
	pthread_mutex_unlock(&store->lock);
	pthread_join(store->thread, NULL);
	for (size_t i = 0; i < store->kept.count; i++) {
		log_error("store", "run %llu could not be written and is lost",
			(unsigned long long)store->kept.item[i].run->id);
	}
	struct err err = {0};
	if (runs_db_unreserve(store->db, atomic_load(&store->next_id) - 1, &err) != ERR_OK) {
		log_info("store", "%s: the next run's number skips some", err.text);
	}
	runs_db_close(store->db);
	store_asks_fini(store);
	kept_fini(&store->kept);
	pthread_cond_destroy(&store->changed);
	pthread_cond_destroy(&store->work);
	pthread_mutex_destroy(&store->lock);
	free(store);
}

uint64_t store_next_run_id(struct store *store)
{
	uint64_t id = atomic_fetch_add(&store->next_id, 1);
	pthread_mutex_lock(&store->lock);
	if (reserve_due(store)) {
		store->write_ms = 0;
		pthread_cond_signal(&store->work);
	}
	pthread_mutex_unlock(&store->lock);
	return id;
}

void store_return_run_id(struct store *store, uint64_t id)
{
	uint64_t next = id + 1;
	(void)atomic_compare_exchange_strong(&store->next_id, &next, id);
}

bool store_keep_run(struct store *store, const struct run *run)
{
	struct run *copy = run_copy(run);
	if (copy == NULL) {
		return false;
	}
	raise_next_id(store, run->id + 1);
	pthread_mutex_lock(&store->lock);
	learned_add(&store->learned, run);
	struct run *lost = kept_put(&store->kept, copy);
	store->write_ms = 0;
	pthread_cond_signal(&store->work);
	pthread_mutex_unlock(&store->lock);
	if (lost != NULL) {
		log_error("store", "run %llu is lost: %d runs wait for the disk, and there is room for no more",
			(unsigned long long)lost->id, STORE_KEPT_MAX);
		run_free(lost);
	}
	return true;
}

void store_write_file(struct store *store, const char *path, const char *text, const char *source,
	const char *consequence)
{
	struct store_file file = {.path = strdup(path), .text = strdup(text)};
	snprintf(file.source, sizeof file.source, "%s", source);
	snprintf(file.consequence, sizeof file.consequence, "%s", consequence);
	struct store_file *slot = NULL;
	bool kept = false;
	pthread_mutex_lock(&store->lock);
	for (int i = 0; i < STORE_FILES_MAX; i++) {
		struct store_file *at = &store->file[i];
		if (at->path != NULL && file.path != NULL && strcmp(at->path, file.path) == 0) {
			slot = at;
			break;
		}
		slot = at->path == NULL && slot == NULL ? at : slot;
	}
	if (slot != NULL && file.path != NULL && file.text != NULL) {
		struct store_file old = *slot;
		*slot = file;
		file = old;
		kept = true;
		pthread_cond_signal(&store->work);
	}
	pthread_mutex_unlock(&store->lock);
	if (!kept) {
		log_warn(source, "%s cannot be written: no room; %s", path, consequence);
	}
	free(file.path);
	free(file.text);
}

/* Whether everything that was handed over has been tried. The caller holds the lock. */
static bool all_tried(struct store *store)
{
	return !store->busy && waiting_file(store) == NULL && !store->news &&
	       store_asks_next_ms(store) > clock_now_ms(clock_real()) &&
	       (store->kept.count == 0 || store->write_ms > 0) && !(reserve_due(store) && store->write_ms == 0);
}

void store_flush(struct store *store)
{
	pthread_mutex_lock(&store->lock);
	while (!all_tried(store)) {
		clock_wait(clock_real(), &store->changed, &store->lock, CLOCK_NEVER);
	}
	pthread_mutex_unlock(&store->lock);
}
