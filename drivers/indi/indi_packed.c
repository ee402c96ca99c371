/* SPDX-License-Identifier: MIT */
#include "indi_packed.h"

#include <errno.h>
#include <math.h>
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
	bool inflating;          /* z is in use, for ".z" */
	bool ended;              /* the stream's own end was seen */
	z_stream z;
	unsigned char *out;
	int file;                /* in memory, for the others; -1 */
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
	if (p->out == NULL) {
		return err_set(err, ERR_NOMEM, "out of memory");
	}
	if (strcmp(format, ".fits.z") == 0) {
		memset(&p->z, 0, sizeof p->z);
		if (inflateInit(&p->z) != Z_OK) {
			return err_set(err, ERR_NOMEM, "out of memory");
		}
		p->inflating = true;
		return ERR_OK;
	}
	if (strcmp(format, ".fits.fz") != 0 && strcmp(format, ".fits.gz") != 0) {
		return err_set(err, ERR_PROTOCOL, "the camera sends '%.20s' and no FITS: choose FITS in its INDI "
			"driver", format);
	}
	p->file = memfd_create("indi-picture", MFD_CLOEXEC);
	return p->file >= 0 ? ERR_OK
		: err_set(err, ERR_NOMEM, "no memory for a compressed picture: %s", strerror(errno));
}

static enum err_code unpack(struct indi_packed *p, const void *data, size_t len, struct err *err)
{
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
		enum err_code code = indi_fits_feed(p->fits, p->out, UNPACK_BYTES - p->z.avail_out, err);
		if (code != ERR_OK) {
			return code;
		}
		if (rc == Z_BUF_ERROR) {
			break;
		}
	}
	return ERR_OK;
}

enum err_code indi_packed_feed(struct indi_packed *p, const void *data, size_t len, struct err *err)
{
	if (p->inflating) {
		return unpack(p, data, len, err);
	}
	p->kept += len;
	if (p->kept > KEPT_MAX) {
		return err_set(err, ERR_PROTOCOL, "the compressed picture is too large");
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

/* Writes what was read in the child as a plain file would have it, which the reader of plain files then takes.  The
 * header's exposure is carried along; a picture with colour planes is not among these. */
static enum err_code feed_frame(struct indi_packed *p, const struct fits_frame *frame, struct err *err)
{
	char block[2881];
	bool wide = frame->type == IMAGE_F32;
	bool bytes = frame->type == IMAGE_U8;
	if (!wide && !bytes && frame->type != IMAGE_U16) {
		return err_set(err, ERR_PROTOCOL, "a compressed picture of this kind of pixels cannot be read: switch "
			"compression off in its INDI driver");
	}
	int n = snprintf(block, sizeof block,
		"%-80s%-8s= %20d%-50s%-8s= %20d%-50s%-8s= %20d%-50s%-8s= %20d%-50s",
		"SIMPLE  =                    T", "BITPIX", wide ? -32 : bytes ? 8 : 16, "", "NAXIS", 2, "", "NAXIS1",
		(int)frame->width, "", "NAXIS2", (int)frame->height, "");
	n += snprintf(block + n, sizeof block - (size_t)n, "%-8s= %20d%-50s", "BZERO", wide || bytes ? 0 : 32768, "");
	if (isfinite(frame->exposure_s)) {
		n += snprintf(block + n, sizeof block - (size_t)n, "%-8s= %20.6f%-50s", "EXPTIME",
			frame->exposure_s, "");
	}
	n += snprintf(block + n, sizeof block - (size_t)n, "%-80s", "END");
	memset(block + n, ' ', sizeof block - (size_t)n);
	enum err_code code = indi_fits_feed(p->fits, block, 2880, err);
	size_t count = (size_t)frame->width * (size_t)frame->height;
	unsigned char *out = p->out;
	size_t have = 0;
	for (size_t i = 0; i < count && code == ERR_OK; i++) {
		if (wide) {
			uint32_t bits;
			memcpy(&bits, &frame->pixels[i], sizeof bits);
			bits = __builtin_bswap32(bits);
			memcpy(out + have, &bits, sizeof bits);
			have += sizeof bits;
		} else if (bytes) {
			out[have++] = (unsigned char)frame->pixels[i];
		} else {
			/* Numbers with a sign are of the same type there; no camera sends negative ones. */
			float value = frame->pixels[i] > 0 ? frame->pixels[i] : 0;
			uint16_t bits = __builtin_bswap16((uint16_t)value ^ 0x8000);
			memcpy(out + have, &bits, sizeof bits);
			have += sizeof bits;
		}
		if (have + 8 > UNPACK_BYTES || i + 1 == count) {
			code = indi_fits_feed(p->fits, out, have, err);
			have = 0;
		}
	}
	return code;
}

enum err_code indi_packed_end(struct indi_packed *p, int give_up, struct err *err)
{
	enum err_code code = ERR_OK;
	if (p->file >= 0) {
		char path[48];
		struct fits_frame frame = {.pixels = NULL};
		/* The child that reads it has given up all descriptors, but may open those of this process. */
		snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)getpid(), p->file);
		code = fits_frame_read_unless(path, false, give_up, &frame, err);
		if (code == ERR_OK) {
			code = feed_frame(p, &frame, err);
			fits_frame_free(&frame);
		} else if (code == ERR_IO) {
			/* The link is not gone, the picture is. */
			code = err_set(err, ERR_PROTOCOL, "the compressed picture is damaged or of an unknown kind");
		}
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
