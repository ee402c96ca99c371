/* SPDX-License-Identifier: MIT */
#include "indi_packed.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>

#include "fits_frame.h"

/* The most bytes of a picture that is kept: compressed, it is smaller than the largest that can be lent. */
#define KEPT_MAX (1u << 30)
#define UNPACK_BYTES (128 << 10)

struct indi_packed {
	struct indi_fits *fits;
	bool inflating;          /* z is in use, for ".z" and ".gz" */
	bool ended;              /* the stream's own end was seen */
	z_stream z;
	unsigned char *out;
	int file;                /* in memory, of what is no plain FITS; -1 */
	bool raw;                /* it is a camera's own file */
	size_t kept;
};

static void reset(struct indi_packed *p)
{
	if (p->inflating) {
		inflateEnd(&p->z);
	}
	if (p->file >= 0) {
		close(p->file);
	}
	p->inflating = false;
	p->ended = false;
	p->file = -1;
	p->kept = 0;
}

/* Whether the format is `inner` with one of the endings of a packed stream, or without. */
static bool is_packed(const char *format, size_t *inner)
{
	size_t n = strlen(format);
	bool z = n >= 2 && strcmp(format + n - 2, ".z") == 0;
	bool gz = n >= 3 && strcmp(format + n - 3, ".gz") == 0;
	*inner = n - (z ? 2 : gz ? 3 : 0);
	return z || gz;
}

enum err_code indi_packed_begin(struct indi_packed **pp, const char *format, struct indi_fits *fits, struct err *err)
{
	struct indi_packed *p = *pp;
	if (p == NULL) {
		p = calloc(1, sizeof *p);
		if (p == NULL) {
			return err_set(err, ERR_NOMEM, "out of memory");
		}
		p->file = -1;
		*pp = p;
	}
	reset(p);
	p->fits = fits;
	if (p->out == NULL) {
		p->out = malloc(UNPACK_BYTES);
	}
	size_t inner;
	bool packed = is_packed(format, &inner);
	memset(&p->z, 0, sizeof p->z);
	/* Either kind of header is found by zlib itself (zlib.h, inflateInit2). */
	if (p->out == NULL || (packed && inflateInit2(&p->z, MAX_WBITS + 32) != Z_OK)) {
		return err_set(err, ERR_NOMEM, "out of memory");
	}
	p->inflating = packed;
	if (inner == strlen(".fits") && strncmp(format, ".fits", inner) == 0) {
		return ERR_OK;
	}
	p->raw = strncmp(format, ".fits", strlen(".fits")) != 0;
	p->file = memfd_create("indi-picture", MFD_CLOEXEC);
	return p->file >= 0 ? ERR_OK
		: err_set(err, ERR_NOMEM, "no memory for a compressed picture: %s", strerror(errno));
}

/* Takes bytes that are not packed any more. */
static enum err_code keep(struct indi_packed *p, const void *data, size_t len, struct err *err)
{
	if (p->file < 0) {
		return indi_fits_feed(p->fits, data, len, err);
	}
	p->kept += len;
	if (p->kept > KEPT_MAX) {
		return err_set(err, ERR_PROTOCOL, "the picture is too large");
	}
	while (len > 0) {
		ssize_t n = write(p->file, data, len);
		if (n < 0 && errno != EINTR) {
			return err_set(err, ERR_NOMEM, "no memory for a compressed picture: %s", strerror(errno));
		}
		if (n > 0) {
			data = (const char *)data + n;
			len -= (size_t)n;
		}
	}
	return ERR_OK;
}

enum err_code indi_packed_feed(struct indi_packed *p, const void *data, size_t len, struct err *err)
{
	if (!p->inflating) {
		return keep(p, data, len, err);
	}
	/* zlib takes a pointer to bytes that it does not change. */
	memcpy(&p->z.next_in, &data, sizeof data);
	p->z.avail_in = (uInt)len;
	while (!p->ended && (p->z.avail_in > 0 || p->z.avail_out == 0)) {
		p->z.next_out = p->out;
		p->z.avail_out = UNPACK_BYTES;
		int rc = inflate(&p->z, Z_NO_FLUSH);
		if (rc != Z_OK && rc != Z_STREAM_END && rc != Z_BUF_ERROR) {
			return err_set(err, rc == Z_MEM_ERROR ? ERR_NOMEM : ERR_PROTOCOL,
				"the compressed picture is damaged");
		}
		p->ended = rc == Z_STREAM_END;
		enum err_code code = keep(p, p->out, UNPACK_BYTES - p->z.avail_out, err);
		if (code != ERR_OK) {
			return code;
		}
		if (rc == Z_BUF_ERROR) {
			break;
		}
	}
	return ERR_OK;
}

static struct indi_fits_facts facts_of(const struct indi_packed *p, const struct fits_frame *frame)
{
	static const int bitpix[] = {[IMAGE_U8] = 8, [IMAGE_U16] = 16, [IMAGE_I32] = 32, [IMAGE_F32] = -32,
		[IMAGE_F64] = -64};
	return (struct indi_fits_facts){
		.bitpix = bitpix[frame->type],
		.width = frame->width,
		.height = frame->height,
		.planes = frame->planes,
		.scale = 1.0,
		.exposure_s = frame->exposure_s,
		.start_utc_ms = frame->start_utc_ms,
		.type = frame->type,
		.rounded = p->raw,
		.red = frame->mosaic == IMAGE_BAYER ? frame->bayer_x + 2 * frame->bayer_y : -1,
	};
}

/* Says of the picture what was said of the file that nobody knows of. */
static enum err_code say(const char *path, const struct err *why, struct err *err)
{
	const char *at = strstr(why->text, path);
	return at == NULL ? err_set(err, ERR_PROTOCOL, "%s", why->text)
		: err_set(err, ERR_PROTOCOL, "%.*sthe picture%s", (int)(at - why->text), why->text, at + strlen(path));
}

/* Has the child read one plane after the other. */
static enum err_code read_file(struct indi_packed *p, int give_up, struct err *err)
{
	char path[48];
	enum err_code code = ERR_OK;
	/* The child that reads it has given up all descriptors, but may open those of this process. */
	snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)getpid(), p->file);
	for (int32_t plane = 0; code == ERR_OK && (plane == 0 || indi_fits_wants(p->fits)); plane++) {
		struct fits_frame frame;
		struct err why;
		code = fits_frame_read_plane(path, plane, give_up, &frame, &why);
		if (code == ERR_OK) {
			struct indi_fits_facts facts = facts_of(p, &frame);
			code = indi_fits_give(p->fits, &facts, plane, frame.pixels, frame.exact, err);
			fits_frame_free(&frame);
		} else if (code == ERR_IO) {
			/* The link is not gone, the picture is. */
			code = say(path, &why, err);
		} else {
			code = err_copy(err, &why);
		}
	}
	return code;
}

enum err_code indi_packed_end(struct indi_packed *p, int give_up, struct err *err)
{
	enum err_code code = ERR_OK;
	if (p->inflating && !p->ended) {
		code = err_set(err, ERR_PROTOCOL, "the picture is cut off: only a part of it came");
	} else if (p->file >= 0) {
		code = read_file(p, give_up, err);
	}
	reset(p);
	return code;
}

void indi_packed_destroy(struct indi_packed *p)
{
	if (p != NULL) {
		reset(p);
		free(p->out);
		free(p);
	}
}
