/* SPDX-License-Identifier: MIT */
/* Reads FITS as it is found in the field.  Keywords are read as text first: programs write numbers
 * in quotes and text where the standard wants numbers. */
#include "fits_parse.h"

#include <ctype.h>
#include <math.h>
#include <string.h>

#include "fits_library.h"
#include "text.h"

/* The value of a keyword as text without quotes and outer blanks; false when absent. */
static bool read_text(fitsfile *file, const char *key, char *out, size_t cap)
{
	char value[FLEN_VALUE] = "";
	int status = 0;
	fits_library.read_keyword(file, key, value, NULL, &status);
	fits_library.clear_errmsg();
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
	/* The exponent may be written with D, as Fortran does; the standard allows it. */
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

/* Whether the text names a mosaic: one red, two green and one blue cell in any order, such as RGGB. */
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

/* An offset of a mosaic against the pattern that its header names, 0 or 1; 0 when the header does not say. */
static int32_t read_offset(fitsfile *file, const char *key)
{
	double v;
	return read_number(file, key, &v) && fmod(fabs(v), 2.0) >= 1.0 ? 1 : 0;
}

static enum image_mosaic read_mosaic(fitsfile *file, int32_t *red_x, int32_t *red_y)
{
	static const char *const keys[] = {"BAYERPAT", "COLORTYP", "FILTER"};
	for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
		char text[FLEN_VALUE];
		if (read_text(file, keys[i], text, sizeof text) && names_mosaic(text)) {
			int red = (int)strcspn(text, "Rr");
			*red_x = (red % 2) ^ read_offset(file, "XBAYROFF");
			*red_y = (red / 2) ^ read_offset(file, "YBAYROFF");
			return IMAGE_BAYER;
		}
	}
	return IMAGE_MONO;
}

/* The value of saturation that the header gives; NAN when it gives none. *maximum becomes what the header calls the
 * greatest value, NAN when absent: some programs mean a limit by it, others a statistic of these very pixels. */
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

/* The value of saturation that the data let guess: integers end at the width of their type, or at the width of a
 * converter of 10, 12 or 14 bits when their greatest value touches it. */
static double data_full_scale(const struct scaling *scaling, double greatest)
{
	/* A scale says how integers are stored and hides what the converter gave. */
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
	struct fits_position *position = &out->position;
	position->in_header = read_number(file, "FOCUSPOS", &position->header_steps) ||
		read_number(file, "FOCPOS", &position->header_steps);
	double exposure;
	position->in_name = fits_name_position(path, &position->name_steps, &exposure);
	if (!read_number(file, "EXPTIME", &out->exposure_s) &&
	    !read_number(file, "EXPOSURE", &out->exposure_s)) {
		out->exposure_s = position->in_name ? exposure : NAN;
	}
}

/* Whether the header calls the frame one that shows no stars. N.I.N.A. and most others write IMAGETYP ("Dark Frame",
 * "FLAT"), drivers of INDI write FRAME ("Bias"). */
static bool read_calibration(fitsfile *file)
{
	static const char *const keys[] = {"IMAGETYP", "FRAME"};
	static const char *const words[] = {"dark", "flat", "bias", "zero"};
	char text[FLEN_VALUE];
	for (size_t k = 0; k < sizeof keys / sizeof keys[0]; k++) {
		bool said = read_text(file, keys[k], text, sizeof text);
		for (size_t w = 0; said && w < sizeof words / sizeof words[0]; w++) {
			if (strcasestr(text, words[w]) != NULL) {
				return true;
			}
		}
	}
	return false;
}

/* When the exposure began, ms since 1970; 0 unknown. */
static int64_t read_start(fitsfile *file)
{
	char text[FLEN_VALUE];
	int64_t utc_ms = 0;
	return read_text(file, "DATE-OBS", text, sizeof text) && fits_date_parse(text, &utc_ms) ? utc_ms : 0;
}

