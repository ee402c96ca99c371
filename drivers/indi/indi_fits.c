/* SPDX-License-Identifier: MIT */
#include "indi_fits.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "text.h"

#define BLOCK 2880 /* FITS Standard 4.0, section 3.1 */
#define CARD 80
/* A header of INDI has two or three blocks; one without an end is no header. */
#define BLOCKS_MAX 128
/* So many bytes of pixels are turned round at a time: they stay in the cache. */
#define CHUNK_BYTES (256 << 10)
/* The longest side of a picture; the product of both is limited by what core lends. */
#define SIDE_MAX 100000

enum stage { STAGE_HEADER, STAGE_PIXELS, STAGE_WHOLE, STAGE_UNWANTED, STAGE_BAD };

struct indi_fits {
	const struct indi_fits_handlers *handlers;
	void *ctx;
	enum stage stage;
	struct err why;            /* of STAGE_BAD */
	struct indi_fits_facts facts;
	int axes;
	bool simple, ended;
	int blocks;
	/* Bytes that are not a whole block, or not whole rows, yet. */
	unsigned char *chunk;
	size_t have, want;         /* bytes in it, and when it is full */
	size_t room;               /* bytes that chunk and turned have */
	unsigned char *turned;     /* the same in the type of the frame */
	int32_t plane, row;        /* where the chunk begins */
};

bool indi_fits_fits_into(enum image_type from, enum image_type into)
{
	static const bool table[5][5] = {
		[IMAGE_U8] = {[IMAGE_U8] = true, [IMAGE_U16] = true, [IMAGE_I32] = true, [IMAGE_F32] = true,
			[IMAGE_F64] = true},
		[IMAGE_U16] = {[IMAGE_U16] = true, [IMAGE_I32] = true, [IMAGE_F32] = true, [IMAGE_F64] = true},
		[IMAGE_I32] = {[IMAGE_I32] = true, [IMAGE_F64] = true},
		[IMAGE_F32] = {[IMAGE_F32] = true, [IMAGE_F64] = true},
		[IMAGE_F64] = {[IMAGE_F64] = true},
	};
	return table[from][into];
}

static enum err_code bad(struct indi_fits *f, enum err_code code, const char *sentence)
{
	f->stage = STAGE_BAD;
	return err_set(&f->why, code, "%s", sentence);
}

/* ---- header ---- */

/* Reads the value of a card, without the quotes and blanks of a string. */
static void card_value(const char *card, char out[CARD])
{
	const char *at = card + 10;
	const char *end = card + CARD;
	size_t n = 0;
	while (at < end && *at == ' ') {
		at++;
	}
	if (at < end && *at == '\'') {
		at++;
		while (at < end && *at != '\'') {
			out[n++] = *at++;
		}
	} else {
		while (at < end && *at != '/') {
			out[n++] = *at++;
		}
	}
	while (n > 0 && out[n - 1] == ' ') {
		n--;
	}
	out[n] = '\0';
}

static double number_of(const char *text, double otherwise)
{
	double value;
	return text_parse_double(span_of(text), &value) ? value : otherwise;
}

/* Reads "2026-11-28T18:12:49.123" as milliseconds since 1970; 0 when it is no moment. */
static int64_t moment_of(const char *text)
{
	struct tm tm = {.tm_isdst = 0};
	const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
	if (rest == NULL) {
		return 0;
	}
	double fraction = 0.0;
	char number[16];
	snprintf(number, sizeof number, "0%.10s", rest);
	if (*rest == '.') {
		fraction = number_of(number, 0.0);
	}
	return (int64_t)timegm(&tm) * 1000 + (int64_t)(fraction * 1000.0);
}

static int32_t whole_of(const char *text)
{
	double value = number_of(text, -1.0);
	return value >= 0 && value <= SIDE_MAX && value == floor(value) ? (int32_t)value : -1;
}

