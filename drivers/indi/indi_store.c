/* SPDX-License-Identifier: MIT */
#include "indi_store.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

static const char *const type_words[] = {
	[INDI_NUMBER] = "Number", [INDI_SWITCH] = "Switch", [INDI_TEXT] = "Text", [INDI_LIGHT] = "Light",
	[INDI_BLOB] = "BLOB",
};

/* ---- values ---- */

bool indi_number_parse(const char *text, double *out)
{
	/* Degrees, minutes, seconds, separated by a colon, a semicolon or blanks. */
	double part[3] = {0.0, 0.0, 0.0};
	bool negative = false;
	int parts = 0;
	text += strspn(text, " \t\r\n");
	if (*text == '-' || *text == '+') {
		negative = *text == '-';
		text++;
	}
	while (parts < 3) {
		size_t len = strcspn(text, " \t\r\n:;");
		/* One sign, in front. */
		if (text[0] == '-' || text[0] == '+' || !text_parse_double((struct span){text, len}, &part[parts])) {
			return false;
		}
		parts++;
		text += len;
		text += strspn(text, " \t\r\n");
		if (*text == '\0') {
			break;
		}
		if (*text == ':' || *text == ';') {
			text++;
			text += strspn(text, " \t\r\n");
		}
	}
	if (*text != '\0') {
		return false;
	}
	double value = part[0] + part[1] / 60.0 + part[2] / 3600.0;
	*out = negative ? -value : value;
	return true;
}

static double number_of(const char *text, double otherwise)
{
	double value;
	return text != NULL && indi_number_parse(text, &value) ? value : otherwise;
}

static void copy_name(char out[INDI_NAME], const char *name)
{
	snprintf(out, INDI_NAME, "%s", name != NULL ? name : "");
}

static bool state_parse(const char *word, enum indi_state *out)
{
	static const char *const words[] = {
		[INDI_IDLE] = "Idle", [INDI_OK] = "Ok", [INDI_BUSY] = "Busy", [INDI_ALERT] = "Alert"};
	for (size_t i = 0; word != NULL && i < sizeof words / sizeof words[0]; i++) {
		if (strcmp(word, words[i]) == 0) {
			*out = (enum indi_state)i;
			return true;
		}
	}
	return false;
}

/* ---- what there is ---- */

const struct indi_device *indi_store_device(const struct indi_store *s, const char *device)
{
	for (size_t i = 0; i < s->devices; i++) {
		if (strcmp(s->device[i].name, device) == 0) {
			return &s->device[i];
		}
	}
	return NULL;
}

static struct indi_device *need_device(struct indi_store *s, const char *name)
{
	for (size_t i = 0; i < s->devices; i++) {
		if (strncmp(s->device[i].name, name, INDI_NAME - 1) == 0) {
			return &s->device[i];
		}
	}
	if (s->devices == INDI_DEVICES_MAX) {
		return NULL;
	}
	struct indi_device *d = &s->device[s->devices++];
	*d = (struct indi_device){.interface = 0};
	copy_name(d->name, name);
	return d;
}

const struct indi_property *indi_store_find(const struct indi_store *s, const char *device, const char *property)
{
	for (const struct indi_property *p = s->first; p != NULL; p = p->next) {
		if (strcmp(p->name, property) == 0 && strcmp(p->device, device) == 0) {
			return p;
		}
	}
	return NULL;
}

const struct indi_member *indi_member_find(const struct indi_property *p, const char *member)
{
	for (size_t i = 0; p != NULL && i < p->members; i++) {
		if (strcmp(p->member[i].name, member) == 0) {
			return &p->member[i];
		}
	}
	return NULL;
}

double indi_store_number(const struct indi_store *s, const char *device, const char *property, const char *member)
{
	const struct indi_property *p = indi_store_find(s, device, property);
	const struct indi_member *m = indi_member_find(p, member);
	return m != NULL && p->type == INDI_NUMBER ? m->value : NAN;
}

bool indi_store_on(const struct indi_store *s, const char *device, const char *property, const char *member)
{
	const struct indi_member *m = indi_member_find(indi_store_find(s, device, property), member);
	return m != NULL && m->on;
}

/* ---- changes ---- */

static void free_property(struct indi_property *p)
{
	for (size_t i = 0; i < p->members; i++) {
		free(p->member[i].text);
	}
	free(p->member);
	free(p);
}

/* Removes what matches: one property of a device, or with NULL all of them. */
static void forget(struct indi_store *s, const char *device, const char *property)
{
	struct indi_property **at = &s->first;
	while (*at != NULL) {
		struct indi_property *p = *at;
		if (strcmp(p->device, device) == 0 && (property == NULL || strcmp(p->name, property) == 0)) {
			*at = p->next;
			free_property(p);
			s->properties--;
		} else {
			at = &p->next;
		}
	}
}

void indi_store_fini(struct indi_store *s)
{
	while (s->first != NULL) {
		struct indi_property *p = s->first;
		s->first = p->next;
		free_property(p);
	}
	*s = (struct indi_store){.devices = 0};
}

static bool set_member(struct indi_property *p, struct indi_member *m, const struct indi_element *e, size_t node)
{
	const char *text = indi_element_text(e, node);
	if (p->type == INDI_NUMBER) {
		m->value = number_of(text, NAN);
		m->min = number_of(indi_element_attr(e, node, "min"), m->min);
		m->max = number_of(indi_element_attr(e, node, "max"), m->max);
	} else if (p->type == INDI_SWITCH) {
		m->on = strcmp(text, "On") == 0;
	} else if (p->type != INDI_BLOB) {
		char *copy = strdup(text);
		if (copy == NULL) {
			return false;
		}
		free(m->text);
		m->text = copy;
	}
	return true;
}

