/* SPDX-License-Identifier: MIT */
/* What the name of a file says: whether it is a frame, where the focuser stood, how long the exposure was. */
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "fits_frame.h"
#include "text.h"

/* Length of the name without .fits, .fit, .fts and a following .gz or .fz; 0 when it has no such ending. */
static size_t stem_length(const char *name)
{
	size_t n = strlen(name);
	if (n > 3 && (strcasecmp(name + n - 3, ".gz") == 0 || strcasecmp(name + n - 3, ".fz") == 0)) {
		n -= 3;
	}
	static const char *const endings[] = {".fits", ".fit", ".fts"};
	for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
		size_t len = strlen(endings[i]);
		if (n > len && strncasecmp(name + n - len, endings[i], len) == 0) {
			return n - len;
		}
	}
	return 0;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash == NULL ? path : slash + 1;
}

bool fits_name_is_frame(const char *path)
{
	return stem_length(base_name(path)) > 0;
}

/* Reads a number with p or . as decimal point; the number has to fill the text exactly. */
static bool parse_name_number(const char *text, size_t len, double *out)
{
	char copy[32];
	if (len == 0 || len >= sizeof copy) {
		return false;
	}
	for (size_t i = 0; i < len; i++) {
		copy[i] = text[i];
		if (copy[i] == 'p') {
			copy[i] = '.';
		}
		if (!isdigit((unsigned char)copy[i]) && copy[i] != '.') {
			return false;
		}
	}
	if (!isdigit((unsigned char)copy[0]) || !isdigit((unsigned char)copy[len - 1])) {
		return false;
	}
	return text_parse_double((struct span){copy, len}, out);
}

bool fits_name_position(const char *path, double *position_steps, double *exposure_s)
{
	const char *name = base_name(path);
	size_t n = stem_length(name);
	if (n == 0) {
		n = strlen(name);
	}
	if (n < 4 || name[n - 1] != 's') {
		return false;
	}
	size_t exposure = n - 1;
	while (exposure > 0 && name[exposure - 1] != '_') {
		exposure--;
	}
	if (exposure < 2) {
		return false;
	}
	size_t position = exposure - 1;
	while (position > 0 && name[position - 1] != '_' && name[position - 1] != '-' &&
	       name[position - 1] != ' ') {
		position--;
	}
	double p;
	double e;
	if (!parse_name_number(name + position, exposure - 1 - position, &p) ||
	    !parse_name_number(name + exposure, n - 1 - exposure, &e)) {
		return false;
	}
	*position_steps = p;
	*exposure_s = e;
	return true;
}
