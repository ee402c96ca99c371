/* SPDX-License-Identifier: MIT */
/* Frames for callers. A file of another format is recognised and named before a child is started. */
#include "fits_frame.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fits_child.h"

/* The first bytes of other formats. Most raw formats of single-lens cameras begin as TIFF does. */
static const struct format {
	size_t at, len;
	const char *bytes, *name;
	enum file_kind kind; /* FILE_FITS: it cannot be read at all */
} formats[] = {
	{0, 8, "XISF0100", "XISF (PixInsight)", FILE_FITS},
	{0, 3, "\xFF\xD8\xFF", "JPEG", FILE_FITS},
	{0, 8, "\x89PNG\r\n\x1A\n", "PNG", FILE_FITS},
	{0, 2, "P5", "PGM", FILE_PGM},
	{8, 2, "CR", "a raw file of a Canon camera (CR2)", FILE_RAW},
	{4, 8, "ftypcrx ", "a raw file of a Canon camera (CR3)", FILE_RAW},
	{0, 8, "FUJIFILM", "a raw file of a Fujifilm camera", FILE_RAW},
	{0, 4, "IIRO", "a raw file of an Olympus camera", FILE_RAW},
	{0, 4, "IIU\0", "a raw file of a Panasonic camera", FILE_RAW},
	{0, 4, "II*\0", "TIFF, or a raw file of a camera,", FILE_RAW},
	{0, 4, "MM\0*", "TIFF, or a raw file of a camera,", FILE_RAW},
	{0, 14, "LUCAM-RECORDER", "SER (a film of frames)", FILE_FITS},
	{0, 4, "RIFF", "AVI (a film)", FILE_FITS},
	{0, 2, "PK", "a ZIP archive", FILE_FITS},
};

/* ERR_OK when the file may be one that can be read, and *out says which; else a sentence says what it is. */
static enum err_code name_format(const char *path, struct fits_file *out, struct err *err)
{
	unsigned char head[16] = {0};
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat file;
	if (fd < 0 || fstat(fd, &file) != 0) {
		int why = errno;
		if (fd >= 0) {
			close(fd);
		}
		return err_set(err, ERR_IO, "cannot open %s: %s", path, strerror(why));
	}
	ssize_t n = S_ISREG(file.st_mode) ? read(fd, head, sizeof head) : -1;
	close(fd);
	if (!S_ISREG(file.st_mode)) {
		return err_set(err, ERR_IO, "%s is no file", path);
	}
	if (n <= 0) {
		return err_set(err, ERR_IO, "%s is empty", path);
	}
	*out = (struct fits_file){.path = path, .kind = FILE_FITS, .kind_name = "FITS"};
	for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
		const struct format *f = &formats[i];
		if ((size_t)n < f->at + f->len || memcmp(head + f->at, f->bytes, f->len) != 0) {
			continue;
		}
		if (f->kind == FILE_FITS) {
			return err_set(err, ERR_IO, "%s is %s; focusd reads FITS (.fits, .fit, .fts, also .gz and "
				".fz), PGM, and raw files as the camera wrote them", path, f->name);
		}
		out->kind = f->kind;
		out->kind_name = f->name;
		break;
	}
	return ERR_OK;
}

enum err_code fits_frame_stat(const char *path, struct fits_frame *out, struct err *err)
{
	struct fits_file file;
	enum err_code code = name_format(path, &file, err);
	return code != ERR_OK ? code : fits_child_read(&file, FITS_FACTS, -1, out, err);
}

enum err_code fits_frame_read_unless(const char *path, bool exact, int give_up, struct fits_frame *out, struct err *err)
{
	struct fits_file file;
	enum err_code code = name_format(path, &file, err);
	return code != ERR_OK ? code
			      : fits_child_read(&file, exact ? FITS_DOUBLES : FITS_FLOATS, give_up, out, err);
}

enum err_code fits_frame_read_plane(const char *path, int32_t plane, int give_up, struct fits_frame *out,
	struct err *err)
{
	struct fits_file file;
	enum err_code code = name_format(path, &file, err);
	file.plane = plane;
	return code != ERR_OK ? code : fits_child_read(&file, FITS_PLANE, give_up, out, err);
}

enum err_code fits_frame_read(const char *path, struct fits_frame *out, struct err *err)
{
	return fits_frame_read_unless(path, false, -1, out, err);
}

enum err_code fits_frame_read_exact(const char *path, struct fits_frame *out, struct err *err)
{
	return fits_frame_read_unless(path, true, -1, out, err);
}

void fits_frame_free(struct fits_frame *frame)
{
	if (frame != NULL && frame->mapping != NULL) {
		munmap(frame->mapping, frame->mapping_size);
		frame->mapping = NULL;
		frame->pixels = NULL;
		frame->exact = NULL;
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
