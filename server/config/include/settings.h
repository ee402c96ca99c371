/* SPDX-License-Identifier: MIT */
/*
 * The configuration while the server runs.  What stands now is a snapshot: a struct config that is never written
 * again.  Whoever begins an operation (a move, a run, an exposure, a page) takes the newest snapshot once, reads all it
 * needs from it and gives it back at the end, so a setting that changes meanwhile counts for the next operation and
 * no operation sees half a change.
 *
 * A change makes a new snapshot.  Changes are layered above the files: each has a number, and undoing it uncovers
 * what stood below, an older change or the file.  They are kept as one JSON text (settings.json in the state
 * directory) and taken up again at the next start.  The files of the configuration are never written.
 *
 * Any thread, unless said otherwise.  Taking and giving back a snapshot holds a lock for a few instructions only;
 * changes, and lists of what stands, have a lock of their own that readers never wait for.
 */
#ifndef FOCUSD_SETTINGS_H
#define FOCUSD_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "clock.h"
#include "config.h"
#include "err.h"
#include "text.h"

/* The name of the file of changes in the state directory. */
#define SETTINGS_FILE "settings.json"
/* The longest value of a setting that may change, with NUL, bytes. */
#define SETTINGS_VALUE_ROOM 128
/* So many settings can be changed together. */
#define SETTINGS_TOGETHER_MAX 32
/* So many values are remembered; beyond this the oldest that are undone or covered by newer ones are forgotten. */
#define SETTINGS_KEPT_MAX 256

struct settings;

struct settings_options {
	const struct config_drivers *drivers; /* for the checks; borrowed, outlives the settings */
	/* Has the text of SETTINGS_FILE written.  Called on the thread that changes a setting, one call at a time
	 * and in order, under the lock of changes: it copies the text and returns without waiting for a disk.
	 * NULL: changes last until the server ends. */
	void (*keep)(void *ctx, const char *text);
	void *ctx;
};

/* Makes settings from base, which is copied: what files and command line say, checked already. ERR_NOMEM. */
enum err_code settings_create(const struct config *base, const struct settings_options *options, struct settings **out,
	struct err *err);
/* Frees the settings; all snapshots must have been given back. NULL is fine. */
void settings_destroy(struct settings *settings);

/* Takes up the changes of earlier times from the text that was kept. A change that does not fit the files any more
 * (they name another driver, or limits that exclude it) does not count, and the log says why; it is kept and tried
 * again at the next start. ERR_INVALID_VALUE with a sentence, and nothing is taken up, when the text is damaged. This
 * is called before other threads see the settings. */
enum err_code settings_load(struct settings *settings, struct span text, struct err *err);

/* Takes up the changes from a file; waits for the disk. An absent file is fine. One that is damaged or cannot be read
 * is put aside as PATH.damaged, with a warning in the log, and the server starts by its files alone. */
void settings_load_file(struct settings *settings, const char *path);

/* ---- Reading ---- */

/* The newest snapshot.  Valid until it is given back by settings_release(); never NULL. */
const struct config *settings_get(struct settings *settings);
/* Gives a snapshot back; NULL is fine. */
void settings_release(struct settings *settings, const struct config *config);

/* The version of the newest snapshot, see struct config: a cheap "did anything change?".  Takes no lock. */
uint64_t settings_version(const struct settings *settings);

/* Calls fn after each change, on the thread that made it, under a lock of the listeners alone: it may read settings,
 * but not change them or listen.  False when there is no room.  settings_unlisten() returns when fn is not running and
 * will not be called again; fine for one that does not listen. */
#define SETTINGS_LISTENERS_MAX 4
bool settings_listen(struct settings *settings, void (*fn)(void *arg), void *arg);
void settings_unlisten(struct settings *settings, void (*fn)(void *arg), void *arg);

/* ---- Changing ---- */

/* A setting and its new value as it would stand in a file. */
struct settings_wish {
	const char *key;   /* "focuser.0.backlash_steps", "autofocus.exposure_s" */
	const char *value;
};

/* Changes `count` (1..SETTINGS_TOGETHER_MAX) settings together, all or none, by the same checks and with the same
 * sentences as `focusd --check`.  who is the person or client, for the origin.  *change (may be NULL) is the number
 * of the change; where all of them already stand by one change, that one's, so a retry is harmless.
 * ERR_INVALID_VALUE: no such setting, a bad value, or one that does not go with the others; ERR_INVALID_OPERATION:
 * it is read once, when the server starts. */
enum err_code settings_change(struct settings *settings, const struct settings_wish *wishes, size_t count,
	const char *who, uint64_t *change, struct err *err);

/* Changes one setting, as settings_change() does. */
enum err_code settings_set(struct settings *settings, const char *key, const char *value, const char *who,
	uint64_t *change, struct err *err);

/* Takes back what that change did; what stood before it stands again, unless a newer change covers it.  Undoing what is
 * undone already is fine.  ERR_INVALID_VALUE: there was no such change, it is not remembered any more, or what stood
 * before does not go with the rest. */
enum err_code settings_undo(struct settings *settings, uint64_t change, struct err *err);

/* Undoes all changes of one setting: the file's value stands again.  Fine when there are none.  Errors as above. */
enum err_code settings_forget(struct settings *settings, const char *key, struct err *err);

/* ---- Showing ---- */

/* The value that a setting has, and where it comes from. */
struct settings_entry {
	const struct config_option *option; /* unit, bounds, default as text for people, help */
	char key[64];
	char value[CONFIG_VALUE_ROOM]; /* as it would stand in a file; "" unknown or unset, then the default counts */
	/* "focusd.conf:12", "conf.d/x.conf:3", "changed here 2026-11-28T14:05:31.250Z by NAME", "the command line",
	 * "default" */
	char origin[300];
	uint64_t change; /* the change by which it stands; 0 none */
};

/* Tells one setting; ERR_INVALID_VALUE when there is no such setting. */
enum err_code settings_show(struct settings *settings, const char *key, struct settings_entry *out, struct err *err);

/* Calls tell with each setting of the server, of the configured devices and of their telescopes, in the order of the
 * table; all values are from one snapshot. tell may not change settings. */
void settings_list(struct settings *settings, void (*tell)(void *ctx, const struct settings_entry *entry), void *ctx);

#endif
