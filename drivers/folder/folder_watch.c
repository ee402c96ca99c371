/* SPDX-License-Identifier: MIT */
#include "folder_watch.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "clock.h"
#include "folder_frame.h"
#include "folder_tree.h"
#include "log.h"
#include "text.h"

/* The nice value of the thread, and of the child that reads a file for it: whatever a client waits for goes first. */
#define THREAD_NICE 10
/* The folder is looked at so often where inotify tells everything, in case it does not; where it cannot; and while a
 * file is awaited that grows. */
#define LOOK_TOLD_MS 30000
#define LOOK_UNTOLD_MS 2000
#define LOOK_AWAITING_MS 500
/* open() of a driver ends within two seconds, close() too. */
#define OPEN_WAIT_MS 1500
#define END_WAIT_MS 1000
/* So many threads may hang in a file system that does not answer. */
#define MOST_HANGING 4

struct folder_watch {
	atomic_int owners;         /* the driver and the thread; the last one frees */
	char path[512];
	char source[32];
	int notify;                /* inotify; -1 */
	int give_up;               /* an eventfd, readable from when the watch is to end */
	atomic_bool quit;
	struct folder_reader reader;
	struct folder_tree *tree;  /* the thread's */

	pthread_mutex_t lock;      /* guards what follows */
	pthread_cond_t changed;
	const struct driver_host *host; /* NULL: the driver has gone */
	bool readable;             /* the folder at the top has answered */
	bool looked;               /* what was there is known */
	bool over;                 /* the thread does nothing any more */
	struct err why;            /* when the folder cannot be read; else ERR_OK */
	bool has_arrival;
	struct camera_arrival arrival;
};

static atomic_int hanging;

/* ---- the thread ---- */

static void drop_arrival(struct camera_arrival *arrival)
{
	frame_unref(arrival->frame);
	arrival->frame = NULL;
}

/* Hands something over, or says that the folder is lost, and tells the worker. */
static void hand_over(struct folder_watch *w, struct camera_arrival *arrival, const struct err *why)
{
	pthread_mutex_lock(&w->lock);
	if (arrival != NULL) {
		if (w->has_arrival) {
			drop_arrival(&w->arrival);
		}
		w->arrival = *arrival;
		w->has_arrival = true;
	}
	if (why != NULL) {
		w->why = *why;
	}
	pthread_cond_broadcast(&w->changed);
	if (w->host != NULL && w->readable) {
		static const char note = 0;
		w->host->post(w->host->post_ctx, &note, sizeof note);
	}
	pthread_mutex_unlock(&w->lock);
}

/* Sets one of the facts that the driver waits for. */
static void say(struct folder_watch *w, bool *fact)
{
	pthread_mutex_lock(&w->lock);
	*fact = true;
	pthread_cond_broadcast(&w->changed);
	pthread_mutex_unlock(&w->lock);
}

/* Where another machine may write, inotify says nothing of it.  The numbers are those of statfs(2). */
static bool is_of_network(const char *path)
{
	static const unsigned long kinds[] = {
		0x6969 /* NFS */, 0x517B /* SMB */, 0xFF534D42 /* CIFS */, 0xFE534D42 /* SMB2 */, 0x65735546 /* FUSE */,
		0x01021997 /* 9P */, 0x5346414F /* AFS */, 0x00C36400 /* Ceph */, 0x786F4256 /* VirtualBox */,
	};
	struct statfs fs;
	if (statfs(path, &fs) != 0) {
		return true;
	}
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
		if ((unsigned long)fs.f_type % 0x100000000u == kinds[i]) {
			return true;
		}
	}
	return false;
}

/* Reads one file and hands it over; false when the thread is to end. */
static bool read_one(struct folder_watch *w, struct folder_file *file)
{
	struct camera_arrival arrival = {.frame = NULL};
	struct err err = {.code = ERR_OK};
	enum err_code code = folder_frame_read(&w->reader, file, &arrival, &err);
	if (code == ERR_CANCELLED) {
		return false;
	}
	if (code != ERR_OK && ((file->tries == 0 && !file->closed) || !folder_tree_same(file))) {
		/* Whoever writes it may not have done yet. */
		folder_tree_again(w->tree, file, clock_now_ms(clock_real()));
		return true;
	}
	if (code != ERR_OK) {
		const char *name = strrchr(file->path, '/');
		arrival = (struct camera_arrival){.seen_ms = file->seen_ms};
		/* Whoever may write into the folder chooses the name, which may hold any byte. */
		text_copy_clean(arrival.file, sizeof arrival.file, name != NULL ? name + 1 : file->path);
		text_copy_clean(arrival.why, sizeof arrival.why, err.text);
	}
	hand_over(w, &arrival, NULL);
	return true;
}

