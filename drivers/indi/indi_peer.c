/* SPDX-License-Identifier: MIT */
#include "indi_peer.h"

#include <stdio.h>
#include <string.h>

#include "moment.h"
#include "text.h"

/* After the last definition of a device nothing more is expected when it was silent for so long.  libindi's drivers
 * define everything that comes with a connection in one go; a sensor that is found later is not waited for. */
#define SETTLED_MS 300

static const char *kind_word(unsigned kind)
{
	return kind == INDI_IS_CAMERA ? "camera" : "focuser";
}

size_t indi_list(const struct indi_store *store, unsigned kind, char *out, size_t cap)
{
	size_t count = 0;
	size_t len = 0;
	out[0] = '\0';
	for (size_t i = 0; i < store->devices; i++) {
		const struct indi_device *d = &store->device[i];
		if (indi_store_find(store, d->name, "CONNECTION") == NULL
			|| (kind != 0 && (d->interface & kind) == 0)) {
			continue;
		}
		char clean[INDI_NAME];
		text_copy_clean(clean, sizeof clean, d->name);
		if (len < cap) {
			len += (size_t)snprintf(out + len, cap - len, "%s'%s'", count > 0 ? ", " : "", clean);
		}
		count++;
	}
	return count;
}

enum err_code indi_peer_open(struct indi_peer *peer, const char *port, const char *wanted, enum indi_interface kind,
	const struct driver_host *host, struct err *err)
{
	*peer = (struct indi_peer){.host = host, .kind = kind};
	if (strlen(wanted) >= INDI_NAME) {
		return err_set(err, ERR_INVALID_VALUE, "device = %.40s...: INDI's names have at most %d characters",
			wanted, INDI_NAME - 1);
	}
	snprintf(peer->device, sizeof peer->device, "%s", wanted);
	enum err_code code = indi_address(port, peer->address, err);
	return code == ERR_OK ? indi_line_join(host, peer->address, &peer->line, err) : code;
}

void indi_peer_close(struct indi_peer *peer)
{
	if (peer->line != NULL) {
		if (peer->listens) {
			indi_line_deaf(peer->line, &peer->ear);
		}
		indi_line_leave(peer->host, peer->line);
	}
	peer->line = NULL;
	peer->listens = false;
}

/* ---- what is waited for ---- */

struct waiting {
	struct indi_peer *peer;
	bool (*ready)(const struct indi_store *store, const char *device);
	uint64_t defined;    /* the last definition seen, and when */
	int64_t since_ms;
	bool settled;
};

/* Whether nothing was defined for a moment; of the device, or of all. */
static bool is_settled(struct waiting *w, uint64_t defined)
{
	int64_t now = real_ms();
	if (defined != w->defined || w->since_ms == 0) {
		w->defined = defined;
		w->since_ms = now;
	}
	return now - w->since_ms >= SETTLED_MS;
}

static bool is_there(const struct indi_store *store, void *arg)
{
	struct waiting *w = arg;
	const struct indi_peer *peer = w->peer;
	if (peer->device[0] != '\0') {
		return indi_store_find(store, peer->device, "CONNECTION") != NULL;
	}
	char names[8];
	uint64_t defined = 0;
	for (size_t i = 0; i < store->devices; i++) {
		defined = store->device[i].defined > defined ? store->device[i].defined : defined;
	}
	return is_settled(w, defined) && indi_list(store, peer->kind, names, sizeof names) > 0;
}

static bool is_answered(const struct indi_store *store, void *arg)
{
	const struct waiting *w = arg;
	const struct indi_property *p = indi_store_find(store, w->peer->device, "CONNECTION");
	const struct indi_member *m = indi_member_find(p, "CONNECT");
	if (m == NULL || p->state == INDI_BUSY) {
		return false;
	}
	return m->on || (w->peer->asked && p->updates > w->peer->asked_at);
}

static bool is_ready(const struct indi_store *store, void *arg)
{
	struct waiting *w = arg;
	const struct indi_device *d = indi_store_device(store, w->peer->device);
	return is_settled(w, d != NULL ? d->defined : 0)
		&& indi_store_on(store, w->peer->device, "CONNECTION", "CONNECT") && w->ready(store, w->peer->device);
}

/* ---- steps ---- */

/* Why the device is not there, with the names of those that are. */
static enum err_code not_there(const struct indi_peer *peer, struct err *err)
{
	char names[140];
	const struct indi_store *store = indi_line_look(peer->line);
	size_t count = indi_list(store, peer->device[0] != '\0' ? peer->kind : 0, names, sizeof names);
	indi_line_done(peer->line);
	if (peer->device[0] != '\0' && count > 0) {
		return err_set(err, ERR_IO, "the INDI server %s has no '%.40s'; device = may be %s", peer->address,
			peer->device, names);
	}
	if (count > 0) {
		return err_set(err, ERR_IO, "the INDI server %s has no %s; it has %s", peer->address,
			kind_word(peer->kind), names);
	}
	return err_set(err, ERR_TIMEOUT, "the INDI server %s has told of no %s yet: does its driver run?",
		peer->address, kind_word(peer->kind));
}