static enum err_code fail(struct err *err, const char *path, int status)
{
	char reason[FLEN_STATUS] = "";
	char detail[FLEN_ERRMSG] = "";
	fits_library.get_errstatus(status, reason);
	/* The oldest message is the one nearest to the cause. Some messages end in the middle, before what the library
	 * puts into the next one, or with a line feed. */
	fits_library.read_errmsg(detail);
	fits_library.clear_errmsg();
	size_t len = strlen(detail);
	while (len > 0 && strchr(" :.\n", detail[len - 1]) != NULL) {
		detail[--len] = '\0';
	}
	if (status == FILE_NOT_OPENED) {
		return err_set(err, ERR_IO, "cannot open %s: no such file, or not readable", path);
	}
	return err_set(err, ERR_IO, "cannot read %s as FITS: %s%s%s", path, reason,
		detail[0] != '\0' ? "; " : "", detail);
}

/* So many extensions are searched for the largest image. */
enum { MOST_EXTENSIONS = 64 };

/* Moves to the largest image with two axes (the first of equals): some programs put a thumbnail in front.
 * planes tells how many lie behind one another. */
static int find_image(fitsfile *file, int *bitpix, LONGLONG axes[3], int *planes)
{
	int best = 0;
	int status = 0;
	for (int i = 1; i <= MOST_EXTENSIONS; i++) {
		int type = 0;
		int count = 0;
		int depth = 0;
		LONGLONG size[3] = {1, 1, 1};
		int moved = 0;
		if (fits_library.movabs_hdu(file, i, &type, &moved) != 0) {
			status = best == 0 ? moved : 0;
			break;
		}
		int own = 0;
		if (type == IMAGE_HDU) {
			fits_library.get_img_paramll(file, 3, &depth, &count, size, &own);
		}
		bool image = type == IMAGE_HDU && own == 0 && count >= 2 && size[0] > 1 && size[1] > 1;
		/* The product is floating point, since a damaged header may claim more than an integer can hold. */
		if (image && (best == 0 || (double)size[0] * (double)size[1] > (double)axes[0] * (double)axes[1])) {
			best = i;
			*bitpix = depth;
			memcpy(axes, size, sizeof size);
			*planes = count >= 3 && size[2] > 0 ? (int)(size[2] < 1000 ? size[2] : 1000) : 1;
		}
	}
	if (best != 0) {
		fits_library.clear_errmsg();
		fits_library.movabs_hdu(file, best, NULL, &status);
	}
	return best == 0 && status == 0 ? END_OF_FILE : status;
}

/* Applies the rule of fits_frame.type to the image at which the file stands. */
static enum image_type read_type(fitsfile *file)
{
	int equivalent = DOUBLE_IMG;
	int status = 0;
	fits_library.get_img_equivtype(file, &equivalent, &status);
	fits_library.clear_errmsg();
	switch (status == 0 ? equivalent : DOUBLE_IMG) {
	case BYTE_IMG:
		return IMAGE_U8;
	case SBYTE_IMG:
	case SHORT_IMG:
	case USHORT_IMG:
		return IMAGE_U16;
	case LONG_IMG:
		return IMAGE_I32;
	case FLOAT_IMG:
		return IMAGE_F32;
	default:
		return IMAGE_F64;
	}
}

static enum err_code read_facts(const char *path, fitsfile *file, struct fits_frame *out, struct scaling *scaling,
	struct err *err)
{
	LONGLONG axes[3] = {0};
	int status = find_image(file, &scaling->bitpix, axes, &out->planes);
	if (status == END_OF_FILE) {
		fits_library.clear_errmsg();
		return err_set(err, ERR_IO, "%s holds no image", path);
	}
	if (status != 0) {
		return fail(err, path, status);
	}
	if (axes[0] > INT32_MAX || axes[1] > INT32_MAX || axes[0] > FITS_MOST_PIXELS / axes[1]) {
		return err_set(err, ERR_IO, "%s claims %lld x %lld pixels; the header is damaged", path,
			axes[0], axes[1]);
	}
	out->width = (int32_t)axes[0];
	out->height = (int32_t)axes[1];
	out->mosaic = out->planes == 1 ? read_mosaic(file, &out->bayer_x, &out->bayer_y) : IMAGE_MONO;
	out->full_scale_adu = header_full_scale(file, &scaling->maximum);
	if (!read_number(file, "BZERO", &scaling->bzero)) {
		scaling->bzero = 0.0;
	}
	if (!read_number(file, "BSCALE", &scaling->bscale)) {
		scaling->bscale = 1.0;
	}
	out->type = read_type(file);
	double v;
	out->pixel_um = read_number(file, "XPIXSZ", &v) && v > 0.0 ? v : NAN;
	out->bin = read_number(file, "XBINNING", &v) && v >= 1.0 && v <= 64.0 ? (int32_t)v : 1;
	read_position(path, file, out);
	out->calibration = read_calibration(file);
	out->start_utc_ms = read_start(file);
	return ERR_OK;
}