/* Takes in what inotify tells; true when there is a folder to look into. */
static bool drain(struct folder_watch *w)
{
	_Alignas(struct inotify_event) char bytes[16384];
	bool look = false;
	ssize_t n;
	while ((n = read(w->notify, bytes, sizeof bytes)) > 0) {
		for (char *at = bytes; at < bytes + n;) {
			const struct inotify_event *event = (const struct inotify_event *)at;
			look = folder_tree_told(w->tree, event, clock_now_ms(clock_real())) || look;
			at += sizeof *event + event->len;
		}
	}
	return look;
}

/* Waits for inotify, for the next look, for a file that settles, or for the end. */
static void wait_for_news(struct folder_watch *w, int64_t look_ms)
{
	int64_t now_ms = clock_now_ms(clock_real());
	int64_t due_ms = folder_tree_due_ms(w->tree);
	int64_t soon_ms = due_ms == INT64_MAX ? INT64_MAX : now_ms + LOOK_AWAITING_MS;
	int64_t until_ms = due_ms > now_ms && soon_ms < look_ms ? soon_ms : due_ms <= now_ms ? now_ms : look_ms;
	struct pollfd wait[] = {{.fd = w->give_up, .events = POLLIN}, {.fd = w->notify, .events = POLLIN}};
	poll(wait, 2, clock_poll_timeout(clock_real(), until_ms));
}

/* Watches until the folder is lost or the watch is to end. */
static enum err_code watch(struct folder_watch *w, struct err *err)
{
	bool network = is_of_network(w->path);
	int64_t look_ms = INT64_MIN;
	struct folder_file file;
	while (!atomic_load(&w->quit)) {
		bool look = w->notify >= 0 && drain(w);
		int64_t now_ms = clock_now_ms(clock_real());
		if (look || now_ms >= look_ms) {
			enum err_code code = folder_tree_look(w->tree, now_ms, &w->quit, err);
			if (code != ERR_OK) {
				return code;
			}
			say(w, &w->looked);
			bool told = !network && folder_tree_all_told(w->tree);
			look_ms = clock_now_ms(clock_real()) + (told ? LOOK_TOLD_MS : LOOK_UNTOLD_MS);
		}
		if (folder_tree_next(w->tree, now_ms, &file)) {
			bool go_on = read_one(w, &file);
			free(file.path);
			if (!go_on) {
				break;
			}
			continue;
		}
		wait_for_news(w, look_ms);
	}
	return ERR_OK;
}

static void destroy(struct folder_watch *w)
{
	folder_tree_destroy(w->tree);
	drop_arrival(&w->arrival);
	frame_pool_release(w->reader.pool);
	if (w->notify >= 0) {
		close(w->notify);
	}
	if (w->give_up >= 0) {
		close(w->give_up);
	}
	pthread_cond_destroy(&w->changed);
	pthread_mutex_destroy(&w->lock);
	free(w);
}

static void let_go(struct folder_watch *w)
{
	if (atomic_fetch_sub(&w->owners, 1) == 1) {
		destroy(w);
	}
}

static void *watch_main(void *arg)
{
	struct folder_watch *w = arg;
	struct err err = {.code = ERR_OK};
	/* On Linux a nice value belongs to a thread, not to the process, and a child inherits it. */
	setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), THREAD_NICE);
	if (access(w->path, R_OK | X_OK) == 0) {
		say(w, &w->readable);
	}
	enum err_code code = watch(w, &err);
	if (code != ERR_OK) {
		hand_over(w, NULL, &err);
	}
	pthread_mutex_lock(&w->lock);
	w->over = true;
	if (w->host == NULL) {
		atomic_fetch_sub(&hanging, 1);
	}
	pthread_cond_broadcast(&w->changed);
	pthread_mutex_unlock(&w->lock);
	let_go(w);
	return NULL;
}

