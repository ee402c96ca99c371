/* SPDX-License-Identifier: MIT */
#include "picture.h"

#include <stddef.h>

static void hide(struct picture *p)
{
	p->ready = false;
	frame_unref(p->frame);
	p->frame = NULL;
}

void picture_begin(struct picture *p, uint64_t version)
{
	hide(p);
	p->started_version = version;
}

void picture_reset(struct picture *p)
{
	hide(p);
	p->has_last = false;
}

static void preview(struct picture *p, struct frame *frame)
{
	frame_unref(p->preview);
	p->preview = frame_ref(frame);
	p->preview_serial++;
}

void picture_show(struct picture *p, struct frame *frame)
{
	preview(p, frame);
}

void picture_publish(struct picture *p, struct frame *frame, double duration_s, int64_t start_utc_ms)
{
	preview(p, frame);
	frame_unref(p->frame);
	p->frame = frame;
	p->ready = true;
	p->has_last = true;
	p->last_duration_s = duration_s;
	p->last_start_utc_ms = start_utc_ms;
}

void picture_keep_for_run(struct picture *p, struct frame *frame)
{
	preview(p, frame);
	frame_unref(p->run_frame);
	p->run_frame = frame;
}

void picture_free(struct picture *p)
{
	frame_unref(p->frame);
	frame_unref(p->preview);
	frame_unref(p->run_frame);
	*p = (struct picture){0};
}
