/* SPDX-License-Identifier: MIT */
#include "port.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "focuser_private.h"
#include "json.h"
#include "plain_file.h"
#include "state.h"
#include "store.h"

#define FILE_MAX 8192

static bool file_name(const struct device *dev, char *out, size_t cap)
{
	return dev->host.state_dir != NULL &&
	       (size_t)snprintf(out, cap, "%s/port-%d.json", dev->host.state_dir, dev->info.number) < cap;
}

static void get_text(const struct json *object, const char *key, char *out, size_t cap)
{
	const struct json *value = json_get(object, key);
	const char *text = NULL;
	if (value != NULL && json_as_string(value, &text)) {
		text_copy_clean(out, cap, text);
	}
}

static int get_int(const struct json *object, const char *key, int low, int high, int fallback)
{
	const struct json *value = json_get(object, key);
	int32_t number = 0;
	return value != NULL && json_as_i32(value, &number) && number >= low && number <= high ? number
											 : fallback;
}

/* What cannot be read is kept for a person to look at, and is out of the way of the next one. */
static void put_aside(struct device *dev, const char *path)
{
	char aside[STATE_PATH_MAX];
	if (state_put_aside(path, aside)) {
		log_warn(dev->info.source, "what was there is kept as %s", aside);
	}
}

/* Nothing is known where the file is missing or damaged; the next link writes it anew. */
static void load(struct device *dev, struct port_identity *out)
{
	char path[1100];
	*out = (struct port_identity){.interface = -1};
	if (!file_name(dev, path, sizeof path)) {
		return;
	}
	struct buf text;
	buf_init(&text, FILE_MAX);
	bool there = plain_file_read(path, &text);
	int why = errno;
	struct json *json = there && text.len > 0 ? json_parse((struct span){text.data, text.len}, NULL) : NULL;
	buf_fini(&text);
	if (json == NULL || !json_is_object(json)) {
		if (there || why != ENOENT) {
			log_warn(dev->info.source, "%s is damaged (%s); the port is learned anew", path,
				there ? "it is no record of a port" : plain_file_reason(why));
			put_aside(dev, path);
		}
		json_free(json);
		return;
	}
	get_text(json, "configured", out->configured, sizeof out->configured);
	get_text(json, "driver", out->driver, sizeof out->driver);
	get_text(json, "serial", out->serial, sizeof out->serial);
	get_text(json, "path", out->path, sizeof out->path);
	get_text(json, "product", out->product, sizeof out->product);
	get_text(json, "answer", out->answer, sizeof out->answer);
	out->vid = (uint16_t)get_int(json, "vid", 0, 0xFFFF, 0);
	out->pid = (uint16_t)get_int(json, "pid", 0, 0xFFFF, 0);
	out->interface = get_int(json, "interface", 0, 255, -1);
	out->port_number = get_int(json, "port_number", 0, 999, 0);
	const struct json *alone = json_get(json, "alone");
	(void)(alone != NULL && json_as_bool(alone, &out->alone));
	json_free(json);
}

static void store(struct device *dev, const struct port_identity *known)
{
	char path[1100];
	if (!file_name(dev, path, sizeof path)) {
		return;
	}
	struct buf text;
	struct json_writer w;
	buf_init(&text, FILE_MAX);
	json_begin(&w, &text);
	json_object(&w);
	json_key_string(&w, "configured", known->configured);
	json_key_string(&w, "driver", known->driver);
	json_key_int(&w, "vid", known->vid);
	json_key_int(&w, "pid", known->pid);
	json_key_string(&w, "serial", known->serial);
	json_key_int(&w, "interface", known->interface);
	json_key_int(&w, "port_number", known->port_number);
	json_key_string(&w, "path", known->path);
	json_key_string(&w, "product", known->product);
	json_key_bool(&w, "alone", known->alone);
	json_key_string(&w, "answer", known->answer);
	json_end_object(&w);
	buf_putc(&text, '\n');
	store_write_file(dev->needs.store, path, buf_text(&text), dev->info.source,
		"which port this is will not be known after a restart");
	buf_fini(&text);
}

