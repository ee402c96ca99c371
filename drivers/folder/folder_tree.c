/* SPDX-License-Identifier: MIT */
#include "folder_tree.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>

#include "clock.h"
#include "fits_frame.h"
#include "folder_known.h"

/* Folders inside one another, and folders in all: more than any program makes in years, and few enough to look at. */
#define MOST_DEEP 8
#define MOST_FOLDERS 4096
/* Frames that are awaited at a time; of more than these the oldest are passed over. */
#define MOST_WAITING 32
/* A folder is looked into for so long after its time has changed: that time may be in whole seconds, or in pairs of
 * seconds on FAT, so that a change soon after a look would not show. */
#define STILL_CHANGING_MS 5000

#define TOLD (IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE | IN_MOVE_SELF | IN_ONLYDIR | IN_EXCL_UNLINK)

struct folder {
	char *path;
	int deep;            /* 0 at the top */
	int watch;           /* number that inotify calls it by; -1 */
	int64_t changed_ns;  /* its time at the last look; 0 before */
	int64_t noticed_ms;  /* when that time was found to be another */
};

/* A frame that is awaited. */
struct waiting {
	char *path;
	struct folder_stamp stamp;
	int64_t seen_ms, still_since_ms;
	bool closed;         /* by whoever wrote it */
	int tries;
};

struct folder_tree {
	int notify;
	bool begun;          /* what was there at the start is known */
	bool all_told;
	struct folder *folders;
	size_t folder_count, folder_cap;
	size_t busy;         /* index of the folder in which the last new frame was */
	struct folder_known known;
	struct waiting waiting[MOST_WAITING];
	size_t waiting_count;
	char *newest;        /* at the start */
	struct folder_stamp newest_stamp;
};

static struct folder_stamp stamp_of(const struct stat *file)
{
	return (struct folder_stamp){
		.size = file->st_size,
		.changed_ns = (int64_t)file->st_mtim.tv_sec * 1000000000 + file->st_mtim.tv_nsec,
		.inode = file->st_ino,
	};
}

static bool same_stamp(const struct folder_stamp *a, const struct folder_stamp *b)
{
	return a->size == b->size && a->changed_ns == b->changed_ns && a->inode == b->inode;
}

/* XISF is among them, so that it is refused with a sentence. */
static bool is_frame(const char *name)
{
	size_t len = strlen(name);
	bool xisf = len > 5 && strcasecmp(name + len - 5, ".xisf") == 0;
	return name[0] != '.' && (xisf || fits_name_is_frame(name));
}

static char *join(const char *folder, const char *name)
{
	char *path = NULL;
	return asprintf(&path, "%s/%s", folder, name) < 0 ? NULL : path;
}

/* ---- frames that are awaited ---- */

static void forget(struct folder_tree *t, size_t i)
{
	free(t->waiting[i].path);
	t->waiting[i] = t->waiting[--t->waiting_count];
}

/* Passes one frame over: it is not looked at again unless it changes. */
static void pass_over(struct folder_tree *t, size_t i)
{
	folder_known_set(&t->known, t->waiting[i].path, &t->waiting[i].stamp);
	forget(t, i);
}

/* Takes path over. */
static void await_frame(struct folder_tree *t, char *path, const struct folder_stamp *stamp, int64_t seen_ms,
	int64_t now_ms, bool closed, int tries)
{
	if (path == NULL) {
		return;
	}
	if (t->waiting_count == MOST_WAITING) {
		size_t oldest = 0;
		for (size_t i = 1; i < t->waiting_count; i++) {
			oldest = t->waiting[i].seen_ms < t->waiting[oldest].seen_ms ? i : oldest;
		}
		pass_over(t, oldest);
	}
	t->waiting[t->waiting_count++] = (struct waiting){
		.path = path,
		.stamp = *stamp,
		.seen_ms = seen_ms,
		.still_since_ms = now_ms,
		.closed = closed,
		.tries = tries,
	};
}

