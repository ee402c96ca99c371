/* SPDX-License-Identifier: MIT */
#include "replay_frames.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"

/* The hash FNV-1a, 64 bit (Fowler, Noll, Vo). */
static uint64_t hash_of(const char *text)
{
	uint64_t hash = 0xCBF29CE484222325u;
	for (const char *p = text; *p != '\0'; p++) {
		hash = (hash ^ (unsigned char)*p) * 0x100000001B3u;
	}
	return hash != 0 ? hash : 1;
}

static int entry_order(const void *a, const void *b)
{
	const struct replay_entry *p = a;
	const struct replay_entry *q = b;
	if (p->position_steps != q->position_steps) {
		return p->position_steps < q->position_steps ? -1 : 1;
	}
	return strcmp(p->file.name, q->file.name);
}

static char *path_join(const char *folder, const char *name)
{
	char *path = NULL;
	size_t len = strlen(folder);
	const char *slash = len > 0 && folder[len - 1] == '/' ? "" : "/";
	return asprintf(&path, "%s%s%s", folder, slash, name) < 0 ? NULL : path;
}

/* The files that were left out; the log gets one line for each reason when the folder is read. */
struct left_out {
	unsigned no_position, unreadable, other_size;
	char first_no_position[256];
	char first_other_size[256];
};

static void note_first(char *to, size_t cap, const char *name)
{
	if (to[0] == '\0') {
		snprintf(to, cap, "%s", name);
	}
}

/* Adds one file and takes path over; returns 0, or -1 when out of memory. */
static int add_file(struct replay_frames *frames, char *path, const char *name,
	const char *source, struct left_out *left)
{
	struct fits_frame fits = {.pixels = NULL};
	struct err why = {.code = ERR_OK};
	if (fits_frame_stat(path, &fits, &why) != ERR_OK) {
		left->unreadable++;
		log_warn(source, "a frame is left out: %s", why.text);
		free(path);
		return 0;
	}
	struct replay_entry *grown = frames->entries;
	if ((frames->count & (frames->count - 1)) == 0) {
		size_t room = frames->count > 0 ? 2 * frames->count : 1;
		grown = realloc(frames->entries, room * sizeof *grown);
	}
	if (grown == NULL) {
		fits_frame_free(&fits);
		free(path);
		return -1;
	}
	frames->entries = grown;
	frames->entries[frames->count++] = (struct replay_entry){
		.file = {
			.path = path,
			.name = path + strlen(path) - strlen(name),
			.width = fits.width,
			.height = fits.height,
			.type = fits.type,
		},
		.claims = fits.position,
		.exposure_s = fits.exposure_s,
		.mosaic = fits.mosaic,
		.bayer_x = fits.bayer_x,
		.bayer_y = fits.bayer_y,
		.full_scale_adu = fits.full_scale_adu,
		.pixel_um = fits.pixel_um,
		.id = hash_of(path),
	};
	fits_frame_free(&fits);
	return 0;
}

/* Gives each frame its position and leaves out those without one. */
static enum err_code settle_positions(struct replay_frames *frames, const char *source, struct left_out *left,
	struct err *err)
{
	struct fits_position *claims = calloc(frames->count + 1, sizeof *claims);
	if (claims == NULL) {
		return err_set(err, ERR_NOMEM, "no memory for the positions of %zu frames", frames->count);
	}
	for (size_t i = 0; i < frames->count; i++) {
		claims[i] = frames->entries[i].claims;
	}
	enum fits_names names;
	enum err_code code = fits_names_judge(claims, frames->count, &names, err);
	free(claims);
	if (code != ERR_OK) {
		return code;
	}
	if (names != FITS_NAMES_STAND) {
		log_warn(source, "%s", fits_names_reason(names));
	}
	size_t kept = 0;
	unsigned differ = 0;
	const char *first = "";
	for (size_t i = 0; i < frames->count; i++) {
		struct replay_entry entry = frames->entries[i];
		if (!fits_position_choose(&entry.claims, names, &entry.position_steps)) {
			left->no_position++;
			note_first(left->first_no_position, sizeof left->first_no_position, entry.file.name);
			free(entry.file.path);
			continue;
		}
		if (names == FITS_NAMES_STAND && fits_position_differs(&entry.claims)) {
			first = differ++ == 0 ? entry.file.name : first;
		}
		frames->entries[kept++] = entry;
	}
	frames->count = kept;
	if (differ > 0) {
		log_warn(source, "names and headers of frames say different positions; the names' are taken: "
			"count=%u first=%s", differ, first);
	}
	return ERR_OK;
}

static bool same_size(const struct replay_entry *a, const struct replay_entry *b)
{
	return a->file.width == b->file.width && a->file.height == b->file.height;
}

