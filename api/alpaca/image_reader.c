/* SPDX-License-Identifier: MIT */
/* Who may read a picture now: slow readers must not fill the memory with pictures that nobody else wants any more. */
#include "alpaca_call.h"

enum {
	/* Clients may read so many different pictures of one camera at a time.  The camera itself needs two, one that
	 * is looked at and one that is exposed, so slow readers double its memory at most. */
	PICTURES_READ = 2,
	/* So many clients may read pictures, of all cameras together.  Each costs a block of imagebytes.c. */
	READERS = 32,
};

struct holds *image_readers_create(void)
{
	return holds_create(PICTURES_READ, READERS);
}

enum err_code image_reader_begin(struct call *call, struct frame *frame, struct image_reader *out, struct err *err)
{
	struct holds *holds = call->alpaca->image_readers;
	*out = (struct image_reader){.frame = frame, .holds = holds};
	enum err_code code = ERR_INVALID_OPERATION;
	switch (holds_enter(holds, call->dev, frame, 1)) {
	case HOLDS_ENTERED:
		return ERR_OK;
	case HOLDS_HEAVY:
		err_set(err, code, "Slow clients are still reading %d earlier pictures of this camera, and no more are "
			"kept for them: please ask again in some seconds.", PICTURES_READ);
		break;
	case HOLDS_CROWDED:
		err_set(err, code, "%d clients are reading pictures, and no more can at the same time: please ask "
			"again in some seconds.", READERS);
		break;
	}
	frame_unref(frame);
	*out = (struct image_reader){.frame = NULL};
	return code;
}

void image_reader_end(struct image_reader *reader)
{
	if (reader->frame != NULL) {
		holds_leave(reader->holds, reader->frame);
		frame_unref(reader->frame);
	}
	*reader = (struct image_reader){.frame = NULL};
}
