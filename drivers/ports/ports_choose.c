/* SPDX-License-Identifier: MIT */
/* Which port a configured name means now, and whether it still leads to the same device; ports.h has the
 * rules. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ports.h"

struct choosing {
	const struct ports_roots *roots;
	const struct ports *list;
	const char *configured;
	const struct focuser_driver *driver;
	const struct port_identity *known; /* NULL: nothing is remembered that still counts */
	bool again;
	struct port_choice *out;
};

static bool same_kind(const struct port_info *port, const struct port_identity *known)
{
	return port->vid == known->vid && port->pid == known->pid &&
	       port->interface == known->interface && port->port_number == known->port_number;
}

/* How many ports look like this one and have no serial number of their own, so that only the socket tells them
 * apart. */
static size_t count_alike(const struct ports *list, const struct port_identity *kind)
{
	size_t count = 0;
	for (size_t i = 0; i < list->count; i++) {
		count += same_kind(&list->port[i], kind) && !list->port[i].is_unique;
	}
	return count;
}

static void note_identity(const struct choosing *c, const struct port_info *port)
{
	struct port_identity *out = &c->out->identity;
	out->vid = port->vid;
	out->pid = port->pid;
	/* A serial number that two attached devices share tells neither from the other. */
	snprintf(out->serial, sizeof out->serial, "%s", port->is_unique ? port->serial : "");
	out->interface = port->interface;
	out->port_number = port->port_number;
	snprintf(out->path, sizeof out->path, "%s", port->path);
	snprintf(out->product, sizeof out->product, "%s", port->product);
	/* A second device of the same kind may be unplugged just now; once one was seen, the remembered port was
	 * not alone. */
	bool met_none = c->known == NULL || !same_kind(port, c->known) || c->known->alone;
	out->alone = met_none && count_alike(c->list, out) <= 1;
}

static enum err_code take(struct choosing *c, const struct port_info *port, const char *open,
	struct err *err)
{
	if (port != NULL && port->holder.pid != 0) {
		return ports_say_busy(c->roots, port->node, err);
	}
	snprintf(c->out->open, sizeof c->out->open, "%s", open);
	if (port != NULL) {
		snprintf(c->out->tty, sizeof c->out->tty, "%s", port->name);
		note_identity(c, port);
	}
	return ERR_OK;
}

static bool same_serial(const struct port_info *port, const struct port_identity *known)
{
	return known->serial[0] != '\0' && strcmp(port->serial, known->serial) == 0;
}

static bool same_socket(const struct port_info *port, const struct port_identity *known)
{
	return known->path[0] != '\0' && strcmp(port->path, known->path) == 0;
}

/* Finds the remembered device: by its serial number where it has one of its own; where several have the same
 * number, or none, by the socket at which it was plugged in.  NULL when it is not attached. */
static const struct port_info *find_known(const struct choosing *c)
{
	const struct port_info *found = NULL;
	for (size_t i = 0; i < c->list->count; i++) {
		const struct port_info *port = &c->list->port[i];
		if (!same_kind(port, c->known)) {
			continue;
		}
		if (c->known->serial[0] != '\0' ? !same_serial(port, c->known)
						: !same_socket(port, c->known) || port->is_unique) {
			continue;
		}
		if (found == NULL || same_socket(port, c->known)) {
			found = port;
		}
	}
	return found;
}

/* Names that the kernel gives out as devices come: they mean nothing after a replug. */
static bool is_passing_name(const struct choosing *c, const char *name)
{
	size_t root = strlen(c->roots->dev);
	if (strncmp(name, c->roots->dev, root) != 0 || name[root] != '/') {
		return false;
	}
	name += root + 1;
	return strncmp(name, "ttyUSB", 6) == 0 || strncmp(name, "ttyACM", 6) == 0;
}

