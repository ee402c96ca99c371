/* SPDX-License-Identifier: MIT */
#include "indi_setup.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "log.h"

/* Properties of cameras with more numbers than this are not sent: ZWO's CCD_CONTROLS has some fifteen. */
#define NUMBERS_MAX 64
/* Values that differ by less are the same: they went through decimal text. */
#define SAME 1e-6

struct answer {
	const struct indi_peer *peer;
	const char *property;
	uint64_t since;
};

/* Whether the driver has answered, and is not at it any more. */
static bool is_answered(const struct indi_store *store, void *arg)
{
	const struct answer *a = arg;
	const struct indi_property *p = indi_store_find(store, a->peer->device, a->property);
	return p == NULL || (p->updates > a->since && p->state != INDI_BUSY);
}

/* Waits for the answer to what was sent; the sentence names the property. */
static enum err_code wait_answer(struct indi_peer *peer, const char *property, uint64_t since, int64_t deadline_ms,
	struct err *err)
{
	struct answer a = {peer, property, since};
	enum err_code code = indi_line_wait(peer->line, peer->host, false, is_answered, &a, deadline_ms, err);
	if (code == ERR_TIMEOUT) {
		if (peer->unanswered != property) {
			snprintf(peer->unanswered, sizeof peer->unanswered, "%s", property);
			peer->unanswered_since = since;
		}
		return err_set(err, ERR_TIMEOUT, "'%.40s' does not answer when its %s is set", peer->device, property);
	}
	if (code != ERR_OK) {
		return code;
	}
	const struct indi_store *store = indi_line_look(peer->line);
	const struct indi_property *p = indi_store_find(store, peer->device, property);
	if (p == NULL || p->state == INDI_ALERT) {
		code = err_set(err, ERR_REFUSED, "'%.40s' refuses its %s: %.120s", peer->device, property,
			indi_last_words(store, peer->device, since));
	}
	indi_line_done(peer->line);
	return code;
}

/* Waits for the answer that a call before did not live to see. */
static enum err_code wait_unanswered(struct indi_peer *peer, int64_t deadline_ms, struct err *err)
{
	if (peer->unanswered[0] == '\0') {
		return ERR_OK;
	}
	enum err_code code = wait_answer(peer, peer->unanswered, peer->unanswered_since, deadline_ms, err);
	if (code == ERR_OK) {
		memcpy(peer->answered, peer->unanswered, sizeof peer->answered);
	}
	if (code != ERR_TIMEOUT) {
		peer->unanswered[0] = '\0';
	}
	return code;
}

void indi_setup_give_up(struct indi_peer *peer)
{
	peer->unanswered[0] = '\0';
	peer->answered[0] = '\0';
}

enum err_code indi_adjust(struct indi_peer *peer, const char *property, const struct indi_set *set, size_t count,
	int64_t deadline_ms, struct err *err)
{
	struct indi_set all[NUMBERS_MAX];
	char names[NUMBERS_MAX][INDI_NAME];
	const struct indi_store *store = indi_line_look(peer->line);
	const struct indi_property *p = indi_store_find(store, peer->device, property);
	bool usable = p != NULL && p->type == INDI_NUMBER && p->writable
		&& p->members <= NUMBERS_MAX;
	bool same = true;
	uint64_t since = store->updates;
	size_t n = usable ? p->members : 0;
	for (size_t i = 0; i < n; i++) {
		snprintf(names[i], sizeof names[i], "%s", p->member[i].name);
		all[i] = (struct indi_set){names[i], p->member[i].value};
		for (size_t k = 0; k < count; k++) {
			if (strcmp(set[k].member, names[i]) == 0) {
				same = same && fabs(all[i].value - set[k].value) <= SAME;
				all[i].value = set[k].value;
			}
		}
		usable = usable && isfinite(all[i].value);
	}
	indi_line_done(peer->line);
	if (!usable) {
		return err_set(err, ERR_NOT_IMPLEMENTED, "INDI's driver of '%.40s' has no %s", peer->device, property);
	}
	/* What the camera took a while ago may be rounded, and is what it can do all the same. */
	if (strcmp(peer->answered, property) == 0) {
		peer->answered[0] = '\0';
		same = true;
	}
	if (same) {
		return ERR_OK;
	}
	enum err_code code = indi_line_set(peer->line, peer->device, property, all, n, err);
	return code == ERR_OK ? wait_answer(peer, property, since, deadline_ms, err) : code;
}

enum err_code indi_choose(struct indi_peer *peer, const char *property, const char *member, int64_t deadline_ms,
	struct err *err)
{
	const struct indi_store *store = indi_line_look(peer->line);
	bool on = indi_store_on(store, peer->device, property, member);
	uint64_t since = store->updates;
	indi_line_done(peer->line);
	if (on) {
		return ERR_OK;
	}
	enum err_code code = indi_line_switch(peer->line, peer->device, property, member, err);
	return code == ERR_OK ? wait_answer(peer, property, since, deadline_ms, err) : code;
}