static bool same_identity(const struct port_identity *a, const struct port_identity *b)
{
	return strcmp(a->configured, b->configured) == 0 && strcmp(a->driver, b->driver) == 0 &&
	       a->vid == b->vid && a->pid == b->pid && strcmp(a->serial, b->serial) == 0 &&
	       a->interface == b->interface && a->port_number == b->port_number &&
	       a->alone == b->alone && strcmp(a->path, b->path) == 0 && strcmp(a->product, b->product) == 0 &&
	       strcmp(a->answer, b->answer) == 0;
}

enum err_code port_choose(struct device *dev, bool again, struct focuser_port *out,
	struct err *err)
{
	struct focuser_core *f = focuser_of(dev);
	*out = f->cfg->port;
	if (!f->driver->uses_port || f->driver->behind_server) {
		return ERR_OK;
	}
	if (!f->book.loaded) {
		load(dev, &f->book.known);
		f->book.loaded = true;
	}
	struct port_choice choice;
	enum err_code code = ports_choose(ports_system(), f->cfg->port.port, f->driver, &f->book.known,
		again, &choice, err);
	if (code == ERR_OK && strcmp(f->cfg->port.port, "auto") == 0) {
		/* A port that the owner has not named is listened to first. */
		code = ports_listen(choice.open, f->cfg->port.baud, err);
	}
	if (code != ERR_OK) {
		return code;
	}
	if (choice.note[0] != '\0') {
		log_write(choice.warn ? LOG_WARN : LOG_INFO, dev->info.source, "%s", choice.note);
	}
	snprintf(out->port, sizeof out->port, "%s", choice.open);
	f->book.fresh = choice.identity;
	f->book.proven = choice.proven;
	pthread_mutex_lock(&dev->lock);
	snprintf(dev->tty, sizeof dev->tty, "%s", choice.tty);
	dev->pulled = false;
	pthread_mutex_unlock(&dev->lock);
	return ERR_OK;
}

enum err_code port_verify(struct device *dev, bool again, const struct focuser_caps *caps,
	struct err *err)
{
	struct focuser_core *f = focuser_of(dev);
	if (!f->driver->uses_port || f->driver->behind_server) {
		return ERR_OK;
	}
	const struct port_identity *known = &f->book.known;
	bool same_name = strcmp(known->configured, f->book.fresh.configured) == 0 &&
		strcmp(known->driver, f->book.fresh.driver) == 0;
	bool differs = same_name && known->answer[0] != '\0' && caps->identity[0] != '\0' &&
		!caps->identity_partial && strcmp(known->answer, caps->identity) != 0;
	if (differs && again && !f->book.proven) {
		return err_set(err, ERR_PROTOCOL,
			"another device answers: '%.70s', not '%.70s' as before; disconnect to accept it",
			caps->identity, known->answer);
	}
	if (differs) {
		log_warn(dev->info.source, "%s answers '%s', last time it was '%s'",
			f->book.proven ? "the same port" : "the port", caps->identity, known->answer);
	}
	if (!caps->identity_partial) {
		text_copy_clean(f->book.fresh.answer, sizeof f->book.fresh.answer, caps->identity);
	} else if (same_name) {
		memcpy(f->book.fresh.answer, known->answer, sizeof f->book.fresh.answer);
	}
	if (!same_identity(known, &f->book.fresh)) {
		f->book.known = f->book.fresh;
		store(dev, &f->book.known);
	}
	return ERR_OK;
}

void port_came(struct device *dev)
{
	const struct focuser_core *f = focuser_of(dev);
	if (f == NULL || !f->driver->uses_port || f->driver->behind_server || dev->opened) {
		return;
	}
	if (dev->link == LINK_LOST || (dev->link == LINK_DOWN && dev->keep_trying)) {
		dev->next_try_ms = 0;
		/* A try that is under way came too soon for the port, so the next one follows it quickly. */
		dev->relink_backoff_ms = 0;
		device_wake_worker(dev);
	}
}

void port_went(struct device *dev, const char *name)
{
	char node[300];
	if (focuser_of(dev) == NULL || dev->link != LINK_UP || dev->tty[0] == '\0' ||
		strcmp(dev->tty, name) != 0) {
		return;
	}
	snprintf(node, sizeof node, "%s/%s", ports_system()->dev, name);
	/* The news may be old, and the port may be back. */
	if (access(node, F_OK) != 0) {
		dev->pulled = true;
		device_wake_urgent(dev);
	}
}