static void describe_known(const struct port_identity *known, char *out, size_t cap)
{
	if (known->serial[0] != '\0') {
		snprintf(out, cap, "%s%s%04x:%04x with serial %s", known->product,
			known->product[0] != '\0' ? " " : "", known->vid, known->pid, known->serial);
	} else {
		snprintf(out, cap, "%s%s%04x:%04x at %.90s", known->product,
			known->product[0] != '\0' ? " " : "", known->vid, known->pid, known->path);
	}
}

/* The name leads to another device than the remembered one, which is nowhere. */
static enum err_code another_device(struct choosing *c, const struct port_info *here, struct err *err)
{
	char now[160];
	char before[200];
	ports_describe(here, now, sizeof now);
	describe_known(c->known, before, sizeof before);
	bool alike = c->known->serial[0] == '\0' && same_kind(here, c->known) && !here->is_unique;
	if (alike && c->known->alone && count_alike(c->list, c->known) == 1) {
		c->out->warn = true;
		snprintf(c->out->note, sizeof c->out->note,
			"%.100s has no serial number and sits in another socket than before: taken for the same "
			"device", here->node);
		return take(c, here, c->configured, err);
	}
	if (alike) {
		return err_set(err, ERR_IO,
			"%s is one of several alike without serial number, and not where the focuser was; "
			"if it is the focuser: port = %.90s", here->name,
			here->by_path[0] != '\0' ? here->by_path : here->node);
	}
	if (is_passing_name(c, c->configured)) {
		return err_set(err, ERR_IO,
			"%.40s is another device now: %.50s, not %.50s; if it is the focuser: port = %.90s",
			here->node, now, before, here->stable);
	}
	if (c->again) {
		return err_set(err, ERR_IO,
			"%s is another device now: %.70s, not %.80s; disconnect to accept it", here->node,
			now, before);
	}
	c->out->warn = true;
	snprintf(c->out->note, sizeof c->out->note, "another device than before: %.90s, not %.100s", now,
		before);
	return take(c, here, c->configured, err);
}

/* A user who wrote a name that the kernel gives out as devices come meant a focuser, and not the mount that has
 * this name today. */
static enum err_code refuse_neighbour(const struct port_info *here, struct err *err)
{
	char now[160];
	ports_describe(here, now, sizeof now);
	return err_set(err, ERR_IO,
		"%.40s looks like a %.30s (%.60s) and is left alone; if it is the focuser: port = %.90s",
		here->node, here->what, now, here->stable);
}

static enum err_code not_there(struct choosing *c, struct err *err)
{
	const struct port_info *alike = NULL;
	for (size_t i = 0; i < c->list->count; i++) {
		const struct port_info *port = &c->list->port[i];
		if (c->known->serial[0] == '\0' && same_kind(port, c->known) && !port->is_unique) {
			alike = port;
		}
	}
	if (alike != NULL) {
		return err_set(err, ERR_IO,
			"there is no %.80s; one like it, without serial number, is at another socket: "
			"port = %.100s", c->configured, alike->stable);
	}
	return err_set(err, ERR_IO, "there is no %.150s: unplugged or without power?", c->configured);
}

static enum err_code choose_named(struct choosing *c, struct err *err)
{
	const struct port_info *here = ports_find(c->roots, c->list, c->configured);
	bool there = here != NULL ? here->exists : access(c->configured, F_OK) == 0;
	if (c->known == NULL || c->known->vid == 0) {
		if (here != NULL && here->kind == PORT_OTHER && is_passing_name(c, c->configured) &&
			strcmp(here->stable, here->node) != 0) {
			return refuse_neighbour(here, err);
		}
		/* Whether the port exists at all is found out by the caller, who opens it. */
		return take(c, here, c->configured, err);
	}
	const struct port_info *found = find_known(c);
	c->out->proven = found != NULL && c->known->serial[0] != '\0';
	if (found != NULL && found == here) {
		return take(c, here, c->configured, err);
	}
	if (found != NULL && found->exists) {
		char what[200];
		describe_known(c->known, what, sizeof what);
		c->out->warn = !c->again;
		snprintf(c->out->note, sizeof c->out->note, "%.80s is at %.50s now: %.90s", c->configured,
			found->node, what);
		return take(c, found, found->stable, err);
	}
	if (!there) {
		return not_there(c, err);
	}
	if (here != NULL) {
		return another_device(c, here, err);
	}
	/* A name that leads to no port of the list, such as a pseudo terminal: nothing to compare. */
	return take(c, NULL, c->configured, err);
}