/* Takes the only device of the kind. */
static enum err_code choose(struct indi_peer *peer, struct err *err)
{
	char names[140];
	const struct indi_store *store = indi_line_look(peer->line);
	size_t count = indi_list(store, peer->kind, names, sizeof names);
	for (size_t i = 0; count == 1 && i < store->devices; i++) {
		const struct indi_device *d = &store->device[i];
		if ((d->interface & peer->kind) != 0 && indi_store_find(store, d->name, "CONNECTION") != NULL) {
			snprintf(peer->device, sizeof peer->device, "%s", d->name);
		}
	}
	indi_line_done(peer->line);
	if (count > 1) {
		return err_set(err, ERR_INVALID_VALUE, "the INDI server %s has %zu devices that are a %s: choose by "
			"device = %s", peer->address, count, kind_word(peer->kind), names);
	}
	return ERR_OK;
}

/* Asks the driver to connect to its hardware, unless it is or is trying already. */
static enum err_code ask_to_connect(struct indi_peer *peer, struct err *err)
{
	const struct indi_store *store = indi_line_look(peer->line);
	const struct indi_property *p = indi_store_find(store, peer->device, "CONNECTION");
	bool on = indi_store_on(store, peer->device, "CONNECTION", "CONNECT");
	bool busy = p != NULL && p->state == INDI_BUSY;
	uint64_t now = store->updates;
	indi_line_done(peer->line);
	if (on || busy || peer->asked) {
		return ERR_OK;
	}
	peer->asked = true;
	peer->asked_at = now;
	return indi_line_switch(peer->line, peer->device, "CONNECTION", "CONNECT", err);
}

/* Whether it connected. */
static enum err_code check_answer(struct indi_peer *peer, struct err *err)
{
	const struct indi_store *store = indi_line_look(peer->line);
	bool on = indi_store_on(store, peer->device, "CONNECTION", "CONNECT");
	enum err_code code = ERR_OK;
	if (!on) {
		code = err_set(err, ERR_REFUSED, "INDI's driver of '%.40s' does not get at its hardware: %.120s",
			peer->device, indi_last_words(store, peer->device, peer->asked_at));
		/* The next try asks again. */
		peer->asked = false;
	}
	indi_line_done(peer->line);
	return code;
}

const char *indi_last_words(const struct indi_store *store, const char *device, uint64_t since)
{
	const struct indi_device *d = indi_store_device(store, device);
	return d != NULL && d->told > since && d->message[0] != '\0' ? d->message : "it does not say why";
}

enum err_code indi_peer_up(struct indi_peer *peer,
	bool (*ready)(const struct indi_store *store, const char *device), int64_t deadline_ms, struct err *err)
{
	struct waiting w = {.peer = peer, .ready = ready};
	enum err_code code = indi_line_check(peer->line, err);
	if (code != ERR_OK) {
		return code;
	}
	code = indi_line_wait(peer->line, peer->host, true, is_there, &w, deadline_ms, err);
	if (code == ERR_TIMEOUT) {
		return not_there(peer, err);
	}
	if (code == ERR_OK && peer->device[0] == '\0') {
		code = choose(peer, err);
	}
	if (code == ERR_OK && !peer->listens) {
		indi_line_listen(peer->line, &peer->ear, peer->host, peer->device);
		peer->listens = true;
	}
	if (code == ERR_OK) {
		code = ask_to_connect(peer, err);
	}
	if (code == ERR_OK) {
		code = indi_line_wait(peer->line, peer->host, true, is_answered, &w, deadline_ms, err);
	}
	if (code == ERR_TIMEOUT) {
		return err_set(err, ERR_TIMEOUT, "INDI's driver of '%.40s' is still connecting to its hardware",
			peer->device);
	}
	if (code == ERR_OK) {
		code = check_answer(peer, err);
	}
	if (code == ERR_OK) {
		w.since_ms = 0;
		code = indi_line_wait(peer->line, peer->host, true, is_ready, &w, deadline_ms, err);
	}
	return code != ERR_TIMEOUT ? code
		: err_set(err, ERR_TIMEOUT, "INDI's driver of '%.40s' is connected but does not tell what a %s has to "
			  "tell", peer->device, kind_word(peer->kind));
}

enum err_code indi_peer_posted(struct indi_peer *peer, struct err *err)
{
	return peer->line != NULL ? indi_line_heard(peer->line, &peer->ear, err) : ERR_OK;
}

enum err_code indi_peer_check(const struct indi_peer *peer, const struct indi_store *store, struct err *err)
{
	if (indi_store_find(store, peer->device, "CONNECTION") == NULL) {
		return err_set(err, ERR_IO, "'%.40s' has gone from the INDI server: its driver ended or crashed",
			peer->device);
	}
	if (!indi_store_on(store, peer->device, "CONNECTION", "CONNECT")) {
		return err_set(err, ERR_IO, "'%.40s' was disconnected, by its INDI driver or another program: %.100s",
			peer->device, indi_last_words(store, peer->device, peer->asked_at));
	}
	return ERR_OK;
}