/* State, time and last words, which come with every kind of news. */
static void take_vector(struct indi_store *s, struct indi_property *p, const struct indi_element *e)
{
	bool was_busy = p->state == INDI_BUSY;
	state_parse(indi_element_attr(e, 0, "state"), &p->state);
	const char *timestamp = indi_element_attr(e, 0, "timestamp");
	if (p->state == INDI_BUSY && !was_busy) {
		snprintf(p->busy_since, sizeof p->busy_since, "%.20s", timestamp != NULL ? timestamp : "");
	}
	p->updates = ++s->updates;
}

static bool take_definition(struct indi_store *s, struct indi_device *device, enum indi_type type,
	const struct indi_element *e)
{
	const char *name = indi_element_attr(e, 0, "name");
	size_t members = indi_element_children(e);
	forget(s, device->name, name);
	device->defined = s->updates + 1;
	if (s->properties == INDI_PROPERTIES_MAX || members > INDI_MEMBERS_MAX) {
		return true;
	}
	struct indi_property *p = calloc(1, sizeof *p);
	if (p == NULL) {
		return false;
	}
	p->member = calloc(members > 0 ? members : 1, sizeof *p->member);
	if (p->member == NULL) {
		free(p);
		return false;
	}
	copy_name(p->device, device->name);
	copy_name(p->name, name);
	p->type = type;
	const char *perm = indi_element_attr(e, 0, "perm");
	p->writable = perm != NULL && strchr(perm, 'w') != NULL;
	for (size_t node = 1; node <= members; node++) {
		struct indi_member *m = &p->member[p->members++];
		copy_name(m->name, indi_element_attr(e, node, "name"));
		copy_name(m->label, indi_element_attr(e, node, "label"));
		if (!set_member(p, m, e, node)) {
			free_property(p);
			return false;
		}
	}
	take_vector(s, p, e);
	p->next = s->first;
	s->first = p;
	s->properties++;
	return true;
}

static struct indi_property *find_for_news(struct indi_store *s, const struct indi_element *e, const char *device)
{
	const char *name = indi_element_attr(e, 0, "name");
	for (struct indi_property *p = s->first; p != NULL; p = p->next) {
		if (strcmp(p->name, name) == 0 && strcmp(p->device, device) == 0) {
			return p;
		}
	}
	return NULL;
}

static bool take_news(struct indi_store *s, enum indi_type type, const struct indi_element *e, const char *device)
{
	struct indi_property *p = find_for_news(s, e, device);
	if (p == NULL || p->type != type) {
		return true;
	}
	bool ok = true;
	for (size_t node = 1; node <= indi_element_children(e) && ok; node++) {
		const char *name = indi_element_attr(e, node, "name");
		for (size_t i = 0; name != NULL && i < p->members && ok; i++) {
			if (strcmp(p->member[i].name, name) == 0) {
				ok = set_member(p, &p->member[i], e, node);
			}
		}
	}
	take_vector(s, p, e);
	return ok;
}

/* The interface is told by a property that every driver has; libindi's drivers tell it before they are connected. */
static void learn_interface(const struct indi_store *s, struct indi_device *device)
{
	const struct indi_member *m =
		indi_member_find(indi_store_find(s, device->name, "DRIVER_INFO"), "DRIVER_INTERFACE");
	uint32_t interface;
	if (m != NULL && m->text != NULL && text_parse_u32(span_of(m->text), &interface)) {
		device->interface = interface;
	}
}

static void keep_message(struct indi_store *s, struct indi_device *device, const struct indi_element *e)
{
	const char *message = indi_element_attr(e, 0, "message");
	if (message != NULL && *message != '\0') {
		text_copy_clean(device->message, sizeof device->message, message);
		device->told = ++s->updates;
	}
}

/* "defNumberVector" and its family: which type, and whether it begins with this word. */
static bool is_vector(const char *tag, const char *word, enum indi_type *type)
{
	size_t n = strlen(word);
	if (strncmp(tag, word, n) != 0) {
		return false;
	}
	for (size_t i = 0; i < sizeof type_words / sizeof type_words[0]; i++) {
		size_t len = strlen(type_words[i]);
		if (strncmp(tag + n, type_words[i], len) == 0 && strcmp(tag + n + len, "Vector") == 0) {
			*type = (enum indi_type)i;
			return true;
		}
	}
	return false;
}

bool indi_store_take(struct indi_store *s, const struct indi_element *e, struct indi_news *news)
{
	const char *tag = indi_element_tag(e, 0);
	const char *device = indi_element_attr(e, 0, "device");
	const char *name = indi_element_attr(e, 0, "name");
	enum indi_type type;
	*news = (struct indi_news){.device = ""};
	struct indi_device *d = device != NULL && *device != '\0' ? need_device(s, device) : NULL;
	if (d == NULL) {
		return true;
	}
	bool ok = true;
	if (is_vector(tag, "def", &type) && name != NULL) {
		news->defined = true;
		ok = take_definition(s, d, type, e);
		learn_interface(s, d);
	} else if (is_vector(tag, "set", &type) && name != NULL) {
		ok = take_news(s, type, e, d->name);
		learn_interface(s, d);
	} else if (strcmp(tag, "delProperty") == 0) {
		news->defined = true;
		forget(s, d->name, name);
		d->defined = ++s->updates;
		d->interface = name == NULL ? 0 : d->interface;
	} else if (strcmp(tag, "message") != 0) {
		return true;
	}
	keep_message(s, d, e);
	copy_name(news->device, d->name);
	copy_name(news->property, name);
	return ok;
}