/* Keeps the frames of the commonest size (the first of equally common ones), because a camera has one size. */
static void keep_commonest_size(struct replay_frames *frames, struct left_out *left)
{
	size_t best = 0;
	size_t best_votes = 0;
	for (size_t i = 0; i < frames->count; i++) {
		size_t votes = 0;
		for (size_t k = 0; k < frames->count; k++) {
			votes += same_size(&frames->entries[i], &frames->entries[k]) ? 1 : 0;
		}
		if (votes > best_votes) {
			best = i;
			best_votes = votes;
		}
	}
	if (best_votes == frames->count) {
		return;
	}
	struct replay_entry model = frames->entries[best];
	size_t kept = 0;
	for (size_t i = 0; i < frames->count; i++) {
		struct replay_entry *entry = &frames->entries[i];
		if (same_size(entry, &model)) {
			frames->entries[kept++] = *entry;
		} else {
			left->other_size++;
			note_first(left->first_other_size, sizeof left->first_other_size, entry->file.name);
			free(entry->file.path);
		}
	}
	frames->count = kept;
}

static void tell_left_out(const struct left_out *left, const char *source)
{
	if (left->no_position > 0) {
		log_warn(source, "frames without a position are left out: count=%u first=%s",
			left->no_position, left->first_no_position);
	}
	if (left->other_size > 0) {
		log_warn(source, "frames of another size than most are left out: count=%u first=%s",
			left->other_size, left->first_other_size);
	}
}

static int is_frame(const struct dirent *file)
{
	return fits_name_is_frame(file->d_name);
}

/* Says why a folder of frames cannot be read; people copy examples, and write what only a shell understands. */
static enum err_code no_folder(const char *folder, int why, struct err *err)
{
	const char *hint = folder[0] == '~' || folder[0] == '$' ? "; ~ and $ mean nothing here, write the whole path"
			 : folder[0] == '"' || folder[0] == '\'' ? "; a path is written without quotes"
			 : folder[0] != '/' ? "; write the whole path, from / on"
			 : "";
	return err_set(err, ERR_IO, "cannot read the folder of frames %.100s: %s%s", folder, strerror(why), hint);
}

enum err_code replay_frames_look(const char *folder, struct err *err)
{
	struct dirent **names = NULL;
	int n = scandir(folder, &names, is_frame, NULL);
	if (n < 0) {
		return no_folder(folder, errno, err);
	}
	for (int i = 0; i < n; i++) {
		free(names[i]);
	}
	free(names);
	return n > 0 ? ERR_OK : err_set(err, ERR_INVALID_VALUE, "there is no FITS frame in %.150s", folder);
}

enum err_code replay_frames_list(struct replay_frames *frames, const char *folder,
	const char *source, struct err *err)
{
	memset(frames, 0, sizeof *frames);
	struct dirent **names = NULL;
	int n = scandir(folder, &names, NULL, alphasort);
	if (n < 0) {
		return no_folder(folder, errno, err);
	}
	struct left_out left = {0};
	int status = 0;
	for (int i = 0; i < n; i++) {
		if (status == 0 && fits_name_is_frame(names[i]->d_name)) {
			char *path = path_join(folder, names[i]->d_name);
			status = path == NULL ? -1
				: add_file(frames, path, names[i]->d_name, source, &left);
		}
		free(names[i]);
	}
	free(names);
	if (status != 0) {
		replay_frames_fini(frames);
		return err_set(err, ERR_NOMEM, "out of memory while reading %s", folder);
	}
	if (settle_positions(frames, source, &left, err) != ERR_OK) {
		replay_frames_fini(frames);
		return ERR_NOMEM;
	}
	keep_commonest_size(frames, &left);
	tell_left_out(&left, source);
	if (frames->count == 0) {
		replay_frames_fini(frames);
		if (left.no_position > 0) {
			return err_set(err, ERR_INVALID_VALUE, "no frame in %s says where the focuser stood: "
				"neither its header nor its name has a position; a number in "
				"names that merely counts or is always the same is none", folder);
		}
		return err_set(err, ERR_INVALID_VALUE, left.unreadable > 0
			? "no frame in %s can be read" : "there is no FITS frame in %s", folder);
	}
	frames->type = frames->entries[0].file.type;
	for (size_t i = 1; i < frames->count; i++) {
		frames->type = frame_type_wider(frames->type, frames->entries[i].file.type);
	}
	qsort(frames->entries, frames->count, sizeof *frames->entries, entry_order);
	return ERR_OK;
}

void replay_frames_fini(struct replay_frames *frames)
{
	for (size_t i = 0; i < frames->count; i++) {
		free(frames->entries[i].file.path);
	}
	free(frames->entries);
	frames->entries = NULL;
	frames->count = 0;
}

size_t replay_frames_pick(const struct replay_frames *frames, double position)
{
	size_t best = 0;
	double best_distance = INFINITY;
	for (size_t i = 0; i < frames->count; i++) {
		const struct replay_entry *entry = &frames->entries[i];
		double distance = fabs(entry->position_steps - position);
		/* Positions are steps, perhaps fractions of them, so distances that differ by less than this are
		 * equal. */
		bool equal = fabs(distance - best_distance) < 1e-6;
		if ((equal && entry->served < frames->entries[best].served)
			|| (!equal && distance < best_distance)) {
			best = i;
			best_distance = distance;
		}
	}
	return best;
}
