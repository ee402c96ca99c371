/* SPDX-License-Identifier: MIT */
#include "frame_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "clock.h"
#include "state.h"
#include "text.h"

/* FITS standard 4.0, section 3.1 and 4.1. */
#define BLOCK 2880
#define CARD 80
/* So many rows are turned and written at once. */
#define ROWS_AT_ONCE 64

/* ---- room ---- */

/* The bytes of the files in a folder, which are removed, and the folder too, where `remove` is set. */
static int64_t folder_size(const char *folder, bool remove)
{
	int64_t total = 0;
	DIR *dir = opendir(folder);
	const struct dirent *entry;
	while (dir != NULL && (entry = readdir(dir)) != NULL) {
		char path[STATE_PATH_MAX];
		struct stat st;
		int length = snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
		if (length < (int)sizeof path && lstat(path, &st) == 0 && S_ISREG(st.st_mode)) {
			total += st.st_size;
			if (remove) {
				unlink(path);
			}
		}
	}
	if (dir != NULL) {
		closedir(dir);
	}
	if (remove) {
		rmdir(folder);
	}
	return total;
}

static int is_run(const struct dirent *entry)
{
	return strncmp(entry->d_name, "run-", 4) == 0;
}

/* Removes the oldest runs, never `own`, until so many bytes fit into the quota and the disk. */
static bool make_room(const char *frames, const char *own, int64_t bytes, int64_t quota)
{
	struct dirent **list = NULL;
	/* The names have leading zeros, so the order of the alphabet is that of the runs. */
	int count = scandir(frames, &list, is_run, alphasort);
	int64_t total = 0;
	char path[STATE_PATH_MAX + NAME_MAX];
	for (int i = 0; i < count; i++) {
		snprintf(path, sizeof path, "%s/%s", frames, list[i]->d_name);
		total += folder_size(path, false);
	}
	bool fits = false;
	for (int i = 0; i <= count && !fits; i++) {
		struct statvfs disk;
		bool known = statvfs(frames, &disk) == 0;
		fits = total + bytes <= quota &&
		       (!known || (int64_t)disk.f_bavail * (int64_t)disk.f_frsize >= bytes + FRAME_FILES_SPARE);
		if (!fits && i < count && strcmp(list[i]->d_name, own) != 0) {
			snprintf(path, sizeof path, "%s/%s", frames, list[i]->d_name);
			total -= folder_size(path, true);
		}
	}
	for (int i = 0; i < count; i++) {
		free(list[i]);
	}
	free(list);
	return fits;
}

/* ---- the header ---- */

static void card(struct buf *out, const char *key, const char *value)
{
	char line[CARD + 1];
	snprintf(line, sizeof line, "%-8s= %s", key, value);
	buf_printf(out, "%-80s", line);
}

static void card_number(struct buf *out, const char *key, double value)
{
	char text[32], right[40];
	if (isfinite(value)) {
		text_print_double(text, value);
		snprintf(right, sizeof right, "%20s", text);
		card(out, key, right);
	}
}

/* A text in FITS has no characters but printable ASCII, and its quotes are doubled. */
static void card_text(struct buf *out, const char *key, const char *value)
{
	char text[CARD];
	size_t n = 0;
	text[n++] = '\'';
	for (; *value != '\0' && n < 66; value++) {
		text[n++] = *value >= ' ' && *value <= '~' ? *value : '?';
		if (*value == '\'') {
			text[n++] = '\'';
		}
	}
	while (n < 9) {
		text[n++] = ' ';
	}
	text[n++] = '\'';
	text[n] = '\0';
	if (text[1] != ' ') {
		card(out, key, text);
	}
}

static void header(struct buf *out, const struct frame_info *info, const struct frame_note *note)
{
	static const int bits[] = {[IMAGE_U8] = 8, [IMAGE_U16] = 16, [IMAGE_I32] = 32, [IMAGE_F32] = -32,
		[IMAGE_F64] = -64};
	char date[CLOCK_UTC_TEXT];
	card(out, "SIMPLE", "                   T");
	card_number(out, "BITPIX", bits[info->type]);
	card_number(out, "NAXIS", info->planes > 1 ? 3 : 2);
	card_number(out, "NAXIS1", info->width);
	card_number(out, "NAXIS2", info->height);
	card_number(out, "NAXIS3", info->planes > 1 ? info->planes : (double)NAN);
	card_number(out, "BZERO", info->type == IMAGE_U16 ? 32768 : (double)NAN);
	clock_utc_text(info->start_utc_ms, date);
	date[strlen(date) - 1] = '\0'; /* FITS has no Z: times are UTC */
	card_text(out, "DATE-OBS", info->start_utc_ms > 0 ? date : "");
	card_text(out, "INSTRUME", note->camera);
	card_text(out, "FOCNAME", note->focuser);
	card_text(out, "FILTER", note->filter);
	card_text(out, "ROWORDER", "TOP-DOWN");
	bool mosaic = info->mosaic == IMAGE_BAYER && note->pattern[0] != '\0';
	card_text(out, "BAYERPAT", mosaic ? note->pattern : "");
	const double pixel = note->pixel_um > 0 ? note->pixel_um * info->bin : (double)NAN;
	const double exposure = info->exposure_s > 0 ? info->exposure_s : (double)NAN;
	const struct {
		const char *key;
		double value;
	} numbers[] = {
		{"XBAYROFF", mosaic ? note->pattern_x : (double)NAN},
		{"YBAYROFF", mosaic ? note->pattern_y : (double)NAN},
		{"EXPTIME", exposure}, {"EXPOSURE", exposure}, {"XBINNING", info->bin}, {"YBINNING", info->bin},
		{"XPIXSZ", pixel}, {"YPIXSZ", pixel}, {"FOCALLEN", note->focal_length_mm},
		{"FOCPOS", note->position_steps}, {"FOCUSPOS", note->position_steps}, {"FOCUSSZ", note->step_size_um},
		{"FOCTEMP", note->focuser_c}, {"FOCUSTEM", note->focuser_c},
		{"GAIN", note->has_gain ? note->gain : (double)NAN},
		{"OFFSET", note->has_offset ? note->offset : (double)NAN}, {"CCD-TEMP", note->sensor_c},
		{"RUN", (double)note->run},
	};
	for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
		card_number(out, numbers[i].key, numbers[i].value);
	}
	buf_printf(out, "%-80s", "END");
	while (out->len % BLOCK != 0) {
		buf_putc(out, ' ');
	}
}