/* ---- the driver ---- */

static struct folder_watch *create(const char *path, const struct driver_host *host)
{
	struct folder_watch *w = calloc(1, sizeof *w);
	if (w == NULL) {
		return NULL;
	}
	atomic_store(&w->owners, 1);
	snprintf(w->path, sizeof w->path, "%s", path);
	snprintf(w->source, sizeof w->source, "%s", host->source);
	w->host = host;
	w->notify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	w->give_up = eventfd(0, EFD_CLOEXEC);
	pthread_mutex_init(&w->lock, NULL);
	clock_cond_init(&w->changed);
	w->reader = (struct folder_reader){
		.pool = frame_pool_create(),
		.source = w->source,
		.give_up = w->give_up,
		.quit = &w->quit,
		.last_seen_ms = INT64_MIN,
	};
	w->tree = folder_tree_create(path, w->notify);
	if (w->give_up < 0 || w->reader.pool == NULL || w->tree == NULL) {
		destroy(w);
		return NULL;
	}
	return w;
}

/* Starts the thread, which nobody joins: it may never come back. */
static bool start(struct folder_watch *w)
{
	pthread_t thread;
	atomic_fetch_add(&w->owners, 1);
	if (pthread_create(&thread, NULL, watch_main, w) != 0) {
		atomic_fetch_sub(&w->owners, 1);
		return false;
	}
	pthread_detach(thread);
	return true;
}

enum err_code folder_watch_begin(const char *path, const struct driver_host *host, struct folder_watch **out,
	struct err *err)
{
	*out = NULL;
	if (atomic_load(&hanging) >= MOST_HANGING) {
		return err_set(err, ERR_IO, "the folder of frames %.150s does not answer", path);
	}
	struct folder_watch *w = create(path, host);
	if (w == NULL || !start(w)) {
		if (w != NULL) {
			let_go(w);
		}
		return err_set(err, ERR_NOMEM, "no memory to watch %.150s", path);
	}
	int64_t until_ms = clock_now_ms(clock_real()) + OPEN_WAIT_MS;
	pthread_mutex_lock(&w->lock);
	while (!w->looked && !w->over && !clock_wait(clock_real(), &w->changed, &w->lock, until_ms)) {
	}
	struct err why = w->why;
	bool readable = w->readable;
	pthread_mutex_unlock(&w->lock);
	if (why.code == ERR_OK && readable) {
		*out = w;
		return ERR_OK;
	}
	folder_watch_end(w);
	return why.code != ERR_OK ? err_copy(err, &why)
				  : err_set(err, ERR_IO, "the folder of frames %.150s does not answer", path);
}

void folder_watch_end(struct folder_watch *w)
{
	if (w == NULL) {
		return;
	}
	atomic_store(&w->quit, true);
	eventfd_write(w->give_up, 1);
	int64_t until_ms = clock_now_ms(clock_real()) + END_WAIT_MS;
	pthread_mutex_lock(&w->lock);
	while (!w->over && !clock_wait(clock_real(), &w->changed, &w->lock, until_ms)) {
	}
	if (!w->over) {
		log_warn(w->source, "the folder %s does not answer", w->path);
		atomic_fetch_add(&hanging, 1);
	}
	w->host = NULL;
	pthread_mutex_unlock(&w->lock);
	let_go(w);
}

bool folder_watch_take(struct folder_watch *w, struct camera_arrival *out)
{
	pthread_mutex_lock(&w->lock);
	bool has = w->has_arrival;
	if (has) {
		*out = w->arrival;
		w->arrival = (struct camera_arrival){.frame = NULL};
		w->has_arrival = false;
	}
	pthread_mutex_unlock(&w->lock);
	return has;
}

enum err_code folder_watch_lost(struct folder_watch *w, struct err *err)
{
	pthread_mutex_lock(&w->lock);
	enum err_code code = w->why.code != ERR_OK ? err_copy(err, &w->why) : ERR_OK;
	pthread_mutex_unlock(&w->lock);
	return code;
}