static void take_card(struct indi_fits *f, const char *card)
{
	struct indi_fits_facts *facts = &f->facts;
	char key[9];
	char value[CARD];
	snprintf(key, sizeof key, "%.8s", card);
	key[strcspn(key, " ")] = '\0';
	if (strcmp(key, "END") == 0) {
		f->ended = true;
		return;
	}
	if (card[8] != '=') {
		return;
	}
	card_value(card, value);
	if (strcmp(key, "SIMPLE") == 0) {
		f->simple = value[0] == 'T';
	} else if (strcmp(key, "BITPIX") == 0) {
		facts->bitpix = (int)number_of(value, 0);
	} else if (strcmp(key, "NAXIS") == 0) {
		f->axes = (int)number_of(value, 0);
	} else if (strcmp(key, "NAXIS1") == 0) {
		facts->width = whole_of(value);
	} else if (strcmp(key, "NAXIS2") == 0) {
		facts->height = whole_of(value);
	} else if (strcmp(key, "NAXIS3") == 0) {
		facts->planes = whole_of(value);
	} else if (strcmp(key, "BZERO") == 0) {
		facts->zero = number_of(value, NAN);
	} else if (strcmp(key, "BSCALE") == 0) {
		facts->scale = number_of(value, NAN);
	} else if (strcmp(key, "EXPTIME") == 0) {
		facts->exposure_s = number_of(value, NAN);
	} else if (strcmp(key, "DATE-OBS") == 0) {
		facts->start_utc_ms = moment_of(value);
	}
}

static bool type_of(struct indi_fits_facts *facts)
{
	bool plain = facts->zero == 0.0 && facts->scale == 1.0;
	switch (facts->bitpix) {
	case 8:
		facts->type = plain ? IMAGE_U8 : IMAGE_F64;
		return true;
	case 16:
		facts->type = facts->zero == 32768.0 && facts->scale == 1.0 ? IMAGE_U16 : plain ? IMAGE_I32 : IMAGE_F64;
		return true;
	case 32:
		facts->type = plain ? IMAGE_I32 : IMAGE_F64;
		return true;
	case -32:
		facts->type = plain ? IMAGE_F32 : IMAGE_F64;
		return true;
	case -64:
		facts->type = IMAGE_F64;
		return true;
	default:
		return false;
	}
}

static size_t row_bytes(const struct indi_fits_facts *facts)
{
	return (size_t)facts->width * (size_t)(abs(facts->bitpix) / 8);
}

/* Makes room for some rows, as they are in the file and as they are in the frame. */
static enum err_code begin_pixels(struct indi_fits *f)
{
	struct indi_fits_facts *facts = &f->facts;
	size_t bytes = row_bytes(facts);
	size_t rows = CHUNK_BYTES / bytes > 0 ? CHUNK_BYTES / bytes : 1;
	rows = rows < (size_t)facts->height ? rows : (size_t)facts->height;
	f->want = rows * bytes;
	/* No type is wider than eight bytes. */
	size_t room = rows * (size_t)facts->width * 8;
	if (room > f->room) {
		free(f->chunk);
		free(f->turned);
		f->chunk = malloc(room);
		f->turned = malloc(room);
		f->room = f->chunk != NULL && f->turned != NULL ? room : 0;
	}
	f->have = 0;
	f->plane = 0;
	f->row = 0;
	f->stage = STAGE_PIXELS;
	return f->room > 0 ? ERR_OK : bad(f, ERR_NOMEM, "out of memory");
}

/* The facts are complete. */
static enum err_code begin_picture(struct indi_fits *f)
{
	const struct indi_fits_facts *facts = &f->facts;
	if (facts->width <= 0 || facts->height <= 0 || (facts->planes != 1 && facts->planes != 3)) {
		return bad(f, ERR_PROTOCOL, "the picture has neither one nor three colours");
	}
	if (!f->handlers->header(f->ctx, facts)) {
		f->stage = STAGE_UNWANTED;
		return ERR_OK;
	}
	return begin_pixels(f);
}

static enum err_code end_header(struct indi_fits *f)
{
	struct indi_fits_facts *facts = &f->facts;
	facts->planes = f->axes == 2 ? 1 : facts->planes;
	bool good = f->simple && (f->axes == 2 || f->axes == 3) && isfinite(facts->zero) && isfinite(facts->scale)
		&& type_of(facts);
	return good ? begin_picture(f) : bad(f, ERR_PROTOCOL, "the picture is no plain FITS image");
}

