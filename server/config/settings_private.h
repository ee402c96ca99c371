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
	bool unfit;                      /* did not go with the files when the server started */
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

	pthread_mutex_t listen_lock; /* of the listeners, and while they are told; none of the others is held then */
	struct {
		void (*fn)(void *arg); /* NULL: free */
		void *arg;
	} listener[SETTINGS_LISTENERS_MAX];

	pthread_mutex_t lock; /* of the list of snapshots and their users; held for a few instructions */
	struct settings_snapshot *newest; /* then those that are still in use */

	pthread_mutex_t change_lock; /* of what follows; taken before lock */
	struct settings_record record[SETTINGS_KEPT_MAX]; /* in the order of their changes */
	size_t count;
	uint64_t last_change;
};

/* With change_lock held. */

/* The record by which a setting stands; NULL when it stands by the base. */
const struct settings_record *settings_standing(const struct settings *settings, const struct config_option *option,
	int number);

/* "focuser.0.backlash_steps" into option and number; ERR_INVALID_VALUE with a sentence. */
enum err_code settings_key_parse(const char *key, const struct config_option **option, int *number, struct err *err);
void settings_key_print(const struct config_option *option, int number, char *out, size_t cap);

/* The text of SETTINGS_FILE, and back.  Reading appends to the records; ERR_INVALID_VALUE when it is no such text: the
 * records are then to be thrown away. */
void settings_text_write(const struct settings *settings, struct buf *out);
enum err_code settings_text_read(struct settings *settings, struct span text, struct err *err);

#endif