/* ---- the pixels ---- */

static bool write_all(int fd, const void *data, size_t len)
{
	const char *at = data;
	while (len > 0) {
		ssize_t done = write(fd, at, len);
		if (done < 0 && errno != EINTR) {
			return false;
		}
		at += done > 0 ? done : 0;
		len -= done > 0 ? (size_t)done : 0;
	}
	return true;
}

/* Puts rows first .. first + rows - 1 of one plane into out, in the order and the byte order of FITS. */
static void turn_rows(const struct frame *frame, int32_t plane, int32_t first, int32_t rows, uint8_t *out)
{
	const struct frame_info *info = &frame->info;
	const size_t size = image_type_size(info->type);
	const uint8_t *pixels = frame->pixels;
	/* Unsigned numbers are stored less 32768, which turns their highest bit. */
	const uint8_t flip = info->type == IMAGE_U16 ? 0x80 : 0;
	for (int32_t x = 0; x < info->width; x++) {
		for (int32_t y = 0; y < rows; y++) {
			size_t index = ((size_t)x * (size_t)info->height + (size_t)(first + y)) * (size_t)info->planes +
				       (size_t)plane;
			uint8_t *to = out + ((size_t)y * (size_t)info->width + (size_t)x) * size;
			for (size_t k = 0; k < size; k++) {
				to[k] = pixels[index * size + size - 1 - k];
			}
			to[0] ^= flip;
		}
	}
}
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the bytes of an element are turned round");

static bool write_pixels(int fd, const struct frame *frame, const _Atomic bool *cancel)
{
	const struct frame_info *info = &frame->info;
	size_t row = (size_t)info->width * image_type_size(info->type);
	uint8_t *part = malloc(ROWS_AT_ONCE * row);
	bool good = part != NULL;
	for (int32_t plane = 0; plane < info->planes; plane++) {
		for (int32_t y = 0; good && y < info->height && !atomic_load(cancel); y += ROWS_AT_ONCE) {
			int32_t rows = info->height - y < ROWS_AT_ONCE ? info->height - y : ROWS_AT_ONCE;
			turn_rows(frame, plane, y, rows, part);
			good = write_all(fd, part, (size_t)rows * row);
		}
	}
	free(part);
	static const char zero[BLOCK];
	size_t rest = frame->count * image_type_size(info->type) % BLOCK;
	return good && write_all(fd, zero, rest > 0 ? BLOCK - rest : 0);
}

enum err_code frame_files_keep(const char *state_dir, const struct frame *frame, const struct frame_note *note,
	int64_t quota, const _Atomic bool *cancel, struct err *err)
{
	char frames[STATE_PATH_MAX - 80], own[32], folder[STATE_PATH_MAX - 40];
	char path[STATE_PATH_MAX], part[STATE_PATH_MAX];
	snprintf(own, sizeof own, "run-%06llu", (unsigned long long)note->run);
	snprintf(frames, sizeof frames, "%s/frames", state_dir);
	snprintf(folder, sizeof folder, "%s/%s", frames, own);
	snprintf(path, sizeof path, "%s/%03d.fits", folder, note->number);
	snprintf(part, sizeof part, "%s/.part", folder);
	if ((mkdir(frames, 0755) != 0 && errno != EEXIST) || (mkdir(folder, 0755) != 0 && errno != EEXIST)) {
		return err_set(err, ERR_IO, "cannot make %.150s: %s", folder, strerror(errno));
	}
	struct buf head;
	buf_init(&head, (size_t)4 * BLOCK);
	header(&head, &frame->info, note);
	int64_t bytes = (int64_t)head.len + (int64_t)(frame->count * image_type_size(frame->info.type)) + BLOCK;
	enum err_code code = ERR_OK;
	int fd = -1;
	if (!make_room(frames, own, bytes, quota)) {
		code = err_set(err, ERR_IO, "there is no room for more frames in %.150s", frames);
	} else if ((fd = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644)) < 0) {
		code = err_set(err, ERR_IO, "cannot write %.150s: %s", part, strerror(errno));
	}
	if (code == ERR_OK) {
		bool good = !head.failed && write_all(fd, head.data, head.len) && write_pixels(fd, frame, cancel);
		good = close(fd) == 0 && good;
		if (!good) {
			code = err_set(err, ERR_IO, "cannot write %.150s: %s", path, strerror(errno));
		} else if (atomic_load(cancel)) {
			code = err_set(err, ERR_CANCELLED, "interrupted");
		} else if (rename(part, path) != 0) {
			code = err_set(err, ERR_IO, "cannot write %.150s: %s", path, strerror(errno));
		}
		if (code != ERR_OK) {
			unlink(part);
		}
	}
	buf_fini(&head);
	return code;
}
