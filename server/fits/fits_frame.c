/* SPDX-License-Identifier: MIT */
/* Reads FITS as it is found in the field.  Keywords are read as text first: programs write numbers
 * in quotes and text where the standard wants numbers. */
#include "fits_frame.h"

#include <ctype.h>
#include <fitsio.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "text.h"

/* Pixels at most; a header that claims more is damaged. */
static const int64_t most_pixels = INT64_C(1) << 30;

/* Length of the name without .fits, .fit, .fts and a .gz or .fz behind; 0 when there is none. */
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

/* Reads a number with p or . as decimal point that fills text exactly. */
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

/* The value of a keyword as text without quotes and outer blanks; false when absent. */
static bool read_text(fitsfile *file, const char *key, char *out, size_t cap)
{
	char value[FLEN_VALUE] = "";
	int status = 0;
	fits_read_keyword(file, key, value, NULL, &status);
	fits_clear_errmsg();
	if (status != 0) {
		return false;
	}
	size_t from = strspn(value, "' ");
	size_t to = strlen(value);
	while (to > from && (value[to - 1] == '\'' || value[to - 1] == ' ')) {
		to--;
	}
	size_t len = to - from < cap - 1 ? to - from : cap - 1;
	memcpy(out, value + from, len);
	out[len] = '\0';
	return len > 0;
}

static bool read_number(fitsfile *file, const char *key, double *out)
{
	char text[FLEN_VALUE];
	if (!read_text(file, key, text, sizeof text)) {
		return false;
	}
	/* Fortran's exponent is legal here. */
	for (char *c = text; *c != '\0'; c++) {
		if (*c == 'D' || *c == 'd') {
			*c = 'E';
		}
	}
	size_t len = strlen(text);
	if (len > 0 && text[len - 1] == '.') {
		text[len - 1] = '\0';
	}
	return text_parse_double(span_of(text), out);
}

/* RGGB and its kin, in any rotation. */
static bool names_mosaic(const char *text)
{
	if (strlen(text) < 4) {
		return false;
	}
	int count[3] = {0};
	for (int i = 0; i < 4; i++) {
		const char *colours = "RGB";
		const char *at = strchr(colours, toupper((unsigned char)text[i]));
		if (at == NULL || *at == '\0') {
			return false;
		}
		count[at - colours]++;
	}
	return count[0] == 1 && count[1] == 2 && count[2] == 1 && !isalpha((unsigned char)text[4]);
}

static enum image_mosaic read_mosaic(fitsfile *file)
{
	static const char *const keys[] = {"BAYERPAT", "COLORTYP", "FILTER"};
	for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
		char text[FLEN_VALUE];
		if (read_text(file, keys[i], text, sizeof text) && names_mosaic(text)) {
			return IMAGE_BAYER;
		}
	}
	return IMAGE_MONO;
}

/* Saturation as the header tells it; NAN when it does not.  maximum is what the header gives as
 * the greatest value, NAN when absent: a limit to some programs, a statistic of the very pixels to
 * others. */
static double header_full_scale(fitsfile *file, double *maximum)
{
	double v;
	*maximum = read_number(file, "DATAMAX", &v) && v > 0.0 ? v : NAN;
	return read_number(file, "SATURATE", &v) && v > 0.0 ? v : NAN;
}

/* How stored numbers become ADU. */
struct scaling {
	int bitpix;
	double bzero, bscale;
	double maximum; /* DATAMAX, NAN when absent */
};

/* Saturation as the data tell it: integers end at their type's width, or at the width of a 10, 12
 * or 14 bit converter when their greatest value touches it. */
static double data_full_scale(const struct scaling *scaling, double greatest)
{
	/* Scaled integers are a way of storing, not what a converter gave. */
	if ((scaling->bitpix != BYTE_IMG && scaling->bitpix != SHORT_IMG) ||
	    fabs(scaling->bscale - 1.0) > 1e-9) {
		return NAN;
	}
	static const int widths[] = {10, 12, 14};
	for (size_t i = 0; i < sizeof widths / sizeof widths[0]; i++) {
		double top = (double)((1 << widths[i]) - 1);
		if (scaling->bitpix == SHORT_IMG && greatest <= top && greatest > 0.995 * top) {
			return top;
		}
	}
	return (scaling->bitpix == BYTE_IMG ? 255.0 : 32767.0) + scaling->bzero;
}

