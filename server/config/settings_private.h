/* SPDX-License-Identifier: MIT */
/* The inside of settings: settings.c has snapshots and changes, settings_kept.c the text in which changes are kept,
 * settings_show.c what stands and where it comes from. */
#ifndef FOCUSD_SETTINGS_PRIVATE_H
#define FOCUSD_SETTINGS_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "config_private.h"
#include "settings.h"

/* One value that a change gave to one setting; the values of one change have the same number and stand together. */
struct settings_record {
	uint64_t change;
	const struct config_option *option;
	int number;                      /* of the device, 0 without */
	char value[SETTINGS_VALUE_ROOM]; /* as it would stand in a file */
	char who[64];
	char when[CLOCK_UTC_TEXT];
	bool undone;
	bool unfit;                      /* it did not go with the files when the server started */
};

struct settings_snapshot {
	struct config config;
	unsigned users;
	struct settings_snapshot *next;
};

struct settings {
	struct config base;
	struct settings_options options;
	_Atomic uint64_t version;

	pthread_mutex_t listen_lock; /* guards the listeners, also while they are told; no other lock is held
				      * meanwhile */
	struct {
		void (*fn)(void *arg); /* NULL: free */
		void *arg;
	} listener[SETTINGS_LISTENERS_MAX];

	pthread_mutex_t lock; /* guards the list of snapshots and their users; held for a few instructions */
	struct settings_snapshot *newest; /* then those that are still in use */

	pthread_mutex_t change_lock; /* guards what follows; taken before lock */
	struct settings_record record[SETTINGS_KEPT_MAX]; /* in the order of their changes */
	size_t count;
	uint64_t last_change;
};

/* Whoever calls the functions below holds change_lock. */

/* The record that a setting has its value from; NULL when the value is that of the base. */
const struct settings_record *settings_standing(const struct settings *settings, const struct config_option *option,
	int number);

/* Reads "focuser.0.backlash_steps" into option and number; ERR_INVALID_VALUE with a sentence. */
enum err_code settings_key_parse(const char *key, const struct config_option **option, int *number, struct err *err);
void settings_key_print(const struct config_option *option, int number, char *out, size_t cap);

/* Writes the text of SETTINGS_FILE, and reads it back. Reading appends to the records; ERR_INVALID_VALUE when the text
 * is damaged, in which case the records are to be thrown away. */
void settings_text_write(const struct settings *settings, struct buf *out);
enum err_code settings_text_read(struct settings *settings, struct span text, struct err *err);

#endif