static void changed(struct waiting *w, const struct folder_stamp *stamp, int64_t now_ms)
{
	if (!same_stamp(&w->stamp, stamp)) {
		w->stamp = *stamp;
		w->still_since_ms = now_ms;
	}
}

/* Decides about one file that is called like a frame. */
static void consider(struct folder_tree *t, size_t folder, const char *name, bool closed, int64_t now_ms)
{
	char *path = join(t->folders[folder].path, name);
	struct stat file;
	if (path == NULL || lstat(path, &file) != 0 || !S_ISREG(file.st_mode)) {
		free(path);
		return;
	}
	struct folder_stamp stamp = stamp_of(&file);
	for (size_t i = 0; i < t->waiting_count; i++) {
		if (strcmp(t->waiting[i].path, path) == 0) {
			changed(&t->waiting[i], &stamp, now_ms);
			t->waiting[i].closed = t->waiting[i].closed || closed;
			free(path);
			return;
		}
	}
	if (folder_known_is(&t->known, path, &stamp)) {
		free(path);
	} else if (t->begun) {
		t->busy = folder;
		await_frame(t, path, &stamp, now_ms, now_ms, closed, 0);
	} else {
		folder_known_set(&t->known, path, &stamp);
		if (t->newest == NULL || stamp.changed_ns > t->newest_stamp.changed_ns) {
			free(t->newest);
			t->newest = path;
			t->newest_stamp = stamp;
			t->busy = folder;
		} else {
			free(path);
		}
	}
}

/* ---- folders ---- */

/* Has inotify tell of a folder.  A folder that was renamed keeps the number that it had under its old name. */
static void ask_to_be_told(struct folder_tree *t, struct folder *folder)
{
	folder->watch = t->notify >= 0 ? inotify_add_watch(t->notify, folder->path, TOLD) : -1;
	t->all_told = t->all_told && folder->watch >= 0;
	for (size_t i = 0; folder->watch >= 0 && i < t->folder_count; i++) {
		if (&t->folders[i] != folder && t->folders[i].watch == folder->watch) {
			t->folders[i].watch = -1;
		}
	}
}

/* Takes path over. */
static void add_folder(struct folder_tree *t, char *path, int deep)
{
	bool there = path == NULL || deep > MOST_DEEP || t->folder_count == MOST_FOLDERS;
	for (size_t i = 0; !there && i < t->folder_count; i++) {
		there = strcmp(t->folders[i].path, path) == 0;
	}
	if (!there && t->folder_count == t->folder_cap) {
		size_t cap = t->folder_cap > 0 ? 2 * t->folder_cap : 16;
		struct folder *grown = realloc(t->folders, cap * sizeof *grown);
		there = grown == NULL;
		t->folders = grown != NULL ? grown : t->folders;
		t->folder_cap = grown != NULL ? cap : t->folder_cap;
	}
	if (there) {
		free(path);
		return;
	}
	struct folder *folder = &t->folders[t->folder_count++];
	*folder = (struct folder){.path = path, .deep = deep};
	/* It is told of before it is looked into, so that nothing comes between the two. */
	ask_to_be_told(t, folder);
}

static void look_at(struct folder_tree *t, size_t folder, const struct dirent *entry, int64_t now_ms)
{
	if (entry->d_name[0] == '.') {
		return;
	}
	if (entry->d_type != DT_DIR && is_frame(entry->d_name)) {
		consider(t, folder, entry->d_name, false, now_ms);
		return;
	}
	struct stat file;
	char *path = entry->d_type == DT_DIR || entry->d_type == DT_UNKNOWN
			     ? join(t->folders[folder].path, entry->d_name) : NULL;
	if (path != NULL && (entry->d_type == DT_DIR || (lstat(path, &file) == 0 && S_ISDIR(file.st_mode)))) {
		add_folder(t, path, t->folders[folder].deep + 1);
	} else {
		free(path);
	}
}