/* ---- what stood before ---- */

static bool read_numbers(const struct indi_store *store, const char *device, const char *property,
	const char *const *members, size_t count, double *out)
{
	bool all = true;
	for (size_t i = 0; i < count; i++) {
		out[i] = indi_store_number(store, device, property, members[i]);
		all = all && isfinite(out[i]);
	}
	return all;
}

static const char *const frame_members[] = {"X", "Y", "WIDTH", "HEIGHT"};
static const char *const binning_members[] = {"HOR_BIN", "VER_BIN"};

/* The switch of a property that is on; NULL when there is none. */
static const char *which_is_on(const struct indi_property *p)
{
	for (size_t i = 0; p != NULL && p->type == INDI_SWITCH && i < p->members; i++) {
		if (p->member[i].on) {
			return p->member[i].name;
		}
	}
	return NULL;
}

static void remember(struct indi_peer *peer, struct indi_before *before)
{
	if (before->known) {
		return;
	}
	before->known = true;
	const struct indi_store *store = indi_line_look(peer->line);
	before->has_frame = read_numbers(store, peer->device, "CCD_FRAME", frame_members, 4, before->frame)
		&& before->frame[2] > 0 && before->frame[3] > 0;
	before->has_binning = read_numbers(store, peer->device, "CCD_BINNING", binning_members, 2, before->binning);
	indi_line_done(peer->line);
}

/* Turns the switches as pictures need them, and remembers how they stood. */
static enum err_code take_posture(struct indi_peer *peer, struct indi_before *before, int64_t deadline_ms,
	struct err *err)
{
	enum err_code code = ERR_OK;
	for (size_t i = 0; i < indi_postures_count && code == ERR_OK; i++) {
		const struct indi_posture *posture = &indi_postures[i];
		char was[INDI_NAME] = "";
		const struct indi_store *store = indi_line_look(peer->line);
		const struct indi_property *p = indi_store_find(store, peer->device, posture->property);
		const char *on = which_is_on(p);
		bool there = indi_member_find(p, posture->wanted) != NULL;
		if (there && on != NULL && strcmp(on, posture->wanted) != 0
			&& (posture->instead == NULL || strcmp(on, posture->instead) == 0)) {
			snprintf(was, sizeof was, "%s", on);
		}
		indi_line_done(peer->line);
		if (was[0] == '\0') {
			continue;
		}
		log_info(peer->host->source, "%s of '%s' is set to %s for focusd's pictures; it was %s",
			posture->property, peer->device, posture->wanted, was);
		if (before->on[i][0] == '\0') {
			memcpy(before->on[i], was, sizeof was);
		}
		code = indi_choose(peer, posture->property, posture->wanted, deadline_ms, err);
	}
	return code;
}

void indi_setup_restore(struct indi_peer *peer, const struct indi_before *before)
{
	struct err ignored;
	if (!before->known || indi_line_check(peer->line, &ignored) != ERR_OK) {
		return;
	}
	struct indi_set set[4];
	for (size_t i = 0; before->has_binning && i < 2; i++) {
		set[i] = (struct indi_set){binning_members[i], before->binning[i]};
	}
	if (before->has_binning) {
		indi_line_set(peer->line, peer->device, "CCD_BINNING", set, 2, &ignored);
	}
	for (size_t i = 0; before->has_frame && i < 4; i++) {
		set[i] = (struct indi_set){frame_members[i], before->frame[i]};
	}
	if (before->has_frame) {
		indi_line_set(peer->line, peer->device, "CCD_FRAME", set, 4, &ignored);
	}
	for (size_t i = 0; i < indi_postures_count; i++) {
		if (before->on[i][0] != '\0') {
			indi_line_switch(peer->line, peer->device, indi_postures[i].property, before->on[i], &ignored);
		}
	}
}

/* ---- an exposure ---- */

static enum err_code set_binning(struct indi_peer *peer, int bin, int64_t deadline_ms, struct err *err)
{
	struct indi_set set[] = {{"HOR_BIN", bin}, {"VER_BIN", bin}};
	enum err_code code = indi_adjust(peer, "CCD_BINNING", set, 2, deadline_ms, err);
	return code == ERR_NOT_IMPLEMENTED && bin == 1 ? ERR_OK : code;
}

static bool read_region(struct indi_peer *peer, struct indi_region *out)
{
	double value[4];
	const struct indi_store *store = indi_line_look(peer->line);
	bool there = read_numbers(store, peer->device, "CCD_FRAME", frame_members, 4, value);
	indi_line_done(peer->line);
	if (there) {
		*out = (struct indi_region){(int32_t)lround(value[0]), (int32_t)lround(value[1]),
			(int32_t)lround(value[2]), (int32_t)lround(value[3])};
	}
	return there;
}

static bool contains(const struct indi_region *all, const struct indi_region *part)
{
	return all->x <= part->x && all->y <= part->y && all->x + all->width >= part->x + part->width
		&& all->y + all->height >= part->y + part->height;
}