/* ---- pixels: big-endian in the file ---- */

static inline uint16_t get16(const unsigned char *in)
{
	uint16_t v;
	memcpy(&v, in, sizeof v);
	return __builtin_bswap16(v);
}

static inline uint32_t get32(const unsigned char *in)
{
	uint32_t v;
	memcpy(&v, in, sizeof v);
	return __builtin_bswap32(v);
}

static inline uint64_t get64(const unsigned char *in)
{
	uint64_t v;
	memcpy(&v, in, sizeof v);
	return __builtin_bswap64(v);
}

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "get16() and its kin turn bytes round, which is right on little-endian machines only"
#endif

static double element(const unsigned char *in, int bitpix, size_t i)
{
	uint32_t bits32;
	uint64_t bits64;
	float f32;
	double f64;
	switch (bitpix) {
	case 8:
		return in[i];
	case 16:
		return (int16_t)get16(in + 2 * i);
	case 32:
		return (int32_t)get32(in + 4 * i);
	case -32:
		bits32 = get32(in + 4 * i);
		memcpy(&f32, &bits32, sizeof f32);
		return (double)f32;
	default:
		bits64 = get64(in + 8 * i);
		memcpy(&f64, &bits64, sizeof f64);
		return f64;
	}
}

static void turn(const struct indi_fits_facts *facts, const unsigned char *in, size_t count, void *to)
{
	if (facts->type == IMAGE_U8) {
		memcpy(to, in, count);
		return;
	}
	if (facts->type == IMAGE_U16) {
		/* Less 32768 in the file: the sign bit the other way round. */
		uint16_t *out = to;
		for (size_t i = 0; i < count; i++) {
			out[i] = get16(in + 2 * i) ^ 0x8000;
		}
		return;
	}
	for (size_t i = 0; i < count; i++) {
		double value = element(in, facts->bitpix, i);
		if (facts->type == IMAGE_I32) {
			((int32_t *)to)[i] = (int32_t)value;
		} else if (facts->type == IMAGE_F32) {
			((float *)to)[i] = (float)value;
		} else {
			((double *)to)[i] = facts->zero + facts->scale * value;
		}
	}
}

/* As many rows as a chunk has are in f->turned. */
static void hand_on(struct indi_fits *f)
{
	const struct indi_fits_facts *facts = &f->facts;
	int32_t rows = (int32_t)(f->want / row_bytes(facts));
	f->handlers->rows(f->ctx, facts, f->plane, f->row, rows, f->turned);
	f->row += rows;
	if (f->row == facts->height) {
		f->row = 0;
		f->plane++;
	}
	int32_t left = facts->height - f->row;
	size_t most = CHUNK_BYTES / row_bytes(facts) > 0 ? CHUNK_BYTES / row_bytes(facts) : 1;
	f->want = row_bytes(facts) * (most < (size_t)left ? most : (size_t)left);
	if (f->plane == facts->planes) {
		f->stage = STAGE_WHOLE;
	}
}

/* ---- bytes ---- */

enum err_code indi_fits_create(const struct indi_fits_handlers *handlers, void *ctx, struct indi_fits **out,
	struct err *err)
{
	struct indi_fits *f = calloc(1, sizeof *f);
	if (f == NULL) {
		return err_set(err, ERR_NOMEM, "out of memory");
	}
	f->handlers = handlers;
	f->ctx = ctx;
	f->chunk = malloc(BLOCK);
	f->turned = malloc(BLOCK);
	f->room = BLOCK;
	if (f->chunk == NULL || f->turned == NULL) {
		indi_fits_destroy(f);
		return err_set(err, ERR_NOMEM, "out of memory");
	}
	indi_fits_begin(f);
	*out = f;
	return ERR_OK;
}

void indi_fits_destroy(struct indi_fits *f)
{
	if (f != NULL) {
		free(f->chunk);
		free(f->turned);
		free(f);
	}
}