static fitsfile *open_file(const char *path, struct err *err, enum err_code *code)
{
	fitsfile *file = NULL;
	int status = 0;
	fits_library.clear_errmsg();
	if (fits_library.open_diskfile(&file, path, READONLY, &status) != 0) {
		*code = fail(err, path, status);
		return NULL;
	}
	*code = ERR_OK;
	return file;
}

static void close_file(fitsfile *file)
{
	int status = 0;
	fits_library.close_file(file, &status);
	fits_library.clear_errmsg();
}

static enum err_code read_pixels(const char *path, fitsfile *file, struct fits_frame *frame,
	const struct fits_room *room, struct err *err)
{
	size_t count = (size_t)frame->width * (size_t)frame->height;
	bool exact = room->exact || (room->plane >= 0 && fits_type_is_wide(frame->type));
	if (room->plane >= frame->planes) {
		return err_set(err, ERR_IO, "%s has no plane %d", path, (int)room->plane + 1);
	}
	void *pixels = room->take(room->arg, count * (exact ? sizeof *frame->exact : sizeof *frame->pixels));
	if (pixels == NULL) {
		return err_set(err, ERR_NOMEM, "no memory for the %d x %d pixels of %s",
			(int)frame->width, (int)frame->height, path);
	}
	LONGLONG first[4] = {1, 1, room->plane >= 0 ? room->plane + 1 : frame->planes == 3 ? 2 : 1, 1};
	float missing = NAN;
	double missing_exact = NAN;
	int any = 0;
	int status = 0;
	if (exact) {
		fits_library.read_pixll(file, TDOUBLE, first, (LONGLONG)count, &missing_exact, pixels, &any, &status);
	} else {
		fits_library.read_pixll(file, TFLOAT, first, (LONGLONG)count, &missing, pixels, &any, &status);
	}
	if (status == NUM_OVERFLOW) {
		/* Some values did not fit a float and were replaced by its limits. */
		status = 0;
	}
	if (status != 0) {
		return fail(err, path, status);
	}
	frame->pixels = exact ? NULL : pixels;
	frame->exact = exact ? pixels : NULL;
	return ERR_OK;
}

/* The greatest value; *times becomes the number of pixels that have it. */
static double greatest_of(const struct fits_frame *frame, size_t *times)
{
	size_t count = (size_t)frame->width * (size_t)frame->height;
	double most = -INFINITY;
	*times = 0;
	for (size_t i = 0; i < count; i++) {
		double value = frame->exact != NULL ? frame->exact[i] : (double)frame->pixels[i];
		if (value > most) {
			most = value;
			*times = 0;
		}
		*times += value >= most ? 1 : 0;
	}
	return most;
}

static double full_scale_of(const struct fits_frame *frame, const struct scaling *scaling)
{
	size_t times;
	double greatest = greatest_of(frame, &times);
	/* A maximum that only one or two pixels reach is a statistic. A limit stands above all pixels, or cuts many. */
	if (isfinite(scaling->maximum) && (greatest < 0.98 * scaling->maximum || times > 2)) {
		return scaling->maximum;
	}
	return data_full_scale(scaling, greatest);
}

enum err_code fits_parse(const char *path, const struct fits_room *room, struct fits_frame *out, struct err *err)
{
	enum err_code code;
	fitsfile *file = open_file(path, err, &code);
	if (file == NULL) {
		return code;
	}
	struct fits_frame frame = {0};
	struct scaling scaling = {0};
	code = read_facts(path, file, &frame, &scaling, err);
	if (code == ERR_OK && room != NULL) {
		code = read_pixels(path, file, &frame, room, err);
	}
	close_file(file);
	if (code != ERR_OK) {
		return code;
	}
	if (isnan(frame.full_scale_adu) && room != NULL) {
		frame.full_scale_adu = full_scale_of(&frame, &scaling);
	} else if (isnan(frame.full_scale_adu)) {
		frame.full_scale_adu = isnan(scaling.maximum) ? data_full_scale(&scaling, INFINITY) : scaling.maximum;
	}
	*out = frame;
	return ERR_OK;
}