static enum err_code set_region(struct indi_peer *peer, const struct indi_region *r, int64_t deadline_ms,
	struct err *err)
{
	struct indi_set set[] = {{"X", r->x}, {"Y", r->y}, {"WIDTH", r->width}, {"HEIGHT", r->height}};
	return indi_adjust(peer, "CCD_FRAME", set, 4, deadline_ms, err);
}

/* Many cameras take only some widths and corners and round what they are told, so what they say afterwards counts; when
 * that leaves something out, the whole sensor is taken and ours cut from it. */
static enum err_code set_frame(struct indi_peer *peer, const struct exposure_request *request,
	const struct camera_caps *caps, struct indi_region *region, int64_t deadline_ms, struct err *err)
{
	struct indi_region whole = {0, 0, caps->width, caps->height};
	struct indi_region wanted = {request->start_x * request->bin, request->start_y * request->bin,
		request->num_x * request->bin, request->num_y * request->bin};
	/* What a binning that does not divide the sensor leaves over at the right and below belongs to the frame. */
	bool everything = request->start_x == 0 && request->start_y == 0
		&& request->num_x == caps->width / request->bin && request->num_y == caps->height / request->bin;
	enum err_code code = set_region(peer, everything ? &whole : &wanted, deadline_ms, err);
	if (code == ERR_NOT_IMPLEMENTED) {
		*region = whole;
		return ERR_OK;
	}
	bool told = code == ERR_OK && read_region(peer, region);
	if (code == ERR_REFUSED || (told && !contains(region, &wanted))) {
		code = set_region(peer, &whole, deadline_ms, err);
		told = code == ERR_OK && read_region(peer, region);
	}
	if (code == ERR_OK && (!told || !contains(region, &wanted))) {
		return err_set(err, ERR_REFUSED, "'%.40s' does not deliver the part of its sensor that was asked for",
			peer->device);
	}
	return code;
}

/* Sets gain or offset, where the camera has it. */
static enum err_code set_thing(struct indi_peer *peer, enum indi_thing thing, double value, int64_t deadline_ms,
	struct err *err)
{
	char property[INDI_NAME] = "";
	char member[INDI_NAME] = "";
	const struct indi_store *store = indi_line_look(peer->line);
	struct indi_place place = indi_place_of(store, peer->device, thing);
	if (place.property != NULL) {
		memcpy(property, place.property->name, sizeof property);
		memcpy(member, place.member->name, sizeof member);
	}
	indi_line_done(peer->line);
	struct indi_set set = {member, value};
	return indi_adjust(peer, property, &set, 1, deadline_ms, err);
}

static enum err_code set_mode(struct indi_peer *peer, const struct indi_modes *modes, int mode, int64_t deadline_ms,
	struct err *err)
{
	const char *member = modes->member[mode];
	const struct indi_store *store = indi_line_look(peer->line);
	const struct indi_property *p = indi_store_find(store, peer->device, modes->property);
	bool number = p != NULL && p->type == INDI_NUMBER;
	indi_line_done(peer->line);
	if (member[0] == '\0' || p == NULL) {
		return ERR_OK;
	}
	struct indi_set set = {member, modes->value[mode]};
	return number ? indi_adjust(peer, modes->property, &set, 1, deadline_ms, err)
		: indi_choose(peer, modes->property, member, deadline_ms, err);
}

enum err_code indi_setup(struct indi_peer *peer, const struct exposure_request *request,
	const struct camera_caps *caps, const struct indi_modes *modes, struct indi_before *before,
	struct indi_region *region, int64_t deadline_ms, struct err *err)
{
	remember(peer, before);
	enum err_code code = wait_unanswered(peer, deadline_ms, err);
	if (code == ERR_OK) {
		code = take_posture(peer, before, deadline_ms, err);
	}
	const char *type = request->light ? "FRAME_LIGHT" : request->duration_s > 0 ? "FRAME_DARK" : "FRAME_BIAS";
	if (code == ERR_OK) {
		const struct indi_store *store = indi_line_look(peer->line);
		bool there = indi_member_find(indi_store_find(store, peer->device, "CCD_FRAME_TYPE"), type) != NULL;
		indi_line_done(peer->line);
		code = there ? indi_choose(peer, "CCD_FRAME_TYPE", type, deadline_ms, err) : ERR_OK;
	}
	/* A mode may change what the rest can be. */
	if (code == ERR_OK) {
		code = set_mode(peer, modes, request->readout_mode, deadline_ms, err);
	}
	if (code == ERR_OK) {
		code = set_binning(peer, request->bin, deadline_ms, err);
	}
	if (code == ERR_OK) {
		code = set_frame(peer, request, caps, region, deadline_ms, err);
	}
	if (code == ERR_OK && caps->has_gain) {
		code = set_thing(peer, INDI_GAIN, request->gain, deadline_ms, err);
	}
	if (code == ERR_OK && caps->has_offset) {
		code = set_thing(peer, INDI_OFFSET, request->offset, deadline_ms, err);
	}
	return code;
}