static void read_position(const char *path, fitsfile *file, struct fits_frame *out)
{
	double header;
	bool in_header = read_number(file, "FOCUSPOS", &header) || read_number(file, "FOCPOS", &header);
	double named;
	double exposure;
	bool in_name = fits_name_position(path, &named, &exposure);
	out->position_known = in_header || in_name;
	out->position_steps = in_name ? named : (in_header ? header : 0.0);
	if (in_header && in_name && fabs(header - named) > 0.5) {
		snprintf(out->warning, sizeof out->warning,
			"the name says position %.10g, the header %.10g; the name is taken", named, header);
	}
	if (!read_number(file, "EXPTIME", &out->exposure_s) &&
	    !read_number(file, "EXPOSURE", &out->exposure_s)) {
		out->exposure_s = in_name ? exposure : NAN;
	}
}

static enum err_code fail(struct err *err, const char *path, int status)
{
	char reason[FLEN_STATUS] = "";
	char detail[FLEN_ERRMSG] = "";
	fits_get_errstatus(status, reason);
	/* The oldest message is the one nearest to the cause. */
	fits_read_errmsg(detail);
	fits_clear_errmsg();
	if (status == FILE_NOT_OPENED) {
		return err_set(err, ERR_IO, "cannot open %s: no such file, or not readable", path);
	}
	return err_set(err, ERR_IO, "cannot read %s as FITS: %s%s%s", path, reason,
		detail[0] != '\0' ? "; " : "", detail);
}

/* Moves to the first image with two axes; planes tells how many lie behind one another. */
static int find_image(fitsfile *file, int *bitpix, LONGLONG axes[3], int *planes)
{
	int status = 0;
	for (int i = 1; status == 0; i++) {
		int type = 0;
		int count = 0;
		if (fits_movabs_hdu(file, i, &type, &status) != 0) {
			break;
		}
		if (type != IMAGE_HDU) {
			continue;
		}
		axes[0] = axes[1] = axes[2] = 1;
		int own = 0;
		fits_get_img_paramll(file, 3, bitpix, &count, axes, &own);
		if (own == 0 && count >= 2 && axes[0] > 1 && axes[1] > 1) {
			*planes = count >= 3 && axes[2] > 0 ? (int)(axes[2] < 1000 ? axes[2] : 1000) : 1;
			return 0;
		}
	}
	return status != 0 ? status : END_OF_FILE;
}

static enum err_code read_facts(const char *path, fitsfile *file, struct fits_frame *out,
	int *planes, struct scaling *scaling, struct err *err)
{
	LONGLONG axes[3] = {0};
	int status = find_image(file, &scaling->bitpix, axes, planes);
	if (status == END_OF_FILE) {
		fits_clear_errmsg();
		return err_set(err, ERR_IO, "%s holds no image", path);
	}
	if (status != 0) {
		return fail(err, path, status);
	}
	if (axes[0] > INT32_MAX || axes[1] > INT32_MAX || axes[0] > most_pixels / axes[1]) {
		return err_set(err, ERR_IO, "%s claims %lld x %lld pixels; the header is damaged", path,
			axes[0], axes[1]);
	}
	out->width = (int32_t)axes[0];
	out->height = (int32_t)axes[1];
	out->mosaic = *planes == 1 ? read_mosaic(file) : IMAGE_MONO;
	out->full_scale_adu = header_full_scale(file, &scaling->maximum);
	if (!read_number(file, "BZERO", &scaling->bzero)) {
		scaling->bzero = 0.0;
	}
	if (!read_number(file, "BSCALE", &scaling->bscale)) {
		scaling->bscale = 1.0;
	}
	double v;
	out->pixel_um = read_number(file, "XPIXSZ", &v) && v > 0.0 ? v : NAN;
	out->bin = read_number(file, "XBINNING", &v) && v >= 1.0 && v <= 64.0 ? (int32_t)v : 1;
	read_position(path, file, out);
	return ERR_OK;
}