static enum err_code choose_auto(struct choosing *c, struct err *err)
{
	const char *name = c->driver->name;
	char candidates[150];
	ports_name_candidates(c->list, c->driver, candidates, sizeof candidates);
	if (!ports_can_find(c->driver)) {
		return err_set(err, ERR_INVALID_VALUE,
			"port = auto cannot find a %s: its chips may be anybody's; %s%.130s", name,
			candidates[0] != '\0' ? "write " : "no port is attached that could be one",
			candidates);
	}
	const struct port_info *found = NULL;
	size_t count = 0;
	for (size_t i = 0; i < c->list->count; i++) {
		const struct port_info *port = &c->list->port[i];
		if (port->kind == PORT_FOCUSER && port->driver == c->driver && port->exists) {
			found = port;
			count++;
		}
	}
	bool remembered = c->known != NULL && c->known->vid != 0;
	const struct port_info *same = remembered ? find_known(c) : NULL;
	if (count == 0) {
		return err_set(err, ERR_IO, "port = auto: no %s is attached, or it has no power", name);
	}
	if (c->again && remembered) {
		if (same == NULL) {
			char now[160];
			ports_describe(found, now, sizeof now);
			return err_set(err, ERR_IO,
				"port = auto: %s is another device than before: %.80s; disconnect to accept it",
				found->node, now);
		}
		found = same;
	} else if (count > 1) {
		ports_name_candidates(c->list, c->driver, candidates, sizeof candidates);
		const struct port_info *other = found;
		for (size_t i = 0; i < c->list->count; i++) {
			const struct port_info *port = &c->list->port[i];
			if (port->kind == PORT_FOCUSER && port->driver == c->driver && port != found) {
				other = port;
			}
		}
		return err_set(err, ERR_INVALID_VALUE,
			"port = auto: %zu ports are a %s; write port = %.75s or port = %.75s", count, name,
			other->stable, found->stable);
	}
	c->out->proven = same == found && c->known->serial[0] != '\0';
	snprintf(c->out->note, sizeof c->out->note, "port = auto is %.200s", found->stable);
	return take(c, found, found->stable, err);
}

enum err_code ports_choose(const struct ports_roots *roots, const char *configured,
	const struct focuser_driver *driver, const struct port_identity *known, bool again,
	struct port_choice *out, struct err *err)
{
	struct port_choice choice = {.identity = {.interface = -1}};
	snprintf(choice.identity.configured, sizeof choice.identity.configured, "%s", configured);
	snprintf(choice.identity.driver, sizeof choice.identity.driver, "%s", driver->name);
	if (known != NULL && (strcmp(known->configured, configured) != 0 ||
		strcmp(known->driver, driver->name) != 0)) {
		known = NULL;
	}
	enum err_code code = ERR_OK;
	bool is_auto = strcmp(configured, "auto") == 0;
	if (!is_auto && configured[0] != '/') {
		snprintf(choice.open, sizeof choice.open, "%s", configured);
	} else {
		struct ports *list = ports_list(roots);
		if (list == NULL) {
			return err_set(err, ERR_NOMEM, "out of memory");
		}
		struct choosing c = {roots, list, configured, driver, known, again, &choice};
		code = is_auto ? choose_auto(&c, err) : choose_named(&c, err);
		free(list);
	}
	if (code == ERR_OK) {
		*out = choice;
	}
	return code;
}