/* Whether a folder has to be looked into; *gone when it cannot be. */
static bool has_news(struct folder_tree *t, size_t i, int64_t now_ms, bool *gone)
{
	struct folder *folder = &t->folders[i];
	struct stat now;
	*gone = stat(folder->path, &now) != 0 || !S_ISDIR(now.st_mode);
	if (*gone) {
		return false;
	}
	struct folder_stamp stamp = stamp_of(&now);
	if (folder->changed_ns != stamp.changed_ns) {
		folder->changed_ns = stamp.changed_ns;
		folder->noticed_ms = now_ms;
		if (folder->watch < 0 && t->notify >= 0) {
			/* It was taken away and made anew. */
			ask_to_be_told(t, folder);
		}
	}
	/* A file that is written over does not change its folder, so the folder in use is always looked into. */
	return i == t->busy || now_ms - folder->noticed_ms < STILL_CHANGING_MS;
}

static void drop_folder(struct folder_tree *t, size_t i)
{
	free(t->folders[i].path);
	t->folders[i] = t->folders[--t->folder_count];
	t->busy = t->busy == i || t->busy >= t->folder_count ? 0 : t->busy;
}

static enum err_code cannot_read(const struct folder_tree *t, struct err *err)
{
	return err_set(err, ERR_IO, "cannot read the folder of frames %.150s: %s", t->folders[0].path, strerror(errno));
}

/* The newest frame of all that were there at the start is one that has come. */
static void begin(struct folder_tree *t, int64_t now_ms)
{
	t->begun = true;
	int64_t age_ms = clock_utc_ms() - t->newest_stamp.changed_ns / 1000000;
	int64_t seen_ms = now_ms - (age_ms > 0 ? age_ms : 0);
	await_frame(t, t->newest, &t->newest_stamp, seen_ms, now_ms, age_ms > FOLDER_SETTLE_MS, 0);
	t->newest = NULL;
}

enum err_code folder_tree_look(struct folder_tree *t, int64_t now_ms, const atomic_bool *quit, struct err *err)
{
	/* Folders that are found on the way are put at the end, and are looked into as well. */
	for (size_t i = 0; i < t->folder_count && !atomic_load(quit); i++) {
		bool gone;
		bool news = has_news(t, i, now_ms, &gone);
		DIR *dir = news ? opendir(t->folders[i].path) : NULL;
		gone = gone || (news && dir == NULL);
		if (gone && i == 0) {
			return cannot_read(t, err);
		}
		if (gone) {
			drop_folder(t, i--);
			continue;
		}
		const struct dirent *entry;
		while (dir != NULL && !atomic_load(quit) && (entry = readdir(dir)) != NULL) {
			look_at(t, i, entry, now_ms);
		}
		if (dir != NULL) {
			closedir(dir);
		}
	}
	if (!t->begun && !atomic_load(quit)) {
		begin(t, now_ms);
	}
	return ERR_OK;
}

bool folder_tree_told(struct folder_tree *t, const struct inotify_event *event, int64_t now_ms)
{
	if ((event->mask & IN_Q_OVERFLOW) != 0) {
		/* Nobody knows what was missed, so everything counts as changed. */
		for (size_t i = 0; i < t->folder_count; i++) {
			t->folders[i].changed_ns = 0;
		}
		return true;
	}
	size_t i = 0;
	while (i < t->folder_count && t->folders[i].watch != event->wd) {
		i++;
	}
	if (i == t->folder_count) {
		return false;
	}
	/* A folder that has gone, or is called otherwise from now on, shows at the next look. */
	bool folder = (event->mask & (IN_ISDIR | IN_IGNORED | IN_MOVE_SELF)) != 0;
	if ((event->mask & IN_IGNORED) != 0) {
		t->folders[i].watch = -1;
	} else if (event->len > 0 && event->name[0] != '.' && (event->mask & IN_ISDIR) != 0) {
		add_folder(t, join(t->folders[i].path, event->name), t->folders[i].deep + 1);
	} else if (event->len > 0 && is_frame(event->name)) {
		consider(t, i, event->name, (event->mask & (IN_CLOSE_WRITE | IN_MOVED_TO)) != 0, now_ms);
	}
	return folder;
}