void indi_fits_begin(struct indi_fits *f)
{
	f->stage = STAGE_HEADER;
	f->why = (struct err){.code = ERR_OK};
	f->facts = (struct indi_fits_facts){.scale = 1.0, .planes = 1, .exposure_s = NAN, .red = -1};
	f->axes = 0;
	f->blocks = 0;
	f->simple = false;
	f->ended = false;
	f->have = 0;
	f->want = BLOCK;
}

static enum err_code take_block(struct indi_fits *f, const unsigned char *block)
{
	if (f->blocks == 0 && memcmp(block, "SIMPLE  =", 9) != 0) {
		return bad(f, ERR_PROTOCOL, "the picture is no FITS file");
	}
	for (int i = 0; i < BLOCK / CARD && !f->ended; i++) {
		take_card(f, (const char *)block + (size_t)i * CARD);
	}
	if (f->ended) {
		return end_header(f);
	}
	return ++f->blocks < BLOCKS_MAX ? ERR_OK : bad(f, ERR_PROTOCOL, "the picture's header has no end");
}

enum err_code indi_fits_feed(struct indi_fits *f, const void *data, size_t len, struct err *err)
{
	const unsigned char *in = data;
	if (f->room == 0) {
		return err_set(err, ERR_NOMEM, "out of memory");
	}
	while (len > 0 && (f->stage == STAGE_HEADER || f->stage == STAGE_PIXELS)) {
		const unsigned char *ready = NULL;
		size_t n = f->want - f->have < len ? f->want - f->have : len;
		if (n == f->want) {
			ready = in;
		} else {
			memcpy(f->chunk + f->have, in, n);
			f->have += n;
			ready = f->have == f->want ? f->chunk : NULL;
		}
		in += n;
		len -= n;
		if (ready != NULL) {
			f->have = 0;
			if (f->stage == STAGE_PIXELS) {
				turn(&f->facts, ready, f->want / (size_t)(abs(f->facts.bitpix) / 8), f->turned);
				hand_on(f);
			} else {
				take_block(f, ready);
			}
		}
	}
	return f->stage == STAGE_BAD ? err_copy(err, &f->why) : ERR_OK;
}

/* Turns values into the elements of a row; each is in one of the two arrays. */
static void narrow(enum image_type type, const float *values, const double *exact, size_t count, void *to)
{
	for (size_t i = 0; i < count; i++) {
		double value = exact != NULL ? exact[i] : (double)values[i];
		/* Neither comparison is true of what is no number. */
		double whole = value > 0 ? value : 0;
		switch (type) {
		case IMAGE_U8: ((uint8_t *)to)[i] = (uint8_t)fmin(whole, UINT8_MAX); break;
		case IMAGE_U16: ((uint16_t *)to)[i] = (uint16_t)fmin(whole, UINT16_MAX); break;
		case IMAGE_I32: ((int32_t *)to)[i] = (int32_t)fmin(fmax(value, INT32_MIN), INT32_MAX); break;
		case IMAGE_F32: ((float *)to)[i] = (float)value; break;
		case IMAGE_F64: ((double *)to)[i] = value; break;
		}
	}
}

enum err_code indi_fits_give(struct indi_fits *f, const struct indi_fits_facts *facts, int32_t plane,
	const float *values, const double *exact, struct err *err)
{
	if (plane == 0) {
		f->facts = *facts;
		begin_picture(f);
	}
	while (f->stage == STAGE_PIXELS && f->plane == plane) {
		size_t from = (size_t)f->row * (size_t)facts->width;
		narrow(facts->type, values != NULL ? values + from : NULL, exact != NULL ? exact + from : NULL,
			f->want / (size_t)(abs(facts->bitpix) / 8), f->turned);
		hand_on(f);
	}
	return f->stage == STAGE_BAD ? err_copy(err, &f->why) : ERR_OK;
}

bool indi_fits_wants(const struct indi_fits *f)
{
	return f->stage == STAGE_PIXELS;
}

bool indi_fits_whole(const struct indi_fits *f)
{
	return f->stage == STAGE_WHOLE;
}