static fitsfile *open_file(const char *path, struct err *err, enum err_code *code)
{
	fitsfile *file = NULL;
	int status = 0;
	fits_clear_errmsg();
	if (fits_open_diskfile(&file, path, READONLY, &status) != 0) {
		*code = fail(err, path, status);
		return NULL;
	}
	*code = ERR_OK;
	return file;
}

static void close_file(fitsfile *file)
{
	int status = 0;
	fits_close_file(file, &status);
	fits_clear_errmsg();
}

enum err_code fits_frame_stat(const char *path, struct fits_frame *out, struct err *err)
{
	enum err_code code;
	fitsfile *file = open_file(path, err, &code);
	if (file == NULL) {
		return code;
	}
	struct fits_frame frame = {0};
	int planes = 1;
	struct scaling scaling = {0};
	code = read_facts(path, file, &frame, &planes, &scaling, err);
	close_file(file);
	if (code == ERR_OK) {
		if (isnan(frame.full_scale_adu)) {
			frame.full_scale_adu = isnan(scaling.maximum)
				? data_full_scale(&scaling, INFINITY) : scaling.maximum;
		}
		*out = frame;
	}
	return code;
}

static enum err_code read_pixels(const char *path, fitsfile *file, struct fits_frame *frame,
	int planes, struct err *err)
{
	size_t count = (size_t)frame->width * (size_t)frame->height;
	frame->pixels = malloc(count * sizeof *frame->pixels);
	if (frame->pixels == NULL) {
		return err_set(err, ERR_NOMEM, "no memory for the %d x %d pixels of %s",
			(int)frame->width, (int)frame->height, path);
	}
	LONGLONG first[4] = {1, 1, planes == 3 ? 2 : 1, 1};
	float missing = NAN;
	int any = 0;
	int status = 0;
	fits_read_pixll(file, TFLOAT, first, (LONGLONG)count, &missing, frame->pixels, &any, &status);
	if (status == NUM_OVERFLOW) {
		/* Some values did not fit a float; they came as its limits. */
		status = 0;
	}
	if (status != 0) {
		free(frame->pixels);
		frame->pixels = NULL;
		return fail(err, path, status);
	}
	return ERR_OK;
}

/* Greatest value, and how many pixels have it. */
static double greatest_of(const struct fits_frame *frame, size_t *times)
{
	size_t count = (size_t)frame->width * (size_t)frame->height;
	float most = -INFINITY;
	*times = 0;
	for (size_t i = 0; i < count; i++) {
		if (frame->pixels[i] > most) {
			most = frame->pixels[i];
			*times = 0;
		}
		*times += frame->pixels[i] >= most ? 1 : 0;
	}
	return (double)most;
}

static double full_scale_of(const struct fits_frame *frame, const struct scaling *scaling)
{
	size_t times;
	double greatest = greatest_of(frame, &times);
	/* A maximum that one or two pixels reach is a statistic; a limit stands above all pixels or
	 * cuts many. */
	if (isfinite(scaling->maximum) && (greatest < 0.98 * scaling->maximum || times > 2)) {
		return scaling->maximum;
	}
	return data_full_scale(scaling, greatest);
}

enum err_code fits_frame_read(const char *path, struct fits_frame *out, struct err *err)
{
	enum err_code code;
	fitsfile *file = open_file(path, err, &code);
	if (file == NULL) {
		return code;
	}
	struct fits_frame frame = {0};
	int planes = 1;
	struct scaling scaling = {0};
	code = read_facts(path, file, &frame, &planes, &scaling, err);
	if (code == ERR_OK) {
		code = read_pixels(path, file, &frame, planes, err);
	}
	close_file(file);
	if (code == ERR_OK) {
		if (isnan(frame.full_scale_adu)) {
			frame.full_scale_adu = full_scale_of(&frame, &scaling);
		}
		*out = frame;
	}
	return code;
}

void fits_frame_free(struct fits_frame *frame)
{
	if (frame != NULL) {
		free(frame->pixels);
		frame->pixels = NULL;
	}
}

struct image fits_frame_image(const struct fits_frame *frame)
{
	return (struct image){
		.data = frame->pixels,
		.type = IMAGE_F32,
		.mosaic = frame->mosaic,
		.width = frame->width,
		.height = frame->height,
		.stride = (size_t)frame->width,
		.transposed = false,
		.full_scale_adu = frame->full_scale_adu,
	};
}