/* ---- what is given out ---- */

static int64_t complete_ms(const struct waiting *w)
{
	return w->closed ? 0 : w->still_since_ms + (w->tries > 0 ? FOLDER_RETRY_MS : FOLDER_SETTLE_MS);
}

static bool is_newer(const struct waiting *a, const struct waiting *b)
{
	return a->seen_ms != b->seen_ms ? a->seen_ms > b->seen_ms : a->stamp.changed_ns > b->stamp.changed_ns;
}

bool folder_tree_next(struct folder_tree *t, int64_t now_ms, struct folder_file *out)
{
	size_t best = MOST_WAITING;
	for (size_t i = t->waiting_count; i-- > 0;) {
		struct waiting *w = &t->waiting[i];
		struct stat file;
		if (lstat(w->path, &file) != 0 || !S_ISREG(file.st_mode)) {
			forget(t, i);
			best = best == t->waiting_count ? i : best; /* the last one has moved into the gap */
			continue;
		}
		struct folder_stamp stamp = stamp_of(&file);
		changed(w, &stamp, now_ms);
		if (now_ms >= complete_ms(w) && (best == MOST_WAITING || is_newer(w, &t->waiting[best]))) {
			best = i;
		}
	}
	if (best == MOST_WAITING) {
		return false;
	}
	struct waiting chosen = t->waiting[best];
	chosen.path = strdup(chosen.path);
	pass_over(t, best);
	for (size_t i = t->waiting_count; i-- > 0;) {
		if (now_ms >= complete_ms(&t->waiting[i])) {
			pass_over(t, i);
		}
	}
	*out = (struct folder_file){.path = chosen.path, .stamp = chosen.stamp, .seen_ms = chosen.seen_ms,
		.closed = chosen.closed, .tries = chosen.tries};
	return out->path != NULL;
}

int64_t folder_tree_due_ms(const struct folder_tree *t)
{
	int64_t due_ms = INT64_MAX;
	for (size_t i = 0; i < t->waiting_count; i++) {
		int64_t at_ms = complete_ms(&t->waiting[i]);
		due_ms = at_ms < due_ms ? at_ms : due_ms;
	}
	return due_ms;
}

void folder_tree_again(struct folder_tree *t, const struct folder_file *file, int64_t now_ms)
{
	for (size_t i = 0; i < t->waiting_count; i++) {
		if (strcmp(t->waiting[i].path, file->path) == 0) {
			return;
		}
	}
	await_frame(t, strdup(file->path), &file->stamp, file->seen_ms, now_ms, false, file->tries + 1);
}

bool folder_tree_same(const struct folder_file *file)
{
	struct stat now;
	if (lstat(file->path, &now) != 0) {
		return false;
	}
	struct folder_stamp stamp = stamp_of(&now);
	return same_stamp(&file->stamp, &stamp);
}

bool folder_tree_all_told(const struct folder_tree *t)
{
	return t->all_told;
}

struct folder_tree *folder_tree_create(const char *root, int notify)
{
	struct folder_tree *t = calloc(1, sizeof *t);
	if (t == NULL) {
		return NULL;
	}
	t->notify = notify;
	t->all_told = true;
	size_t len = strlen(root);
	while (len > 1 && root[len - 1] == '/') {
		len--;
	}
	add_folder(t, strndup(root, len), 0);
	if (t->folder_count == 0) {
		folder_tree_destroy(t);
		return NULL;
	}
	return t;
}

void folder_tree_destroy(struct folder_tree *t)
{
	if (t == NULL) {
		return;
	}
	while (t->waiting_count > 0) {
		forget(t, 0);
	}
	for (size_t i = 0; i < t->folder_count; i++) {
		free(t->folders[i].path);
	}
	free(t->folders);
	free(t->newest);
	folder_known_fini(&t->known);
	free(t);
}
