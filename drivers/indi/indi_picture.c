/* SPDX-License-Identifier: MIT */
#include "indi_picture.h"

#include <stdlib.h>
#include <string.h>

enum err_code indi_picture_begin(struct indi_picture *p, const struct indi_part *part, struct frame *frame,
	struct err *err)
{
	size_t size = image_type_size(part->type);
	indi_picture_drop(p);
	p->part = *part;
	p->frame = frame;
	p->line = malloc((size_t)part->cut_width * size);
	if (part->planes > 1) {
		p->planes = malloc((size_t)part->cut_width * (size_t)part->cut_height * (size_t)part->planes * size);
	}
	if (p->line == NULL || (part->planes > 1 && p->planes == NULL)) {
		indi_picture_drop(p);
		return err_set(err, ERR_NOMEM, "out of memory for a picture");
	}
	return ERR_OK;
}

/* Widens a part of a row to the type of the frame, where they differ. */
static void widen(void *to, enum image_type into, const void *from, enum image_type type, size_t count)
{
	if (into == type) {
		memcpy(to, from, count * image_type_size(type));
		return;
	}
	for (size_t i = 0; i < count; i++) {
		double value = image_element(from, type, i);
		switch (into) {
		case IMAGE_U8: ((uint8_t *)to)[i] = (uint8_t)value; break;
		case IMAGE_U16: ((uint16_t *)to)[i] = (uint16_t)value; break;
		case IMAGE_I32: ((int32_t *)to)[i] = (int32_t)value; break;
		case IMAGE_F32: ((float *)to)[i] = (float)value; break;
		case IMAGE_F64: ((double *)to)[i] = value; break;
		}
	}
}

/* Puts a row of one plane of three where it belongs in the picture that is put together. */
static void spread(struct indi_picture *p, int32_t plane, int32_t row)
{
	size_t size = image_type_size(p->part.type);
	size_t planes = (size_t)p->part.planes;
	unsigned char *to = p->planes + ((size_t)row * (size_t)p->part.cut_width * planes + (size_t)plane) * size;
	for (size_t x = 0; x < (size_t)p->part.cut_width; x++) {
		memcpy(to + x * planes * size, (const unsigned char *)p->line + x * size, size);
	}
}

void indi_picture_put(struct indi_picture *p, const struct indi_fits_facts *facts, int32_t plane, int32_t first,
	int32_t rows, const void *data)
{
	const struct indi_part *part = &p->part;
	int32_t from = first > part->cut_y ? first : part->cut_y;
	int32_t end = first + rows < part->cut_y + part->cut_height ? first + rows : part->cut_y + part->cut_height;
	size_t size = image_type_size(facts->type);
	size_t stride = (size_t)facts->width * size;
	if (from >= end) {
		return;
	}
	const unsigned char *at =
		(const unsigned char *)data + (size_t)(from - first) * stride + (size_t)part->cut_x * size;
	if (part->planes == 1 && part->cut_width == facts->width && facts->type == part->type) {
		frame_fill(p->frame, from - part->cut_y, end - from, at);
		return;
	}
	for (int32_t y = from; y < end; y++, at += stride) {
		widen(p->line, part->type, at, facts->type, (size_t)part->cut_width);
		if (part->planes > 1) {
			spread(p, plane, y - part->cut_y);
		} else {
			frame_fill(p->frame, y - part->cut_y, 1, p->line);
		}
	}
}

void indi_picture_end(struct indi_picture *p)
{
	if (p->planes != NULL) {
		frame_fill(p->frame, 0, p->part.cut_height, p->planes);
	}
	indi_picture_drop(p);
}

void indi_picture_drop(struct indi_picture *p)
{
	free(p->line);
	free(p->planes);
	*p = (struct indi_picture){.frame = NULL};
}
